// Runs of which the state database no longer knows, from the repository: a database that was lost is made anew.
#pragma once

#include "backup/repository/repository.h"
#include "daemon/state.h"

namespace qcbak::daemon {

// From the audit entries of the log: every run whose end is there, also those that failed. How many.
std::uint64_t recall_from_log(State& state, const repository::Repository& repository);
// From labels of snapshots that live: what the log's entries do not have.
using SnapshotsByRun = std::map<std::string, repository::SnapshotInfo>;
SnapshotsByRun snapshots_by_run(const repository::Repository& repository);
void recall_from_snapshots(State& state, const SnapshotsByRun& snapshots);
// The run's end, as its snapshot has it.
void end_by_snapshot(Run& run, const repository::SnapshotInfo& snapshot);

}  // namespace qcbak::daemon
