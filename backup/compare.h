// The verb diff: two snapshots, or a snapshot and the running system (R5: integrity of system files).
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "backup/browse.h"

namespace qcbak {

struct Difference {
  enum class Kind { added, removed, changed } kind = Kind::changed;
  std::string path;
  std::vector<std::string> what;  // of changed ones: "content", "mode 0644 → 0600", "owner …", "type", "attribute user.x"
  bool content = false;           // the bytes differ, not only metadata
};
using OnDifference = std::function<void(const Difference&)>;

// In ascending order of paths. Subtrees with equal ids are not descended into.
void compare_snapshots(SnapshotTree& before, SnapshotTree& after, const std::vector<std::string>& paths,
                       const OnDifference& on_difference);
// Reads the live files and compares type, metadata and SHA-256. What cannot be read is reported as changed, "unreadable: …".
void compare_live(SnapshotTree& snapshot, const std::vector<std::string>& paths, const OnDifference& on_difference,
                  std::stop_token stop);

}  // namespace qcbak
