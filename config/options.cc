#include "config/options.h"

#include <algorithm>

#include "base/error.h"

namespace qcbak::config {
namespace {

using Presence = Option<Job>::Presence;

constexpr std::size_t kNameLimit = 64;
constexpr std::int64_t kDay_ns = 86'400'000'000'000;

// Of a job: it becomes part of file names, messages and metrics.
std::string name_from(const Value& value) {
  std::string name = value.text();
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
  if (name.starts_with("qcbak.")) value.fail("names that start with \"qcbak.\" are the daemon's own");
  if (!plain || name.front() == '.' || name.front() == '-' || name.size() > kNameLimit)
    value.fail("a name is made of letters, digits, \"-\", \"_\" and \".\", 64 at most");
  return name;
}

std::vector<std::string> absolute_paths(const Value& value) {
  std::vector<std::string> paths = value.texts();
  for (std::string& path : paths) {
    if (!path.starts_with('/')) value.fail("\"" + path + "\" is not an absolute path");
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  }
  if (paths.empty()) value.fail("it names nothing");
  return paths;
}

std::int64_t duration_from(const Value& value, std::int64_t least_ns, std::int64_t most_ns, const char* bounds) {
  const std::int64_t duration = value.duration_ns();
  if (duration < least_ns || duration > most_ns) value.fail(std::string("it must be ") + bounds);
  return duration;
}

constexpr Option<FilesSource> kFilesOptions[] = {
    {"files", "paths", "", "files and directories to back up", [](FilesSource& s, const Value& v) { s.paths = absolute_paths(v); },
     Option<FilesSource>::Presence::required},
    {"exclude", "patterns", "[]", "what to leave out, as with --exclude", [](FilesSource& s, const Value& v) { s.exclude = v.texts(); }},
    {"one_file_system", "true or false", "false", "stay on the file systems of the paths given",
     [](FilesSource& s, const Value& v) { s.one_file_system = v.boolean(); }},
};

constexpr std::int64_t kMostKept = 1'000'000;
constexpr Option<Retention> kRetentionOptions[] = {
    {"last", "number", "", "keep so many of the newest", [](Retention& r, const Value& v) { r.last = v.integer(1, kMostKept); }},
    {"within", "time", "", "keep all that are at most so old", [](Retention& r, const Value& v) { r.within_ns = v.duration_ns(); }},
    {"daily", "number", "", "keep one of each of so many days", [](Retention& r, const Value& v) { r.daily = v.integer(1, kMostKept); }},
    {"weekly", "number", "", "keep one of each of so many weeks", [](Retention& r, const Value& v) { r.weekly = v.integer(1, kMostKept); }},
    {"monthly", "number", "", "keep one of each of so many months", [](Retention& r, const Value& v) { r.monthly = v.integer(1, kMostKept); }},
    {"yearly", "number", "", "keep one of each of so many years", [](Retention& r, const Value& v) { r.yearly = v.integer(1, kMostKept); }},
    {"lock", "time", "", "nobody forgets a snapshot before it is so old", [](Retention& r, const Value& v) { r.lock_ns = v.duration_ns(); }},
};

constexpr Option<Daemon> kDaemonOptions[] = {
    {"state_dir", "path", "\"/var/lib/qcbak\"", "the state database, the cache, the audit log",
     [](Daemon& d, const Value& v) { d.state_dir = v.absolute_path(); }},
    {"socket", "path", "\"/run/qcbak/qcbak.sock\"", "where commands reach the daemon",
     [](Daemon& d, const Value& v) {
       d.socket = v.absolute_path();
       if (d.socket.size() > kSocketPathLimit) v.fail("the path of a socket is at most 107 bytes long");
     }},
    {"role", "\"primary\" or \"replica\"", "\"primary\"", "whether this is the first or the second site",
     [](Daemon& d, const Value& v) {
       const std::string role = v.text();
       if (role == "primary") d.role = DaemonRole::primary;
       else if (role == "replica") d.role = DaemonRole::replica;
       else v.fail("it is neither \"primary\" nor \"replica\"");
     }},
    {"collect", "calendar", "\"*-*-* 04:00\"", "when the space of what was forgotten is freed; \"never\": by hand",
     [](Daemon& d, const Value& v) {
       if (v.text() != "never") d.collect = v.calendar();
     }},
    {"state_backup", "calendar", "\"*-*-* 03:30\"", "when the state database and this file are backed up",
     [](Daemon& d, const Value& v) { d.state_backup = v.calendar(); }},
    {"log_backup", "calendar", "\"*-*-01 03:00\"", "when the repository's log is backed up",
     [](Daemon& d, const Value& v) { d.log_backup = v.calendar(); }},
};

constexpr Option<Repository> kRepositoryOptions[] = {
    {"location", "path", "", "where the repository is", [](Repository& r, const Value& v) { r.location = v.absolute_path(); },
     Option<Repository>::Presence::required},
    {"credential", "name or path", "", "the write credential: the name of a systemd credential, or an absolute path",
     [](Repository& r, const Value& v) { r.credential = v.text(); }},
    {"password_file", "path", "", "instead of a credential: the file that holds the password",
     [](Repository& r, const Value& v) { r.password_file = v.absolute_path(); }},
};

template <UserRole role>
void set_role(Roles& roles, const Value& value) {
  roles[role] = value.texts();
}
constexpr Option<Roles> kRolesOptions[] = {
    {"administrator", "users", "[\"root\"]", "who configures: Unix users, or \"@group\"", set_role<UserRole::administrator>},
    {"operator", "users", "[\"@qcbak-operator\"]", "who runs jobs and restores", set_role<UserRole::operating>},
    {"asset-officer", "users", "[\"@qcbak-asset\"]", "who sanitises media", set_role<UserRole::asset_officer>},
    {"key-custodian", "users", "[\"@qcbak-key\"]", "who holds keys", set_role<UserRole::key_custodian>},
    {"approver", "users", "[\"@qcbak-approver\"]", "who approves plans and wiping", set_role<UserRole::approver>},
    {"auditor", "users", "[\"@qcbak-auditor\"]", "who reads everything but content", set_role<UserRole::auditor>},
};

Windows windows_from(const Value& value) {
  Windows windows;
  for (const std::string& text : value.text_or_texts()) {
    try {
      windows.add(text);
    } catch (const Error& error) {
      value.fail(error.what());
    }
  }
  return windows;
}

// One of two words: is it the second?
bool is_second(const Value& value, std::string_view first, std::string_view second) {
  const std::string text = value.text();
  if (text != first && text != second)
    value.fail("it is neither \"" + std::string(first) + "\" nor \"" + std::string(second) + "\"");
  return text == second;
}

constexpr Option<Approval> kApprovalOptions[] = {
    {"signatures", "\"required\" or \"optional\"", "\"required\"", "whether people who have no key of their own may approve",
     [](Approval& a, const Value& v) { a.signatures_required = !is_second(v, "required", "optional"); }},
    {"before_first_plan", "\"run\" or \"wait\"", "\"run\"", "what jobs do before a plan was ever approved",
     [](Approval& a, const Value& v) { a.wait_for_first_plan = is_second(v, "run", "wait"); }},
    {"combined_roles", "text", "", "why somebody may have two of operator, key-custodian and approver; without it nobody may",
     [](Approval& a, const Value& v) { a.combined_roles = v.text(); }},
};

constexpr Option<Job> kJobOptions[] = {
    {"name", "name", "", "the job's name, once in the file", [](Job& j, const Value& v) { j.name = name_from(v); }, Presence::required},
    {"source", "table", "", "what is backed up",
     [](Job& j, const Value& v) { read_section<FilesSource>(v.table(), v.path(), kFilesOptions, j.source, v.reading()); },
     Presence::required},
    {"labels", "table", "", "labels of its snapshots; importance (critical, high, normal, low) sets the schedule where none is given",
     [](Job& j, const Value& v) { j.labels = v.labels(); }},
    {"domain", "name", "\"default\"", "the domain of the repository it goes to", [](Job& j, const Value& v) { j.domain = v.text(); }},
    {"schedule", "calendar", "", "when it runs, as in systemd.time(7); \"never\": only on change or by hand",
     [](Job& j, const Value& v) {
       if (v.text() != "never") j.schedule = v.calendar();
     }},
    {"on_change", "true or false", "false", "run when something changed", [](Job& j, const Value& v) { j.on_change = v.boolean(); }},
    {"debounce", "time", "\"5s\"", "how long it must be quiet after a change",
     [](Job& j, const Value& v) { j.debounce_ns = duration_from(v, 0, kDay_ns, "at most a day"); }},
    {"random_delay", "time", "\"0s\"", "start at most so much later than scheduled, so that not all start at once",
     [](Job& j, const Value& v) { j.random_delay_ns = duration_from(v, 0, 7 * kDay_ns, "at most a week"); }},
    {"window", "times", "[]", "when it may start, unless somebody asks for it: \"22:00..05:00\", or several of these",
     [](Job& j, const Value& v) { j.windows = windows_from(v); }},
    {"read_limit", "rate", "", "read at most so much: \"20MiB/s\"",
     [](Job& j, const Value& v) { j.read_limit_bytes_per_s = v.rate_bytes_per_s(); }},
    {"retries", "number", "3", "how often a run that failed is tried again", [](Job& j, const Value& v) { j.retries = v.integer(0, 100); }},
    {"retry_delay", "time", "\"1min\"", "before the first of these; twice as long before each further one",
     [](Job& j, const Value& v) { j.retry_delay_ns = duration_from(v, 0, kDay_ns, "at most a day"); }},
    {"before", "command", "", "for sh -c, before the run; when it fails, so does the run", [](Job& j, const Value& v) { j.before = v.text(); }},
    {"after", "command", "", "for sh -c, after the run, whatever came of it", [](Job& j, const Value& v) { j.after = v.text(); }},
    {"command_limit", "time", "\"10min\"", "how long these commands may take",
     [](Job& j, const Value& v) { j.command_limit_ns = duration_from(v, 1'000'000'000, 7 * kDay_ns, "from a second to a week"); }},
    {"retention", "table", "", "which snapshots are kept; without it, all",
     [](Job& j, const Value& v) { read_section<Retention>(v.table(), v.path(), kRetentionOptions, j.retention, v.reading()); }},
};

AlertKind alert_kind_from(const Value& value, const std::string& name) {
  std::string known;
  for (std::size_t i = 0; i < kAlertKinds; ++i) {
    const auto kind = static_cast<AlertKind>(i);
    if (name_of(kind) == name) return kind;
    known += (i == 0 ? "" : ", ") + std::string(name_of(kind));
  }
  value.fail("\"" + name + "\" is none of " + known);
}

void set_mail_addresses(Notify& notify, const Value& value) {
  notify.emails = value.text_or_texts();
  constexpr std::size_t kAddressesLimit = 100;
  if (notify.emails.empty() || notify.emails.size() > kAddressesLimit) value.fail("it names from 1 to 100 addresses");
  for (const std::string& address : notify.emails) value.mail_address(address);
}

Endpoint only_loopback_is(const Value& value, std::string_view open_scheme, const Endpoint& endpoint) {
  if (endpoint.scheme == open_scheme && !endpoint.is_loopback())
    value.fail(std::string(open_scheme) + ":// is for this machine alone: what leaves it is encrypted");
  return endpoint;
}

constexpr Option<Notify> kNotifyOptions[] = {
    {"email", "addresses", "", "who gets mail: an address, or a list of them; needs smtp", set_mail_addresses},
    {"smtp", "server", "", "smtps://HOST[:PORT] (TLS) or smtp://HOST[:PORT] (STARTTLS, never without); smtp+plain:// to this machine alone",
     [](Notify& n, const Value& v) {
       n.smtp = only_loopback_is(v, "smtp+plain", v.endpoint({"smtps", "smtp", "smtp+plain"}));
       if (!n.smtp.path.empty()) v.fail("nothing is behind the host and the port");
     }},
    {"from", "address", "", "the sender; without it qcbak@ and the name of the host",
     [](Notify& n, const Value& v) { v.mail_address(n.from = v.text()); }},
    {"user", "name", "", "who logs in at the mail server; needs password", [](Notify& n, const Value& v) { n.user = v.text(); }},
    {"password", "name or path", "", "the user's: the name of a systemd credential, or an absolute path",
     [](Notify& n, const Value& v) { n.password = v.text(); }},
    {"webhook", "URL", "", "instead of mail: JSON is posted there; https://, and http:// to this machine alone",
     [](Notify& n, const Value& v) {
       only_loopback_is(v, "http", v.endpoint({"https", "http"}));
       n.webhook = v.text();
     }},
    {"webhook_secret", "name or path", "", "the key of X-Qcbak-Signature: the name of a systemd credential, or an absolute path",
     [](Notify& n, const Value& v) { n.webhook_secret = v.text(); }},
    {"on", "kinds", "[\"failure\", \"incomplete\", \"missed\", \"unwatched\", \"plan\", \"space\", \"clock\", \"login\", \"review\", \"undelivered\"]",
     "which alerts are told as they appear and go",
     [](Notify& n, const Value& v) {
       for (const std::string& name : v.texts()) n.on.insert(alert_kind_from(v, name));
     }},
    {"digest", "calendar", "\"*-*-* 07:00\"", "when a summary of all jobs and alerts is sent; \"never\": none",
     [](Notify& n, const Value& v) {
       if (v.text() != "never") n.digest = v.calendar();
     }},
    {"ca_file", "path", "", "certificates (PEM) that vouch for the server, instead of the system's",
     [](Notify& n, const Value& v) { n.ca_file = v.absolute_path(); }},
    {"language", "\"en\" or \"vi\"", "\"en\"", "of the mail",
     [](Notify& n, const Value& v) {
       const std::string language = v.text();
       if (language != "en" && language != "vi") v.fail("it is neither \"en\" nor \"vi\"");
       n.language = language == "vi" ? Language::vietnamese : Language::english;
     }},
};

constexpr std::int64_t kSixMonths = 183;
constexpr Option<Audit> kAuditOptions[] = {
    {"keep", "time", "\"24months\"", "how long the log is kept at least, 183 days or more; it is never shortened, so this always holds",
     [](Audit& a, const Value& v) {
       a.keep_ns = v.duration_ns();
       if (a.keep_ns < kSixMonths * kDay_ns) v.fail("the log is kept six months (183 days) at least");
     }},
    {"syslog", "server", "", "where the log's entries are forwarded to, as RFC 5424: udp://, tcp:// or tls://HOST[:PORT]",
     [](Audit& a, const Value& v) {
       a.collector = v.endpoint({"udp", "tcp", "tls"});
       if (!a.collector.path.empty()) v.fail("nothing is behind the host and the port");
       a.syslog = v.text();
     }},
    {"syslog_ca_file", "path", "", "certificates (PEM) that vouch for that server, instead of the system's",
     [](Audit& a, const Value& v) { a.syslog_ca_file = v.absolute_path(); }},
};

std::string credential_from(const Value& value) {
  std::string name = value.text();
  if (name.find('/') != name.npos && !name.starts_with('/'))
    value.fail("it is the name of a systemd credential, or an absolute path, which starts with \"/\"");
  return name;
}

constexpr Option<Serve> kServeOptions[] = {
    {"listen", "HOST:PORT", "", "where people log in over TLS; without it nowhere; an IPv6 address in brackets: \"[fd00::5]:7421\"",
     [](Serve& s, const Value& v) {
       s.address = v.host_and_port();
       s.listen = v.text();
     }},
    {"certificate", "name or path", "\"serve.certificate\"",
     "what is shown to them (PEM), with those that vouch for it behind it: the name of a systemd credential, or an absolute path",
     [](Serve& s, const Value& v) { s.certificate = credential_from(v); }},
    {"key", "name or path", "\"serve.key\"", "the certificate's private key (PEM): the name of a systemd credential, or an absolute path",
     [](Serve& s, const Value& v) { s.key = credential_from(v); }},
    {"metrics_token", "name or path", "", "what a collector of metrics proves itself with: the name of a systemd credential, or an absolute path",
     [](Serve& s, const Value& v) { s.metrics_token = credential_from(v); }},
};

template <class Section>
void add_rows(std::vector<OptionRow>& rows, std::string_view section, std::span<const Option<Section>> options) {
  for (const Option<Section>& option : options)
    rows.push_back({section, option.name, option.type, option.fallback, option.help});
}

}  // namespace

std::span<const Option<Daemon>> daemon_options() { return kDaemonOptions; }
std::span<const Option<Repository>> repository_options() { return kRepositoryOptions; }
std::span<const Option<Roles>> roles_options() { return kRolesOptions; }
std::span<const Option<Approval>> approval_options() { return kApprovalOptions; }
std::span<const Option<Job>> job_options() { return kJobOptions; }
std::span<const Option<Notify>> notify_options() { return kNotifyOptions; }
std::span<const Option<Audit>> audit_options() { return kAuditOptions; }
std::span<const Option<Serve>> serve_options() { return kServeOptions; }

std::vector<OptionRow> option_table() {
  std::vector<OptionRow> rows;
  add_rows<Daemon>(rows, "daemon", kDaemonOptions);
  add_rows<Repository>(rows, "repository", kRepositoryOptions);
  add_rows<Roles>(rows, "roles", kRolesOptions);
  add_rows<Approval>(rows, "approval", kApprovalOptions);
  add_rows<Job>(rows, "job", kJobOptions);
  add_rows<FilesSource>(rows, "job.source", kFilesOptions);
  add_rows<Retention>(rows, "job.retention", kRetentionOptions);
  add_rows<Notify>(rows, "notify", kNotifyOptions);
  add_rows<Audit>(rows, "audit", kAuditOptions);
  add_rows<Serve>(rows, "serve", kServeOptions);
  return rows;
}

}  // namespace qcbak::config
