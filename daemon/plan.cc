#include "daemon/plan.h"

#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"

namespace qcbak::daemon {
namespace {

using Json = nlohmann::json;

constexpr const char* kFormat = "qcbak plan 1";
// How every job of files is done in this version.
constexpr const char* kFilesMethod = "each version complete; only what changed is stored";

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

struct Unit {
  std::int64_t ns;
  const char* name;
};
constexpr Unit kUnits[] = {{86'400'000'000'000, "d"},
                           {3'600'000'000'000, "h"},
                           {60'000'000'000, "min"},
                           {1'000'000'000, "s"},
                           {1'000'000, "ms"},
                           {1'000, "us"},
                           {1, "ns"}};

// As the configuration takes it, in the largest unit that fits.
std::string duration(std::int64_t ns) {
  if (ns == 0) return "0s";
  for (const Unit& unit : kUnits)
    if (ns % unit.ns == 0) return std::to_string(ns / unit.ns) + unit.name;
  return "";
}

Json terms_of(const config::Retention& retention) {
  Json json = Json::object();
  const auto count = [&](const char* name, const std::optional<std::int64_t>& value) {
    if (value) json[name] = *value;
  };
  count("last", retention.last);
  count("daily", retention.daily);
  count("weekly", retention.weekly);
  count("monthly", retention.monthly);
  count("yearly", retention.yearly);
  if (retention.within_ns) json["within"] = duration(*retention.within_ns);
  if (retention.lock_ns) json["lock"] = duration(*retention.lock_ns);
  return json;
}

Json terms_of(const config::Job& job, const config::Config& config) {
  Json labels = Json::object();
  for (const auto& [key, value] : job.labels) labels[key] = value;
  const bool whole = job.source.exclude.empty() && !job.source.one_file_system;
  return {{"source",
           {{"kind", "files"},
            {"files", job.source.paths},
            {"exclude", job.source.exclude},
            {"one_file_system", job.source.one_file_system}}},
          {"extent", whole ? "full" : "partial"},
          {"method", kFilesMethod},
          {"place", {{"repository", config.repository.location}, {"domain", job.domain}, {"copies", 1}}},
          {"time",
           {{"schedule", job.schedule ? job.schedule->text() : "never"},
            {"on_change", job.on_change},
            {"debounce", duration(job.debounce_ns)},
            {"random_delay", duration(job.random_delay_ns)},
            {"window", job.windows.texts()},
            {"read_limit", job.read_limit_bytes_per_s},
            {"retries", job.retries},
            {"retry_delay", duration(job.retry_delay_ns)}}},
          {"commands", {{"before", job.before}, {"after", job.after}, {"limit", duration(job.command_limit_ns)}}},
          {"labels", std::move(labels)},
          {"retention", terms_of(job.retention)}};
}

Json parse(std::string_view document) {
  Json json = Json::parse(document, nullptr, false);
  if (!json.is_object() || json.value("format", "") != kFormat || !json.contains("jobs") || !json["jobs"].is_object())
    throw Error(ErrorCode::damaged, "this is no plan that this version knows");
  return json;
}

// The settings of a job as flat pairs.
void flatten(const Json& json, const std::string& path, std::map<std::string, Json>& into) {
  if (!json.is_object()) {
    into.emplace(path, json);
    return;
  }
  for (const auto& [key, value] : json.items()) flatten(value, path.empty() ? key : path + "." + key, into);
}

using Settings = std::map<std::string, Json>;

Settings default_settings() {
  const config::Config config = config::parse(
      "[repository]\nlocation = '/'\npassword_file = '/'\n[[job]]\nname = 'x'\nsource = { files = ['/'] }\n",
      "defaults");
  Settings settings;
  flatten(terms_of(config.jobs.front(), config), "", settings);
  return settings;
}

std::vector<SettingChange> changed_settings(const Json& before, const Json& after) {
  static const Settings kDefaults = default_settings();
  Settings old_settings, new_settings;
  flatten(before, "", old_settings);
  flatten(after, "", new_settings);
  const auto value_in = [](const Settings& settings, const std::string& path) {
    const auto found = settings.find(path);
    return found == settings.end() ? Json(nullptr) : found->second;
  };
  Settings all = old_settings;
  all.insert(new_settings.begin(), new_settings.end());
  std::vector<SettingChange> changed;
  for (const auto& [path, value] : all) {
    const Json old_value = value_in(old_settings, path), new_value = value_in(new_settings, path);
    const bool is_new_at_its_default = !old_settings.contains(path) && value_in(kDefaults, path) == new_value;
    if (old_value != new_value && !is_new_at_its_default) changed.push_back({path, text_of(old_value), text_of(new_value)});
  }
  return changed;
}

Json without_jobs(Json plan) {
  plan.erase("jobs");
  return plan;
}

}  // namespace

std::string plan_document(const config::Config& config) {
  Json jobs = Json::object();
  for (const config::Job& job : config.jobs) jobs[job.name] = terms_of(job, config);
  Json document{{"format", kFormat}, {"jobs", std::move(jobs)}};
  if (!config.approval.combined_roles.empty()) document["combined_roles"] = config.approval.combined_roles;
  return text_of(document);
}

PlanTerms plan_terms(std::string_view document) {
  PlanTerms terms;
  const Json plan = parse(document);
  for (const auto& [name, job] : plan.at("jobs").items()) terms.emplace(name, text_of(job));
  return terms;
}

bool is_as_approved(const config::Job& job, const config::Config& config, std::string_view terms) {
  const Json approved = Json::parse(terms, nullptr, false);
  return approved.is_object() && changed_settings(approved, terms_of(job, config)).empty();
}

std::vector<PlanChange> plan_changes(std::string_view before, std::string_view after) {
  const Json old_plan = before.empty() ? Json{{"format", kFormat}, {"jobs", Json::object()}} : parse(before);
  const Json new_plan = parse(after);
  const Json& old_jobs = old_plan.at("jobs");
  const Json& new_jobs = new_plan.at("jobs");
  std::vector<PlanChange> changes;
  if (auto settings = changed_settings(without_jobs(old_plan), without_jobs(new_plan)); !settings.empty())
    changes.push_back({"", PlanChange::Kind::changed, std::move(settings)});
  std::set<std::string> names;
  for (const Json* jobs : {&old_jobs, &new_jobs})
    for (const auto& [name, job] : jobs->items()) names.insert(name);
  for (const std::string& name : names) {
    if (!old_jobs.contains(name))
      changes.push_back({name, PlanChange::Kind::added, {}});
    else if (!new_jobs.contains(name))
      changes.push_back({name, PlanChange::Kind::removed, {}});
    else if (auto settings = changed_settings(old_jobs[name], new_jobs[name]); !settings.empty())
      changes.push_back({name, PlanChange::Kind::changed, std::move(settings)});
  }
  return changes;
}

}  // namespace qcbak::daemon
