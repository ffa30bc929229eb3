#include "config/config.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/bytes.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "config/options.h"

namespace qcbak::config {
namespace {

constexpr std::size_t kFileLimit = 1U << 20;
constexpr std::size_t kJobsLimit = 1000;
constexpr std::size_t kNotifyLimit = 100;

// How often, where a job says how important its data are and not when.
struct Importance {
  std::string_view name, schedule;
};
constexpr std::array<Importance, 4> kImportance = {
    {{"critical", "hourly"}, {"high", "daily"}, {"normal", "weekly"}, {"low", "monthly"}}};

void schedule_by_importance(Job& job, const toml::node& node, const std::string& path, Reading& reading) {
  std::string importance = "normal";
  for (const auto& [key, value] : job.labels)
    if (key == "importance") importance = value;
  const auto row = std::find_if(kImportance.begin(), kImportance.end(),
                                [&](const Importance& each) { return each.name == importance; });
  if (row == kImportance.end())
    fail_at(reading, node, path + ".labels.importance", "it is \"" + printable(importance) + "\"",
            "it is one of \"critical\", \"high\", \"normal\" and \"low\"");
  if (node.as_table()->contains("schedule")) return;
  job.schedule = Calendar::parse(row->schedule);
  reading.settings.push_back({path + ".schedule", "\"" + std::string(row->schedule) + "\""});
}

Job read_job(const toml::node& node, std::size_t number, Reading& reading) {
  const std::string unnamed = "job[" + std::to_string(number) + "]";
  const toml::table* table = node.as_table();
  if (table == nullptr) fail_at(reading, node, unnamed, "it is not a table");
  const auto name = (*table)["name"].value_exact<std::string>();
  const std::string path = name ? "job." + *name : unnamed;
  Job job;
  read_section(*table, path, job_options(), job, reading);
  schedule_by_importance(job, node, path, reading);
  return job;
}

// Passwords are not sent to a place where nothing is logged in to, and a table tells in one way.
void check_notify(const Notify& notify, const toml::node& node, const std::string& path, const Reading& reading) {
  const auto refuse = [&](const char* why, const char* hint) { fail_at(reading, node, path, why, hint); };
  if (notify.emails.empty() == notify.webhook.empty())
    refuse(notify.webhook.empty() ? "it tells nobody" : "it tells in two ways", "give either email and smtp, or webhook; two ways are two tables");
  if (notify.emails.empty() && (!notify.smtp.host.empty() || !notify.from.empty() || !notify.user.empty()))
    refuse("smtp, from and user are for mail", "give email too, or leave them out");
  if (!notify.emails.empty() && notify.smtp.host.empty()) refuse("mail goes nowhere", "give smtp: \"smtps://mail.example.gov.vn\"");
  if (notify.user.empty() != notify.password.empty()) refuse("user and password go together", "give both, or neither");
  if (notify.webhook.empty() && !notify.webhook_secret.empty()) refuse("webhook_secret is for a webhook", "leave it out");
  for (const std::string& secret : {notify.password, notify.webhook_secret})
    if (secret.find('/') != std::string::npos && !secret.starts_with('/'))
      refuse("a password or secret is the name of a systemd credential, or an absolute path", "start it with \"/\"");
}

// Where it goes, without the rest of a webhook's address, which may be a secret.
std::string channel_name(const Notify& notify) {
  if (!notify.webhook.empty()) {
    const Endpoint endpoint = parse_endpoint(notify.webhook);
    return endpoint.scheme + "://" + endpoint.authority();
  }
  std::string name;
  for (const std::string& address : notify.emails) name += (name.empty() ? "" : ", ") + address;
  return name + " via " + notify.smtp.scheme + "://" + notify.smtp.authority();
}

std::vector<Notify> read_notify(const toml::node& node, Reading& reading) {
  const toml::array* array = node.as_array();
  if (array == nullptr) fail_at(reading, node, "notify", "ways to tell people are written as [[notify]]");
  if (array->size() > kNotifyLimit) fail_at(reading, node, "notify", "there are more than 100");
  std::vector<Notify> all;
  std::map<std::string, int> places;
  for (std::size_t i = 0; i < array->size(); ++i) {
    const toml::node& item = (*array)[i];
    const std::string path = "notify[" + std::to_string(i + 1) + "]";
    if (!item.is_table()) fail_at(reading, item, path, "it is not a table");
    Notify notify;
    read_section(*item.as_table(), path, notify_options(), notify, reading);
    check_notify(notify, item, path, reading);
    notify.name = channel_name(notify);
    const int others = places[notify.name]++;
    if (others > 0 && notify.webhook.empty()) fail_at(reading, item, path, "another table tells the same people by the same server");
    if (others > 0) notify.name += " #" + std::to_string(others + 1);
    all.push_back(std::move(notify));
  }
  return all;
}

template <class Section>
void read_named(const toml::table& root, std::string_view name, std::span<const Option<Section>> options, Section& into,
                Reading& reading) {
  static const toml::table kNone;
  const toml::node* node = root.get(name);
  if (node != nullptr && !node->is_table()) fail_at(reading, *node, std::string(name), "it is not a table");
  read_section(node != nullptr ? *node->as_table() : kNone, std::string(name), options, into, reading);
}

void check_gateway_socket(const Config& config, const toml::node& serve, const Reading& reading) {
  const std::string path = gateway_socket(config);
  if (path.size() > kSocketPathLimit)
    fail_at(reading, serve, "serve", "the path of the gateway's socket, " + printable(path) + ", is longer than 107 bytes",
            "choose a shorter one for daemon.socket, which it lies beside");
  if (path == config.daemon.socket)
    fail_at(reading, serve, "serve", printable(path) + " is the gateway's socket", "give daemon.socket another name");
}

}  // namespace

std::string_view name_of(UserRole role) {
  switch (role) {
    case UserRole::administrator: return "administrator";
    case UserRole::operating: return "operator";
    case UserRole::asset_officer: return "asset-officer";
    case UserRole::key_custodian: return "key-custodian";
    case UserRole::approver: return "approver";
    case UserRole::auditor: return "auditor";
  }
  return "";
}

std::string_view name_of(AlertKind kind) {
  switch (kind) {
    case AlertKind::failure: return "failure";
    case AlertKind::incomplete: return "incomplete";
    case AlertKind::missed: return "missed";
    case AlertKind::unwatched: return "unwatched";
    case AlertKind::plan: return "plan";
    case AlertKind::space: return "space";
    case AlertKind::clock: return "clock";
    case AlertKind::login: return "login";
    case AlertKind::review: return "review";
    case AlertKind::undelivered: return "undelivered";
  }
  return "";
}

Config parse(std::string_view text, const std::string& file) {
  Reading reading{file, {}};
  toml::table root;
  try {
    root = toml::parse(text, file);
  } catch (const toml::parse_error& error) {
    throw Error(ErrorCode::usage, printable(file) + ":" + std::to_string(error.source().begin.line) + ": " +
                                      std::string(error.description()))
        .with_hint("the file is TOML; see qcbak.toml(5)");
  }
  refuse_unknown(root, "", {"daemon", "repository", "roles", "approval", "job", "notify", "audit", "serve"}, reading);
  Config config;
  config.file = file;
  config.text = text;
  read_named(root, "daemon", daemon_options(), config.daemon, reading);
  read_named(root, "repository", repository_options(), config.repository, reading);
  if (config.repository.credential.empty() == config.repository.password_file.empty())
    fail_at(reading, *root.get("repository"), "repository",
            config.repository.credential.empty() ? "nothing opens it" : "two things open it",
            "give either credential or password_file");
  read_named(root, "roles", roles_options(), config.roles, reading);
  read_named(root, "approval", approval_options(), config.approval, reading);
  if (const toml::node* jobs = root.get("job")) {
    const toml::array* array = jobs->as_array();
    if (array == nullptr) fail_at(reading, *jobs, "job", "jobs are written as [[job]]");
    if (array->size() > kJobsLimit) fail_at(reading, *jobs, "job", "there are more than 1000");
    std::set<std::string> names;
    for (std::size_t i = 0; i < array->size(); ++i) {
      Job job = read_job((*array)[i], i + 1, reading);
      if (!names.insert(job.name).second) fail_at(reading, (*array)[i], "job." + job.name, "there are two jobs of this name");
      config.jobs.push_back(std::move(job));
    }
  }
  if (const toml::node* notify = root.get("notify")) config.notify = read_notify(*notify, reading);
  read_named(root, "audit", audit_options(), config.audit, reading);
  read_named(root, "serve", serve_options(), config.serve, reading);
  if (!config.serve.listen.empty()) check_gateway_socket(config, *root.get("serve"), reading);
  config.settings = std::move(reading.settings);
  return config;
}

std::string gateway_socket(const Config& config) {
  return config.daemon.socket.substr(0, config.daemon.socket.rfind('/')) + "/gateway.sock";
}

Config read(const std::string& path) {
  const Bytes text = read_file(path, kFileLimit);
  return parse(as_text(text), path);
}

}  // namespace qcbak::config
