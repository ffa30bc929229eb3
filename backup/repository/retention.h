// Which snapshots a rule keeps. Pure: no clock, no repository.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backup/repository/repository.h"

namespace qcbak::repository {

struct KeepRule {
  unsigned last = 0;
  unsigned daily = 0;   // the newest of each of so many days that have one, in the local zone
  unsigned weekly = 0;  // ISO weeks
  unsigned monthly = 0;
  unsigned yearly = 0;
  std::optional<std::int64_t> within_ns;  // counted back from the newest snapshot of the group
  bool empty() const { return last + daily + weekly + monthly + yearly == 0 && !within_ns; }
};

struct RetentionCandidate {
  SnapshotId id;
  Time time;  // from the log's commit, never from the machine backed up
  std::string group;
  bool locked = false;  // held or locked: kept, whatever the rule says
};

struct RetentionDecision {
  SnapshotId id;
  bool keep = false;
  std::string reason;  // "last", "daily 2026-11-20", "within 30d", "held or locked"; empty when forgotten
};

// In the order of the candidates. Each group by itself. An empty rule keeps everything.
std::vector<RetentionDecision> decide_retention(const KeepRule& rule,
                                                const std::vector<RetentionCandidate>& candidates);

}  // namespace qcbak::repository
