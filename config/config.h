// What the configuration file says, checked: /etc/qcbak/qcbak.toml. The table of all options is in options.cc; the manual
// and `qcbak config show` follow from it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/calendar.h"
#include "config/window.h"
#include "config/endpoint.h"

namespace qcbak::config {

enum class DaemonRole { primary, replica };
enum class UserRole { administrator, operating, asset_officer, key_custodian, approver, auditor };
std::string_view name_of(UserRole role);  // "asset-officer"

struct Daemon {
  std::string state_dir;  // absolute
  std::string socket;
  DaemonRole role = DaemonRole::primary;
  std::optional<Calendar> collect;  // none: never
  std::optional<Calendar> state_backup, log_backup;
};

struct Repository {
  std::string location;
  std::string credential;     // the name of a systemd credential, or the path of a credential file
  std::string password_file;  // one of the two is given
};

// How people approve. docs/people.md
struct Approval {
  bool signatures_required = true;  // also of those who have no key
  bool wait_for_first_plan = false;
  std::string combined_roles;  // why somebody may have two of operator, key custodian and approver; empty: nobody may
};

struct FilesSource {
  std::vector<std::string> paths;  // absolute
  std::vector<std::string> exclude;
  bool one_file_system = false;
};

struct Retention {
  std::optional<std::int64_t> last, daily, weekly, monthly, yearly;
  std::optional<std::int64_t> within_ns, lock_ns;
};

struct Job {
  std::string name;
  FilesSource source;
  std::vector<std::pair<std::string, std::string>> labels;  // ascending
  std::string domain;
  std::optional<Calendar> schedule;  // none: only on change, or by hand
  bool on_change = false;
  std::int64_t debounce_ns = 0;      // of quiet after a change, before a run
  std::int64_t random_delay_ns = 0;  // up to so much after the scheduled time
  Windows windows;                          // in which it may start, unless somebody asks for it
  std::uint64_t read_limit_bytes_per_s = 0;  // 0: none
  std::int64_t retries = 0;
  std::int64_t retry_delay_ns = 0;  // doubled each time
  std::string before, after;        // commands, for sh -c
  std::int64_t command_limit_ns = 0;
  Retention retention;
};

// What somebody can be told of.
enum class AlertKind { failure, incomplete, missed, unwatched, plan, space, clock, login, review, undelivered };
inline constexpr std::size_t kAlertKinds = 10;
std::string_view name_of(AlertKind kind);  // "failure"

enum class Language { english, vietnamese };

// One way to tell people: mail, or a webhook.
struct Notify {
  std::string name;                 // of the channel, made of where it goes: "it@example.gov.vn via smtps://mail.example.gov.vn"
  std::vector<std::string> emails;  // empty: a webhook
  Endpoint smtp;                    // smtps: TLS from the start; smtp: STARTTLS; smtp+plain: neither, loopback alone
  std::string from;                 // empty: qcbak@ and the host's name
  std::string user, password;       // password: the name of a systemd credential, or a path
  std::string webhook;              // https, or http to loopback
  std::string webhook_secret;       // as password; empty: not signed
  std::set<AlertKind> on;
  std::optional<Calendar> digest;  // none: never
  std::string ca_file;             // empty: the system's
  Language language = Language::english;
};

struct Audit {
  std::int64_t keep_ns = 0;
  std::string syslog;  // as the file names it; empty: not forwarded
  Endpoint collector;  // udp, tcp or tls
  std::string syslog_ca_file;
};

// Where people log in over TLS. docs/daemon.md "Over TLS"
struct Serve {
  std::string listen;  // as the file names it; empty: nowhere
  Endpoint address;    // no scheme; the port is never 0
  std::string certificate, key, metrics_token;  // each the name of a systemd credential, or a path; the last may be empty: no metrics
};

// One effective value and where it comes from.
struct Setting {
  std::string path;   // job.etc.schedule
  std::string value;  // as TOML
  int line = 0;       // 0: the default
};

struct Config {
  std::string file;
  std::string text;  // what it says, as it was read
  Daemon daemon;
  Repository repository;
  std::map<UserRole, std::vector<std::string>> roles;  // Unix users, or "@group"
  Approval approval;
  std::vector<Job> jobs;
  std::vector<Notify> notify;
  Audit audit;
  Serve serve;
  std::vector<Setting> settings;  // all of them, in the order of the manual
};

// Error(usage) "FILE:LINE: KEY: what is wrong", with the nearest name for a key that does not exist; Error(io) when the
// file cannot be read. A file is at most 1 MiB.
Config read(const std::string& path);
Config parse(std::string_view text, const std::string& file);

// Where the daemon takes what the gateway passes on: beside its own socket. Fits sockaddr_un when `serve.listen` is given.
std::string gateway_socket(const Config& config);

// For the manual: sections in their order, each with its options.
struct OptionRow {
  std::string_view section, name, type, fallback, help;
};
std::vector<OptionRow> option_table();

}  // namespace qcbak::config
