#include "backup/source/source_state.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <map>
#include <sstream>

#include "base/error.h"
#include "base/unique_fd.h"

namespace qcbak::source {
namespace {

constexpr std::size_t kMountsLimit = 4U << 20;

// By device, "8:1", as proc(5) has it in mountinfo.
std::map<std::string, std::string> file_systems() {
  std::map<std::string, std::string> types;
  Bytes table;
  try {
    table = read_file("/proc/self/mountinfo", kMountsLimit);
  } catch (const Error&) {
    return types;  // without /proc it is not known
  }
  std::istringstream lines{std::string(as_text(table))};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string number, parent, device, word;
    words >> number >> parent >> device;
    while (words >> word && word != "-") continue;
    if (words >> word) types.emplace(device, word);
  }
  return types;
}

PathState look_at(const std::string& path, const std::map<std::string, std::string>& types) {
  PathState state;
  state.path = path;
  struct stat status {};
  struct statvfs space {};
  if (::stat(path.c_str(), &status) != 0 || ::statvfs(path.c_str(), &space) != 0) {
    state.problem = errno_text(errno);
    return state;
  }
  state.kind = S_ISDIR(status.st_mode) ? "directory" : S_ISREG(status.st_mode) ? "file" : "other";
  const auto type = types.find(fmt::format("{}:{}", major(status.st_dev), minor(status.st_dev)));
  if (type != types.end()) state.file_system = type->second;
  state.bytes_total = std::uint64_t{space.f_blocks} * space.f_frsize;
  state.bytes_free = std::uint64_t{space.f_bfree} * space.f_frsize;
  state.inodes_total = space.f_files;
  state.inodes_free = space.f_ffree;
  return state;
}

}  // namespace

std::vector<PathState> look_at(const std::vector<std::string>& paths) {
  const auto types = file_systems();
  std::vector<PathState> states;
  for (const std::string& path : paths) states.push_back(look_at(path, types));
  return states;
}

}  // namespace qcbak::source
