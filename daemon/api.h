// What the requests on the socket mean. docs/daemon.md "The socket".
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "config/config.h"
#include "backup/storage/storage.h"
#include "daemon/admission.h"
#include "daemon/audit.h"
#include "daemon/scheduler.h"
#include "daemon/server.h"
#include "daemon/state.h"
#include "daemon/telling.h"
#include "daemon/worker.h"

namespace qcbak::daemon {

// The daemon as the requests see it.
struct ApiView {
  const config::Config& config;
  const std::vector<config::Job>& jobs;
  State& state;
  Scheduler& scheduler;
  Time started;
  std::function<std::optional<WorkProgress>(const std::string& run)> progress;
  std::function<bool(const std::string& run)> cancel;  // false: it is not in work
  std::function<void()> look;  // starts what is due
  AuditLog& audit;
  Register& people_and_plans;
  const std::map<std::string, std::string>& held;  // jobs that do not run, and why
  std::function<void()> register_changed;          // takes in what was written, and holds jobs by it
  const std::string& repository_id;                // SHA-256 of its config, hexadecimal
  Random& random;
  const storage::Storage& storage;
  std::size_t connections = 0;
  Telling& telling;
  Admission& admission;
};

// Error(refused) for somebody without any role, or who was locked.
void require_admitted(Register& people, const Caller& caller);
Reply metrics_reply(const ApiView& view, Time now);
// Never throws an Error: what is wrong becomes a reply. Requests that change something, and those that are refused, are in
// the audit log first.
Reply answer(const ApiView& view, const Request& request, const Caller& caller, Time now);

}  // namespace qcbak::daemon
