// The one error type, the closed table of its codes, and check() for bugs.
#pragma once

#include <exception>
#include <span>
#include <string>
#include <string_view>

namespace qcbak {

enum class ErrorCode {
  failed,         // none of the below
  usage,          // the caller asked for something impossible
  io,             // the system refused or failed an operation
  no_space,       // ENOSPC, EDQUOT
  not_found,      // a thing that was named does not exist
  damaged,        // stored bytes are not what was written
  differs,        // what was restored, or compared, is not what was backed up
  refused,        // policy: retention lock, hold, not permitted
  unsupported,    // a mandatory feature flag or version this program does not know
  no_repository,  // nothing there that is a repository
  busy,           // somebody else's use of the repository excludes this command
  wrong_key,      // no key fits
  interrupted,    // asked to stop
};

// One row of the table from which exit codes, retry policy and the manual follow.
struct ErrorRow {
  ErrorCode code;
  std::string_view name;
  int exit_code;   // docs: cli.md "Exit codes"
  bool retryable;  // trying the same again later may succeed
  std::string_view meaning;
};
std::span<const ErrorRow> error_table();
const ErrorRow& error_row(ErrorCode code);

// What failed, on which object, why, and what to do next. Context is added while unwinding, outermost first.
class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  int exit_code() const { return error_row(code_).exit_code; }
  const char* what() const noexcept override { return message_.c_str(); }
  const std::string& hint() const { return hint_; }

  Error& add_context(std::string_view context);  // "context: message"
  Error& with_hint(std::string hint) {            // the next step, shown after the message
    hint_ = std::move(hint);
    return *this;
  }

 private:
  ErrorCode code_;
  std::string message_;
  std::string hint_;
};

// Throws Error for `errno_value`: "action object: reason". ENOSPC and EDQUOT give no_space, all else io.
[[noreturn]] void throw_errno(std::string_view action, std::string_view object, int errno_value);
[[noreturn]] void throw_errno(std::string_view action, std::string_view object);  // with errno
std::string errno_text(int errno_value);

// A bug in this program, not in its input: ends the process with the place and the broken statement.
void check(bool holds, const char* statement, const char* file = __builtin_FILE(), int line = __builtin_LINE());

// Runs `body`; an Error leaving it gains `context`.
template <class Body>
decltype(auto) in_context(std::string_view context, Body&& body) {
  try {
    return body();
  } catch (Error& error) {
    error.add_context(context);
    throw;
  }
}

}  // namespace qcbak
