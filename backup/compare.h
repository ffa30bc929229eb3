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
  std::vector<std::string> what;  // of changed ones: "content", "mode 0644 → 0600", "owner 0 → 1000", "type file → symlink",
                                  // "time …", "attribute user.x added", "unreadable: …"
  bool content = false;           // the bytes differ (of a link: its target), not only metadata
};
using OnDifference = std::function<void(const Difference&)>;

// Both in the order of a walk: below a directory come its entries in ascending order of names. Of a directory that is
// there on one side only, everything below is reported too. `paths` are absolute; none: "/". Error(not_found) for a path
// that neither side has.

// Subtrees with equal ids are not descended into. Error(damaged) when a directory of either cannot be read.
void compare_snapshots(SnapshotTree& before, SnapshotTree& after, const std::vector<std::string>& paths,
                       const OnDifference& on_difference);
// From the snapshot to now. Reads the live files and compares type, metadata and SHA-256. What cannot be read is reported
// as changed, "unreadable: …". Without `paths` it compares those that the snapshot was made of. Of the directories above
// them the snapshot has no other entries: they are not compared. Where another file system is mounted on a directory that
// has nothing below it in the snapshot, that file system is not entered: a backup that stays on one left it out.
void compare_live(SnapshotTree& snapshot, const std::vector<std::string>& paths, const OnDifference& on_difference,
                  std::stop_token stop);

}  // namespace qcbak
