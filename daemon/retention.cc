#include "daemon/retention.h"

#include <algorithm>

#include "backup/repository/retention.h"
#include "daemon/message_log.h"

namespace qcbak::daemon {
namespace {

using repository::SnapshotInfo;

constexpr std::int64_t kDay_ns = 86'400'000'000'000;
constexpr std::int64_t kLongestSilence_ns = 62 * kDay_ns;  // a monthly job leaves 31 days

bool is_of(const SnapshotInfo& snapshot, const config::Job& job, const repository::DomainId& domain) {
  const std::pair<std::string, std::string> label("job", job.name);
  const repository::Labels& labels = snapshot.header.labels;
  return snapshot.state.domain == domain && std::find(labels.begin(), labels.end(), label) != labels.end();
}

repository::KeepRule rule_of(const config::Retention& retention) {
  const auto count = [](const std::optional<std::int64_t>& value) { return static_cast<unsigned>(value.value_or(0)); };
  return {count(retention.last),    count(retention.daily),  count(retention.weekly),
          count(retention.monthly), count(retention.yearly), retention.within_ns};
}

}  // namespace

Kept apply_retention(const repository::WriteContext& context, const config::Job& job) {
  Kept kept;
  const repository::KeepRule rule = rule_of(job.retention);
  if (rule.empty() && !job.retention.lock_ns) return kept;
  repository::Repository& repository = context.repository;
  repository.refresh_log();
  const Time now = context.clock.now();

  std::vector<SnapshotInfo> snapshots = repository.snapshots(nullptr);
  std::erase_if(snapshots, [&](const SnapshotInfo& each) { return !is_of(each, job, context.domain.id); });
  if (job.retention.lock_ns) {
    for (const SnapshotInfo& snapshot : snapshots) {
      const Time until{snapshot.state.commit_time.ns + *job.retention.lock_ns};
      if (until <= now || (snapshot.state.locked_until && *snapshot.state.locked_until >= until)) continue;
      repository::append_log(context, [&]() -> repository::LogEvent {
        return repository::RetentionLock{snapshot.header.id, until};
      });
      ++kept.locked;
    }
  }
  if (rule.empty() || snapshots.size() < 2) return kept;
  const Time before_last = snapshots[snapshots.size() - 2].state.commit_time;
  if (now.ns - before_last.ns > kLongestSilence_ns) {
    say(Level::warning, "job " + job.name + ": nothing is forgotten this time: its last snapshot but one is of " +
                            format_time(before_last) + ", and the clock may have jumped");
    return kept;
  }

  std::vector<repository::RetentionCandidate> candidates;
  for (const SnapshotInfo& snapshot : snapshots) {
    const auto state = repository.log().snapshots.find(snapshot.header.id);
    const bool locked = state == repository.log().snapshots.end() || repository.log().is_locked(state->second, now);
    candidates.push_back({snapshot.header.id, snapshot.state.commit_time, job.name, locked});
  }
  std::vector<repository::SnapshotId> forgotten;
  for (const repository::RetentionDecision& decision : repository::decide_retention(rule, candidates))
    if (!decision.keep) forgotten.push_back(decision.id);
  if (forgotten.empty()) return kept;
  repository::append_log(context, [&]() -> repository::LogEvent {
    return repository::Tombstone{forgotten, "retention of job " + job.name};
  });
  kept.forgotten = forgotten.size();
  return kept;
}

}  // namespace qcbak::daemon
