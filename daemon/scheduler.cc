#include "daemon/scheduler.h"

#include <algorithm>

#include "base/error.h"
#include "daemon/schedule.h"

namespace qcbak::daemon {
namespace {

// Of a source that never comes to rest: a change waits at most so many times the debounce.
constexpr std::int64_t kDebouncesAtMost = 10;

using RunId = FixedId<struct RunIdTag, 16>;

}  // namespace

Scheduler::Scheduler(const std::vector<config::Job>& jobs, State& state, Random& random, Time now)
    : state_(state), random_(random) {
  for (const config::Job& job : jobs) {
    Plan plan;
    plan.job = &job;
    // Later than now: the clock was ahead, and what it made the daemon do early must not keep it from working until then.
    if (const auto handled = state.handled(job.name); handled && *handled <= now) {
      plan.handled = *handled;
    } else {
      plan.handled = now;
      state.set_handled(job.name, now);
    }
    // What changed while nobody watched is not known.
    if (job.on_change) plan.changed_first = plan.changed_last = Time{now.ns - kDebouncesAtMost * job.debounce_ns};
    const auto last = state.last(job.name);
    if (last && last->outcome && !succeeded(*last->outcome)) try_again(plan, *last);
    plans_.push_back(std::move(plan));
  }
}

Scheduler::Plan* Scheduler::find(const std::string& job) {
  const auto found =
      std::find_if(plans_.begin(), plans_.end(), [&](const Plan& plan) { return plan.job->name == job; });
  return found == plans_.end() ? nullptr : &*found;
}

Scheduler::Plan& Scheduler::plan(const std::string& job) {
  Plan* found = find(job);
  if (found == nullptr) throw Error(ErrorCode::not_found, "there is no job \"" + job + "\"");
  return *found;
}

const Scheduler::Plan& Scheduler::plan(const std::string& job) const { return const_cast<Scheduler*>(this)->plan(job); }

std::optional<Time> Scheduler::change_due(const Plan& plan) {
  if (!plan.changed_last) return std::nullopt;
  return Time{std::min(plan.changed_last->ns + plan.job->debounce_ns,
                       plan.changed_first->ns + kDebouncesAtMost * plan.job->debounce_ns)};
}

// The run that the job is due for. A newer slot replaces a try that waits.
std::optional<Run> Scheduler::due(Plan& plan, Time now) {
  const config::Job& job = *plan.job;
  Run run;
  run.job = job.name;
  const bool open = job.windows.open(now);
  if (job.schedule && open) {
    if (const auto slot = slot_due(*job.schedule, plan.handled, now);
        slot && slot->due.ns + random_delay_ns(job.name, slot->due, job.random_delay_ns) <= now.ns) {
      run.slot = slot->due;
      return run;
    }
  }
  if (plan.requested_by) {
    run.reason = Reason::request;
    run.asked_by = *plan.requested_by;
    return run;
  }
  if (!open) return std::nullopt;
  if (plan.retry && plan.retry_at <= now) {
    run.reason = plan.retry->reason;
    run.slot = plan.retry->slot;
    run.asked_by = plan.retry->asked_by;
    run.tries = plan.retry->tries + 1;
    run.failures = plan.retry->failures + (*plan.retry->outcome == Outcome::failed ? 1 : 0);
    return run;
  }
  if (const auto change = change_due(plan); change && *change <= now) {
    run.reason = Reason::change;
    return run;
  }
  return std::nullopt;
}

std::optional<Run> Scheduler::start(Time now) {
  for (Plan& plan : plans_) {
    if (plan.running || held_.contains(plan.job->name)) continue;
    std::optional<Run> run = due(plan, now);
    if (!run) continue;
    run->id = random_.id<RunId>().hex();
    run->started = now;
    const bool begun = state_.begin(*run);
    if (run->slot) plan.handled = std::max(plan.handled, *run->slot);
    if (!begun) {  // it ran when the clock was ahead
      plan.retry.reset();
      continue;
    }
    plan.running = true;
    // Any run sees what changed before it, and stands for what was asked before it.
    plan.changed_first = plan.changed_last = std::nullopt;
    plan.requested_by.reset();
    plan.retry.reset();
    return run;
  }
  return std::nullopt;
}

std::optional<Time> Scheduler::next(Time now) const {
  std::optional<Time> soonest;
  const auto consider = [&](const std::optional<Time>& time) {
    if (time && (!soonest || *time < *soonest)) soonest = time;
  };
  for (const Plan& plan : plans_) {
    if (plan.running || held_.contains(plan.job->name)) continue;
    if (plan.requested_by) consider(now);
    consider(next_slot(plan.job->name, now));
    const auto consider_in_window = [&](const std::optional<Time>& time) {
      if (time) consider(plan.job->windows.opens(std::max(*time, now)));
    };
    if (plan.retry) consider_in_window(plan.retry_at);
    consider_in_window(change_due(plan));
  }
  return soonest;
}

void Scheduler::changed(const std::string& job, Time now) {
  Plan& changed = plan(job);
  if (!changed.job->on_change) return;
  if (!changed.changed_first) changed.changed_first = now;
  changed.changed_last = now;
}

void Scheduler::request(const std::string& job, const std::string& user) {
  Plan& wanted = plan(job);
  if (wanted.running) throw Error(ErrorCode::busy, "job \"" + job + "\" is running already");
  if (wanted.requested_by) throw Error(ErrorCode::busy, "job \"" + job + "\" is about to run already");
  wanted.requested_by = user;
}

std::optional<Time> Scheduler::try_again(Plan& plan, const Run& run) {
  if (*run.outcome == Outcome::cancelled) return std::nullopt;
  // One that was interrupted did not fail: it goes on at once, and as often as it takes.
  std::optional<std::int64_t> delay = 0;
  if (*run.outcome == Outcome::failed) delay = retry_delay_ns(*plan.job, run.failures + 1);
  if (!delay) return std::nullopt;
  plan.retry = run;
  plan.retry_at = Time{run.ended->ns + *delay};
  return plan.retry_at;
}

void Scheduler::resume(const Run& run) {
  if (Plan* resumed = find(run.job)) resumed->running = true;
}

std::optional<Time> Scheduler::ended(const Run& run) {
  state_.end(run);
  Plan* ended = find(run.job);
  if (ended == nullptr) return std::nullopt;
  ended->running = false;
  if (succeeded(*run.outcome)) return std::nullopt;
  return try_again(*ended, run);
}

std::optional<Time> Scheduler::next_slot(const std::string& job, Time now) const {
  const Plan& wanted = plan(job);
  if (!wanted.job->schedule) return std::nullopt;
  std::optional<Time> slot;
  if (const auto due = slot_due(*wanted.job->schedule, wanted.handled, now))
    slot = due->due;
  else
    slot = wanted.job->schedule->next(now);
  if (!slot) return std::nullopt;
  slot->ns += random_delay_ns(job, *slot, wanted.job->random_delay_ns);
  const bool late = *slot < now && wanted.job->windows.open(now);
  return late ? slot : wanted.job->windows.opens(std::max(*slot, now));
}

bool Scheduler::running(const std::string& job) const { return plan(job).running; }

}  // namespace qcbak::daemon
