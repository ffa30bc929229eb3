// The state of what is backed up, looked at before and after: CT 17.1b, HQ 20.2b ask for both.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace qcbak::source {

struct PathState {
  std::string path;
  std::string problem;                            // why it cannot be looked at; empty: it can
  std::string kind;                               // "directory", "file", "other"
  std::string file_system;                        // "ext4"; empty: not known
  std::uint64_t bytes_total = 0, bytes_free = 0;  // of the file system
  std::uint64_t inodes_total = 0, inodes_free = 0;
  friend bool operator==(const PathState&, const PathState&) = default;
};

// Never throws an Error: what is wrong is part of the state.
std::vector<PathState> look_at(const std::vector<std::string>& paths);

}  // namespace qcbak::source
