// Which snapshots of a job stay: its retention, applied after each of its runs.
#pragma once

#include "backup/repository/writer.h"
#include "config/config.h"

namespace qcbak::daemon {

struct Kept {
  std::uint64_t locked = 0;     // snapshots whose lock was set or lengthened
  std::uint64_t forgotten = 0;  // their space is freed by a collection
};

// Of the living snapshots with the label job=NAME in this domain: first each is locked for as long as the job says, then
// those that no rule keeps are forgotten. Without a rule, none. Nothing is forgotten either when the log's last entry
// before this run is long ago: then the clock may have jumped, and the next run will tell.
Kept apply_retention(const repository::WriteContext& context, const config::Job& job);

}  // namespace qcbak::daemon
