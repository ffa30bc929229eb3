#include "backup/browse.h"

#include "base/error.h"

namespace qcbak {

std::string normal_path(std::string_view path) {
  std::string normal;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") throw Error(ErrorCode::usage, "a path inside a snapshot has no \"..\"");
    normal += "/";
    normal += part;
  }
  return normal.empty() ? "/" : normal;
}

}  // namespace qcbak
