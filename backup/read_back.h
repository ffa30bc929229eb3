// restore --verify: what was written is read back from the medium and compared with the snapshot.
#pragma once

#include <stop_token>

#include "backup/browse.h"
#include "backup/restore.h"
#include "backup/source/target.h"

namespace qcbak {

// Flushes the target, drops it from the page cache where that is possible, reads every restored file to its end and
// compares its SHA-256, and everything else of every entry. Adds to `result`.
void read_back(SnapshotTree& tree, const source::Target& target, const RestoreOptions& options, Progress& progress,
               const std::stop_token& stop, RestoreResult& result);

}  // namespace qcbak
