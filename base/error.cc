#include "base/error.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace qcbak {
namespace {

constexpr ErrorRow kTable[] = {
    {ErrorCode::failed, "failed", 1, false, "the command could not do what was asked"},
    {ErrorCode::usage, "usage", 2, false, "wrong usage"},
    {ErrorCode::io, "io", 1, true, "the system refused or failed an operation"},
    {ErrorCode::no_space, "no_space", 1, true, "no space is left where something had to be written"},
    {ErrorCode::not_found, "not_found", 1, false, "a thing that was named does not exist"},
    {ErrorCode::damaged, "damaged", 4, false, "stored data is not what was written"},
    {ErrorCode::differs, "differs", 4, false, "what was restored differs from what was backed up"},
    {ErrorCode::refused, "refused", 5, false, "refused by policy: hold, retention lock, or not permitted"},
    {ErrorCode::unsupported, "unsupported", 1, false, "the repository needs a newer qcbak"},
    {ErrorCode::no_repository, "no_repository", 10, false, "no repository there"},
    {ErrorCode::busy, "busy", 11, true, "the repository is in use in a way that excludes this command"},
    {ErrorCode::wrong_key, "wrong_key", 12, false, "no key fits"},
    {ErrorCode::interrupted, "interrupted", 1, true, "stopped on request"},
};

}  // namespace

std::span<const ErrorRow> error_table() { return kTable; }

const ErrorRow& error_row(ErrorCode code) {
  for (const ErrorRow& row : kTable)
    if (row.code == code) return row;
  return kTable[0];
}

Error& Error::add_context(std::string_view context) {
  message_ = std::string(context) + ": " + message_;
  return *this;
}

std::string errno_text(int errno_value) {
  char buffer[256];
  return strerror_r(errno_value, buffer, sizeof buffer);
}

void throw_errno(std::string_view action, std::string_view object, int errno_value) {
  const bool full = errno_value == ENOSPC || errno_value == EDQUOT;
  throw Error(full ? ErrorCode::no_space : ErrorCode::io,
              std::string(action) + " " + std::string(object) + ": " + errno_text(errno_value));
}

void throw_errno(std::string_view action, std::string_view object) { throw_errno(action, object, errno); }

void check(bool holds, const char* statement, const char* file, int line) {
  if (holds) [[likely]]
    return;
  std::fprintf(stderr, "qcbak: internal error at %s:%d: %s\n", file, line, statement);
  std::abort();
}

}  // namespace qcbak
