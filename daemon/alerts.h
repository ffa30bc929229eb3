// What needs somebody's attention: computed here, for "qcbak status", for metrics, and for what people are told.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/config.h"
#include "daemon/accounts.h"
#include "daemon/clock_watch.h"
#include "daemon/outbox.h"
#include "daemon/state.h"

namespace qcbak::daemon {

struct Alert {
  config::AlertKind kind = config::AlertKind::failure;
  std::string key;  // the same as long as the condition lasts: "failure:etc"
  std::string job;  // empty: of none
  std::string what;
  std::string next;           // the command that shows more
  std::optional<Time> since;  // when people were told; nothing: not yet
};

// Of a channel that its messages do not leave.
std::string undelivered_key(const std::string& channel);

// What alerts are made of.
struct AlertSources {
  const std::vector<config::Job>& jobs;
  State& state;
  const std::set<std::string>& incompletely_watched;
  const std::map<std::string, std::string>& held;  // jobs that the plan keeps from running, and why
  bool plan_approved = true;                       // some plan was, once
  std::optional<std::uint64_t> free_bytes;
  std::optional<double> days_left;
  std::optional<ClockJump> clock_jump;
  bool clock_unsynchronised = false;
  std::vector<Account> accounts;
  std::optional<Time> review_due;
  std::vector<ChannelState> channels;  // and one more for syslog, where that is behind
  const std::map<std::string, Time>&
      standing;  // by key, those that people were told of, and when: what stands goes later than it came
};
std::vector<Alert> current_alerts(const AlertSources& sources, Time now);

// A slot that came without a run that did what it asked for, so long ago that it cannot be a matter of waiting.
bool is_overdue(State& state, const config::Job& job, Time now);

}  // namespace qcbak::daemon
