#include "daemon/api.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"
#include "daemon/message_log.h"
#include "daemon/people_requests.h"
#include "daemon/plan_requests.h"
#include "daemon/request_target.h"

namespace qcbak::daemon {
namespace {

using config::UserRole;
using Json = nlohmann::json;

constexpr const char* kJson = "application/json";
constexpr std::int64_t kHistoryLimit = 1000;
constexpr std::int64_t kHistoryUnlessAsked = 20;
constexpr std::int64_t kOverdueAfter_ns = 3'600'000'000'000;
constexpr std::uint64_t kLowSpaceBytes = 1U << 30;

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

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

// A slot that came without a run that did what it asked for, so long ago that it cannot be a matter of waiting.
bool is_overdue(const ApiView& view, const config::Job& job, Time now) {
  if (!job.schedule) return false;
  const auto success = view.state.last_success(job.name);
  const auto known_since = success ? std::optional(success->started) : view.state.first_known(job.name);
  if (!known_since) return false;
  const auto slot = job.schedule->next(*known_since);
  return slot && slot->ns + job.random_delay_ns + kOverdueAfter_ns < now.ns;
}

std::optional<std::uint64_t> free_bytes(const ApiView& view) {
  try {
    return view.storage.free_bytes();
  } catch (const Error&) {
    return std::nullopt;
  }
}

Json alerts(const ApiView& view, Time now) {
  Json alerts = Json::array();
  if (const auto free = free_bytes(view); free && *free < kLowSpaceBytes)
    alerts.push_back({{"job", nullptr}, {"what", "the repository's medium has only " + std::to_string(*free >> 20) + " MiB left"}});
  if (!view.people_and_plans.in_force() && view.held.empty() && !view.config.jobs.empty())
    alerts.push_back({{"job", nullptr}, {"what", "no plan has been approved yet; next: qcbak plan submit"}});
  for (const config::Job& job : view.jobs) {
    const auto last = view.state.last(job.name);
    const auto alert = [&](const std::string& what) { alerts.push_back({{"job", job.name}, {"what", what}}); };
    if (last && last->outcome == Outcome::failed) alert("the last run failed: " + last->error);
    if (last && last->outcome == Outcome::incomplete) alert("the last run could not back up everything");
    if (const auto held = view.held.find(job.name); held != view.held.end()) alert("it is held: " + held->second);
    if (is_overdue(view, job, now)) alert("it is overdue: no run has succeeded since its schedule asked for one");
    if (view.incompletely_watched.contains(job.name) && !job.schedule)
      alert("not everything can be watched for changes (fs.inotify.max_user_watches, or what the daemon's user may read): give it a schedule");
  }
  return alerts;
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
  if (caller.roles.empty())
    throw Error(ErrorCode::refused, "user " + caller.name + " has no role here")
        .with_hint("ask an administrator, who gives roles in the configuration");
  if (const auto person = view.people_and_plans.person(caller.name); person && person->locked)
    throw Error(ErrorCode::refused, "user " + caller.name + " is locked").with_hint("an administrator unlocks: qcbak user unlock " + caller.name);
  const RequestTarget target = parse_target(request.target);
  const std::vector<std::string>& path = target.path;
  if (path.size() < 2 || path[0] != "v1") throw Error(ErrorCode::usage, "there is no such request");
  if (path[1] == "jobs" && path.size() >= 3) return job_request(view, request, target, caller, now);
  if (path[1] == "runs" && path.size() >= 3) return run_request(view, request, target, caller);
  if (path[1] == "plans") return plan_request(view, request, target, caller, now);
  if (path[1] == "people") return people_request(view, request, target, caller, now);
  if (request.method != "GET" || path.size() != 2) throw Error(ErrorCode::usage, "there is no such request");
  Json jobs = Json::array();
  for (const config::Job& job : view.jobs) jobs.push_back(json_of(view, job, now));
  if (path[1] == "jobs") return jobs;
  if (path[1] == "status") {
    const auto free = free_bytes(view);
    return {{"version", QCBAK_VERSION},
            {"started", format_time(view.started)},
            {"repository", view.config.repository.location},
            {"configuration", view.config.file},
            {"jobs", std::move(jobs)},
            {"free_bytes", free ? Json(*free) : Json(nullptr)},
            {"alerts", alerts(view, now)}};
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
  if (const auto free = free_bytes(view)) {
    metrics.begin("qcbak_repository_free_bytes", "gauge", "Bytes left on the medium of the repository.");
    metrics.add("", static_cast<double>(*free));
  }
  metrics.begin("qcbak_connections", "gauge", "Connections to the socket.");
  metrics.add("", static_cast<double>(view.connections));
  metrics.begin("qcbak_alerts", "gauge", "What needs somebody's attention, as in qcbak status.");
  metrics.add("", static_cast<double>(alerts(view, now).size()));
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
           [&](const config::Job& job) { return std::optional(is_overdue(view, job, now) ? 1.0 : 0.0); });
  each_job("qcbak_job_next_seconds", "When the schedule asks for the next run, since 1970.", [&](const config::Job& job) {
    const auto next = view.scheduler.next_slot(job.name, now);
    return next ? std::optional(seconds(*next)) : std::nullopt;
  });
  return metrics.text();
}

int status_for(ErrorCode code) {
  switch (code) {
    case ErrorCode::usage: return 400;
    case ErrorCode::refused: return 403;
    case ErrorCode::not_found: return 404;
    case ErrorCode::busy: return 409;
    default: return 500;
  }
}

}  // namespace

Reply answer(const ApiView& view, const Request& request, const Caller& caller, Time now) {
  try {
    if (request.method == "GET" && request.target == "/metrics" && !caller.roles.empty())
      return {200, metrics(view, now), "text/plain; version=0.0.4"};
    return {200, text_of(result_of(view, request, caller, now)), kJson};
  } catch (const Error& error) {
    if (error.code() == ErrorCode::refused) {
      const std::string what = request.method + " " + request.target;
      say(Level::warning, "refused: " + what + ": " + error.what());
      try {
        view.audit.request_refused(what, caller, error.what());
      } catch (const Error& unwritten) {
        say(Level::error, unwritten.what());
      }
    }
    return {status_for(error.code()), text_of({{"error",
                                                {{"code", error_row(error.code()).name},
                                                 {"message", error.what()},
                                                 {"hint", error.hint()}}}}),
            kJson};
  }
}

}  // namespace qcbak::daemon
