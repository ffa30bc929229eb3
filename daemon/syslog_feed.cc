#include "daemon/syslog_feed.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace qcbak::daemon {
namespace {

using repository::LogEntry;
using repository::LogKind;
using Json = nlohmann::json;

constexpr std::int64_t kHour_ns = 3'600'000'000'000;

constexpr const char* kSchema = R"(
CREATE TABLE IF NOT EXISTS syslog (
  collector        TEXT PRIMARY KEY,
  sent             INTEGER NOT NULL DEFAULT 0,
  failures         INTEGER NOT NULL DEFAULT 0,
  due_ns           INTEGER NOT NULL DEFAULT 0,
  failing_since_ns INTEGER NOT NULL DEFAULT 0,
  error            TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
)";

std::string text_at(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

SyslogSeverity severity_of(const std::string& act, const std::string& outcome) {
  if (act == "request.refused" || act == "configuration.refused" || act == "clock.jumped")
    return SyslogSeverity::warning;
  if (act == "run.ended" && outcome == "failed") return SyslogSeverity::error;
  return SyslogSeverity::notice;
}

SyslogEntry entry_from(const LogEntry& entry, const crypto::Sha256& hash) {
  SyslogEntry out;
  out.number = entry.number;
  out.time = entry.time;
  out.hash = hash.hex();
  out.message_id = repository::name_of(entry.kind());
  out.text = out.message_id;
  out.severity = entry.kind() == LogKind::key_event ? SyslogSeverity::notice : SyslogSeverity::informational;
  const auto* audit = std::get_if<repository::Audit>(&entry.event);
  if (audit == nullptr) return out;
  const Json json = Json::parse(audit->json, nullptr, false);
  if (!json.is_object()) return out;  // of a domain that is not open here
  out.message_id = text_at(json, "act");
  out.text = audit->json;
  out.severity = severity_of(out.message_id, text_at(json, "outcome"));
  return out;
}

}  // namespace

SyslogFeed::SyslogFeed(Database& database, repository::Repository& repository)
    : database_(database), repository_(repository) {
  database_.execute(kSchema);
}

SyslogFeed::Row SyslogFeed::row(const std::string& collector) {
  Statement row =
      database_.prepare("SELECT sent, failures, due_ns, failing_since_ns, error FROM syslog WHERE collector = ?");
  row.bind(collector);
  if (!row.step()) return {};
  return {static_cast<std::uint64_t>(row.integer(0)), row.integer(1), row.integer(2), row.integer(3), row.text(4)};
}

std::vector<SyslogEntry> SyslogFeed::next(const std::string& collector, Time now) {
  const Row known = row(collector);
  if (known.due_ns > now.ns && known.due_ns <= now.ns + kHour_ns) return {};
  repository_.refresh_log();
  std::vector<SyslogEntry> entries;
  std::size_t bytes = 0;
  for (std::uint64_t number = known.sent + 1;
       number <= repository_.log().head.number && entries.size() < kSyslogBatch && bytes < kSyslogBatchBytes; ++number)
    repository_.for_each_log_entry(number, number, [&](const LogEntry& entry, const crypto::Sha256& hash) {
      entries.push_back(entry_from(entry, hash));
      bytes += entries.back().text.size();
    });
  return entries;
}

void SyslogFeed::sent(const std::string& collector, std::uint64_t last) {
  database_.prepare("INSERT OR REPLACE INTO syslog (collector, sent) VALUES (?, ?)")
      .bind(collector)
      .bind(static_cast<std::int64_t>(last))
      .run();
}

void SyslogFeed::failed(const std::string& collector, const std::string& why, Time now) {
  const Row known = row(collector);
  const std::int64_t failures = known.failures + 1;
  database_.prepare("INSERT OR REPLACE INTO syslog VALUES (?, ?, ?, ?, ?, ?)")
      .bind(collector)
      .bind(static_cast<std::int64_t>(known.sent))
      .bind(failures)
      .bind(now.ns + pause_after_ns(failures))
      .bind(known.failing_since_ns != 0 ? known.failing_since_ns : now.ns)
      .bind(why)
      .run();
}

void SyslogFeed::try_again() { database_.execute("UPDATE syslog SET failures = 0, due_ns = 0"); }

SyslogFeed::Progress SyslogFeed::progress(const std::string& collector) {
  const Row known = row(collector);
  const std::uint64_t head = repository_.log().head.number;
  Progress progress{known.sent, head > known.sent ? head - known.sent : 0, {}, known.error};
  if (known.failing_since_ns != 0) progress.failing_since = Time{known.failing_since_ns};
  return progress;
}

}  // namespace qcbak::daemon
