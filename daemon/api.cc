#include "daemon/api.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"
#include "daemon/account_requests.h"
#include "daemon/media_requests.h"
#include "daemon/people_requests.h"
#include "daemon/plan_requests.h"
#include "daemon/replies.h"
#include "daemon/request_target.h"
#include "daemon/wipe_requests.h"

namespace qcbak::daemon {
namespace {

using config::UserRole;
using Json = nlohmann::json;

constexpr std::int64_t kHistoryLimit = 1000;
constexpr std::int64_t kHistoryUnlessAsked = 20;

Json json_of(const std::optional<Time>& time) { return time ? Json(format_time(*time)) : Json(nullptr); }
Json json_of(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json json_of(const Run& run) {
  Json json{{"id", run.id},
            {"job", run.job},
            {"reason", name_of(run.reason)},
            {"slot", json_of(run.slot)},
            {"try", run.tries},
            {"asked_by", json_of(run.asked_by)},
            {"started", format_time(run.started)},
            {"ended", json_of(run.ended)},
            {"outcome", run.outcome ? Json(name_of(*run.outcome)) : Json(nullptr)},
            {"snapshot", json_of(run.snapshot)},
            {"error", json_of(run.error)}};
  json["summary"] = run.summary.empty() ? Json(nullptr) : Json::parse(run.summary, nullptr, false);
  return json;
}

Json json_of(const ApiView& view, const config::Job& job, Time now) {
  const auto last = view.state.last(job.name);
  const auto success = view.state.last_success(job.name);
  const auto held = view.held.find(job.name);
  Json json{{"name", job.name},
            {"files", job.source.paths},
            {"schedule", job.schedule ? Json(job.schedule->text()) : Json(nullptr)},
            {"on_change", job.on_change},
            {"next", json_of(view.scheduler.next_slot(job.name, now))},
            {"running", view.scheduler.running(job.name)},
            {"held", held != view.held.end() ? Json(held->second) : Json(nullptr)},
            {"last", last ? json_of(*last) : Json(nullptr)},
            {"last_success", success ? Json(json_of(success->ended)) : Json(nullptr)}};
  if (last && !last->outcome)
    if (const auto progress = view.progress(last->id))
      json["progress"] = {{"bytes", progress->bytes}, {"files", progress->files}, {"problems", progress->problems}};
  return json;
}

Json alerts(const ApiView& view) {
  Json alerts = Json::array();
  for (const Alert& alert : view.telling.alerts())
    alerts.push_back({{"kind", config::name_of(alert.kind)},
                      {"key", alert.key},
                      {"job", json_of(alert.job)},
                      {"what", alert.what},
                      {"next", alert.next},
                      {"told", json_of(alert.since)}});
  return alerts;
}

Json messages(const ApiView& view) {
  Json channels = Json::array();
  for (const ChannelState& channel : view.telling.channels())
    channels.push_back({{"channel", channel.name},
                        {"waiting", channel.waiting},
                        {"oldest", json_of(channel.oldest)},
                        {"lost", channel.lost},
                        {"error", json_of(channel.error)}});
  return channels;
}

Json syslog(const ApiView& view) {
  const auto syslog = view.telling.syslog();
  if (!syslog) return nullptr;
  return {{"collector", syslog->collector},
          {"sent", syslog->progress.sent},
          {"behind", syslog->progress.behind},
          {"failing_since", json_of(syslog->progress.failing_since)},
          {"error", json_of(syslog->progress.error)}};
}

const config::Job& job_named(const ApiView& view, const std::string& name) {
  for (const config::Job& job : view.jobs)
    if (job.name == name) return job;
  throw Error(ErrorCode::not_found, "there is no job \"" + name + "\"").with_hint("\"qcbak job list\" names them");
}

Json job_request(const ApiView& view, const Request& request, const RequestTarget& target, const Caller& caller, Time now) {
  const config::Job& job = job_named(view, target.path[2]);
  const bool get = request.method == "GET";
  if (target.path.size() == 3 && get) return json_of(view, job, now);
  if (target.path.size() == 4 && target.path[3] == "runs" && get) {
    Json runs = Json::array();
    for (const Run& run : view.state.history(job.name, number_of(target, "limit", kHistoryUnlessAsked, kHistoryLimit)))
      runs.push_back(json_of(run));
    return runs;
  }
  if (target.path.size() == 4 && target.path[3] == "run" && request.method == "POST") {
    require(caller, {UserRole::operating, UserRole::administrator}, view.config.approval.combined_roles);
    if (const auto held = view.held.find(job.name); held != view.held.end())
      throw Error(ErrorCode::refused, "job \"" + job.name + "\" is held: " + held->second).with_hint("have it approved: qcbak plan submit");
    view.audit.request_taken(request.method + " " + request.target, caller);
    view.scheduler.request(job.name, caller.name);
    view.look();
    // It may have to wait until others have ended.
    const auto run = view.state.last(job.name);
    const bool begun = run && run->reason == Reason::request && run->started >= now;
    return {{"job", job.name}, {"id", begun ? Json(run->id) : Json(nullptr)}};
  }
  throw Error(ErrorCode::usage, "there is no such request");
}

Json run_request(const ApiView& view, const Request& request, const RequestTarget& target, const Caller& caller) {
  const auto run = view.state.run(target.path[2]);
  if (!run) throw Error(ErrorCode::not_found, "there is no run \"" + target.path[2] + "\"");
  if (target.path.size() == 3 && request.method == "GET") return json_of(*run);
  if (target.path.size() == 4 && target.path[3] == "cancel" && request.method == "POST") {
    require(caller, {UserRole::operating, UserRole::administrator}, view.config.approval.combined_roles);
    view.audit.request_taken(request.method + " " + request.target, caller);
    if (!view.cancel(run->id)) throw Error(ErrorCode::failed, "run " + run->id + " is not in work");
    return {{"id", run->id}};
  }
  throw Error(ErrorCode::usage, "there is no such request");
}

Json result_of(const ApiView& view, const Request& request, const Caller& caller, Time now) {
  const RequestTarget target = parse_target(request.target);
  const std::vector<std::string>& path = target.path;
  if (path.size() < 2 || path[0] != "v1") throw Error(ErrorCode::usage, "there is no such request");
  if (path[1] == "jobs" && path.size() >= 3) return job_request(view, request, target, caller, now);
  if (path[1] == "runs" && path.size() >= 3) return run_request(view, request, target, caller);
  if (path[1] == "plans") return plan_request(view, request, target, caller, now);
  if (path[1] == "review" && path.size() == 2) return review_request(view, request, caller, now);
  if (path[1] == "media") return media_request(view, request, target, caller, now);
  if (path[1] == "wipes") return wipe_request(view, request, target, caller, now);
  if (path[1] == "people") return people_request(view, request, target, caller, now);
  if (request.method != "GET" || path.size() != 2) throw Error(ErrorCode::usage, "there is no such request");
  Json jobs = Json::array();
  for (const config::Job& job : view.jobs) jobs.push_back(json_of(view, job, now));
  if (path[1] == "jobs") return jobs;
  if (path[1] == "status") {
    const auto free = free_bytes(view.storage);
    return {{"version", QCBAK_VERSION},
            {"started", format_time(view.started)},
            {"repository", view.config.repository.location},
            {"configuration", view.config.file},
            {"jobs", std::move(jobs)},
            {"free_bytes", free ? Json(*free) : Json(nullptr)},
            {"full_in_days", view.telling.days_left() ? Json(*view.telling.days_left()) : Json(nullptr)},
            {"alerts", alerts(view)},
            {"messages", messages(view)},
            {"syslog", syslog(view)}};
  }
  throw Error(ErrorCode::usage, "there is no such request");
}

// Prometheus' text format, version 0.0.4.
class Metrics {
 public:
  void begin(const char* name, const char* type, const char* help) {
    name_ = name;
    text_ += std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
  }
  // Names of jobs need no escapes.
  void add(const std::string& job, double value) {
    char number[32];
    const auto [end, error] = std::to_chars(number, number + sizeof number, value);
    check(error == std::errc(), "every double fits");
    text_ += name_ + (job.empty() ? "" : "{job=\"" + job + "\"}") + " " + std::string(number, end) + "\n";
  }
  const std::string& text() const { return text_; }

 private:
  std::string name_;
  std::string text_;
};

constexpr double kNsInSecond = 1e9;
double seconds(Time time) { return static_cast<double>(time.ns) / kNsInSecond; }

std::string metrics(const ApiView& view, Time now) {
  Metrics metrics;
  metrics.begin("qcbak_started_seconds", "gauge", "When the daemon started, since 1970.");
  metrics.add("", seconds(view.started));
  if (const auto free = free_bytes(view.storage)) {
    metrics.begin("qcbak_repository_free_bytes", "gauge", "Bytes left on the medium of the repository.");
    metrics.add("", static_cast<double>(*free));
  }
  metrics.begin("qcbak_connections", "gauge", "Connections to the socket.");
  metrics.add("", static_cast<double>(view.connections));
  metrics.begin("qcbak_sessions", "gauge", "People who are logged in over the network.");
  metrics.add("", static_cast<double>(view.admission.sessions()));
  metrics.begin("qcbak_alerts", "gauge", "What needs somebody's attention, as in qcbak status.");
  metrics.add("", static_cast<double>(view.telling.alerts().size()));
  metrics.begin("qcbak_messages_waiting", "gauge", "Messages for people that are yet to be sent.");
  double waiting = 0;
  for (const ChannelState& channel : view.telling.channels()) waiting += static_cast<double>(channel.waiting);
  metrics.add("", waiting);
  if (const auto syslog = view.telling.syslog()) {
    metrics.begin("qcbak_syslog_behind", "gauge", "Entries of the log that the collector does not have yet.");
    metrics.add("", static_cast<double>(syslog->progress.behind));
  }
  const auto each_job = [&](const char* name, const char* help, auto value_of) {
    metrics.begin(name, "gauge", help);
    for (const config::Job& job : view.jobs)
      if (const std::optional<double> value = value_of(job)) metrics.add(job.name, *value);
  };
  each_job("qcbak_job_running", "Whether a run of the job is in work.",
           [&](const config::Job& job) { return std::optional(view.scheduler.running(job.name) ? 1.0 : 0.0); });
  each_job("qcbak_job_last_success_seconds", "End of the last run that succeeded, since 1970.", [&](const config::Job& job) {
    const auto run = view.state.last_success(job.name);
    return run && run->ended ? std::optional(seconds(*run->ended)) : std::nullopt;
  });
  each_job("qcbak_job_last_failed", "Whether the last run that ended failed.", [&](const config::Job& job) -> std::optional<double> {
    const auto runs = view.state.history(job.name, 2);
    for (const Run& run : runs)
      if (run.outcome) return *run.outcome == Outcome::failed ? 1.0 : 0.0;
    return std::nullopt;
  });
  each_job("qcbak_job_last_findings", "Whether the last success could not back up everything.", [&](const config::Job& job) {
    const auto run = view.state.last_success(job.name);
    return run ? std::optional(*run->outcome == Outcome::incomplete ? 1.0 : 0.0) : std::nullopt;
  });
  each_job("qcbak_job_overdue", "Whether the schedule asked for a run and none has succeeded since.",
           [&](const config::Job& job) { return std::optional(is_overdue(view.state, job, now) ? 1.0 : 0.0); });
  each_job("qcbak_job_next_seconds", "When the schedule asks for the next run, since 1970.", [&](const config::Job& job) {
    const auto next = view.scheduler.next_slot(job.name, now);
    return next ? std::optional(seconds(*next)) : std::nullopt;
  });
  return metrics.text();
}

}  // namespace

void require_admitted(Register& people, const Caller& caller) {
  if (caller.roles.empty())
    throw Error(ErrorCode::refused, "user " + caller.name + " has no role here")
        .with_hint("ask an administrator, who gives roles in the configuration");
  if (const auto person = people.person(caller.name); person && person->locked)
    throw Error(ErrorCode::refused, "user " + caller.name + " is locked")
        .with_hint("an administrator unlocks: qcbak user unlock " + caller.name);
}

Reply metrics_reply(const ApiView& view, Time now) {
  return {200, metrics(view, now), "text/plain; version=0.0.4"};
}

Reply answer(const ApiView& view, const Request& request, const Caller& caller, Time now) {
  try {
    require_admitted(view.people_and_plans, caller);
    if (request.method == "GET" && request.target == "/metrics") return metrics_reply(view, now);
    return json_reply(result_of(view, request, caller, now));
  } catch (const Error& error) {
    return error_reply(error, view.audit, what_was_asked(request), caller);
  }
}

}  // namespace qcbak::daemon
