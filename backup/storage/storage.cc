#include "backup/storage/storage.h"

#include "base/error.h"

namespace qcbak::storage {
namespace {

bool is_allowed(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; }

}  // namespace

bool is_object_name(std::string_view name) {
  if (name.empty() || name.size() > kNameLimit || name == "lock" || name == "tmp" || name.starts_with("tmp/"))
    return false;
  bool at_start = true;  // of a folder or of the last part
  for (const char c : name) {
    if (at_start ? !is_allowed(c) || c == '.' : !is_allowed(c) && c != '/') return false;
    at_start = c == '/';
  }
  return !at_start;
}

void check_object_name(std::string_view name) {
  if (!is_object_name(name)) throw Error(ErrorCode::usage, "\"" + printable(name) + "\" is not the name of an object");
}

void check_object_prefix(std::string_view prefix) {
  if (!is_object_name(std::string(prefix) + "0"))
    throw Error(ErrorCode::usage, "no object's name starts with \"" + printable(prefix) + "\"");
}

}  // namespace qcbak::storage
