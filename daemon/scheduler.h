// Decides which job runs when. Knows the jobs and what became of their runs; starts nothing itself. Everything that must
// outlive the daemon is in the State before start() or ended() returns.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "config/config.h"
#include "daemon/state.h"

namespace qcbak::daemon {

class Scheduler {
 public:
  // Jobs that the state does not know yet are handled up to `now`. `jobs` has to outlive this.
  Scheduler(const std::vector<config::Job>& jobs, State& state, Random& random, Time now);

  // A job due now whose run is to be started, begun in the state; nothing when no job is due. Ask again until then.
  std::optional<Run> start(Time now);
  // When start() may next have something, unless something is told before; nothing: never.
  std::optional<Time> next(Time now) const;

  // Jobs that must not start, until told otherwise. What becomes due meanwhile is remembered.
  void hold(std::set<std::string> jobs) { held_ = std::move(jobs); }

  // Something below the job's paths changed, or may have.
  void changed(const std::string& job, Time now);
  // Somebody wants a run. Error(not_found); Error(busy) when one of this job is running or waiting already.
  void request(const std::string& job, const std::string& user);
  // A run that another scheduler gave, before the configuration was read again, is still in work.
  void resume(const Run& run);
  // A run has ended as it says; its job may be gone from the configuration. Nothing when no further try follows, else when that is due.
  std::optional<Time> ended(const Run& run);

  // The slot for which the job will run next by its schedule, its random delay included.
  std::optional<Time> next_slot(const std::string& job, Time now) const;
  bool running(const std::string& job) const;

 private:
  struct Plan {
    const config::Job* job = nullptr;
    Time handled;
    bool running = false;
    std::optional<Time> changed_first, changed_last;
    std::optional<std::string> requested_by;
    std::optional<Run> retry;  // the failed run that is tried again …
    Time retry_at;             // … from then on
  };
  Plan* find(const std::string& job);
  Plan& plan(const std::string& job);
  const Plan& plan(const std::string& job) const;
  std::optional<Run> due(Plan& plan, Time now);
  static std::optional<Time> change_due(const Plan& plan);
  std::optional<Time> try_again(Plan& plan, const Run& run);

  State& state_;
  Random& random_;
  std::vector<Plan> plans_;
  std::set<std::string> held_;
};

}  // namespace qcbak::daemon
