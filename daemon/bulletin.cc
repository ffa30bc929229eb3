#include "daemon/bulletin.h"

#include <algorithm>

#include "base/error.h"
#include "daemon/schedule.h"

namespace qcbak::daemon {
namespace {

constexpr const char* kSchema = R"(
CREATE TABLE IF NOT EXISTS standing (
  key      TEXT PRIMARY KEY,
  kind     TEXT NOT NULL,
  job      TEXT NOT NULL,
  what     TEXT NOT NULL,
  since_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS digests (
  channel    TEXT PRIMARY KEY,
  handled_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)";

config::AlertKind kind_from(const std::string& name) {
  for (std::size_t i = 0; i < config::kAlertKinds; ++i)
    if (config::name_of(static_cast<config::AlertKind>(i)) == name) return static_cast<config::AlertKind>(i);
  throw Error(ErrorCode::damaged, "\"" + name + "\" is no kind of alert");
}

bool wants(const config::Notify& channel, const Alert& alert) {
  return channel.on.contains(alert.kind) && alert.key != undelivered_key(channel.name);
}

}  // namespace

Bulletin::Bulletin(Database& database, Outbox& outbox, std::string host)
    : database_(database), outbox_(outbox), host_(std::move(host)) {
  database_.execute(kSchema);
  load();
}

void Bulletin::load() {
  standing_.clear();
  Statement row = database_.prepare("SELECT key, since_ns FROM standing");
  while (row.step()) standing_.emplace(row.text(0), Time{row.integer(1)});
}

void Bulletin::look(const std::vector<Alert>& alerts, const std::vector<config::Notify>& channels, Time now) {
  std::vector<const Alert*> appeared;
  std::vector<std::string> gone;
  for (const Alert& alert : alerts)
    if (!standing_.contains(alert.key)) appeared.push_back(&alert);
  for (const auto& [key, since] : standing_)
    if (std::none_of(alerts.begin(), alerts.end(), [&](const Alert& alert) { return alert.key == key; }))
      gone.push_back(key);
  if (appeared.empty() && gone.empty()) return;
  // What is told and that it was told are durable together, or neither is.
  database_.transaction([&] {
    for (const std::string& key : gone) clear(key, channels, now);
    for (const Alert* alert : appeared) raise(*alert, channels, now);
  });
  load();
}

void Bulletin::raise(const Alert& alert, const std::vector<config::Notify>& channels, Time now) {
  database_.prepare("INSERT INTO standing VALUES (?, ?, ?, ?, ?)")
      .bind(alert.key)
      .bind(config::name_of(alert.kind))
      .bind(alert.job)
      .bind(alert.what)
      .bind(now.ns)
      .run();
  for (const config::Notify& channel : channels)
    if (wants(channel, alert)) outbox_.put(announce_raised(channel, host_, alert, now));
}

void Bulletin::clear(const std::string& key, const std::vector<config::Notify>& channels, Time now) {
  Alert alert;
  {
    Statement row = database_.prepare("SELECT kind, job, what, since_ns FROM standing WHERE key = ?");
    row.bind(key);
    check(row.step(), "what stands is in the database");
    alert = {kind_from(row.text(0)), key, row.text(1), row.text(2), "", Time{row.integer(3)}};
  }
  database_.prepare("DELETE FROM standing WHERE key = ?").bind(key).run();
  for (const config::Notify& channel : channels)
    if (wants(channel, alert)) outbox_.put(announce_cleared(channel, host_, alert, now));
}

std::vector<const config::Notify*> Bulletin::digests_due(const std::vector<config::Notify>& channels, Time now) {
  std::vector<const config::Notify*> due;
  for (const config::Notify& channel : channels) {
    if (!channel.digest) continue;
    Statement row = database_.prepare("SELECT handled_ns FROM digests WHERE channel = ?");
    row.bind(channel.name);
    if (!row.step()) {
      database_.prepare("INSERT INTO digests VALUES (?, ?)").bind(channel.name).bind(now.ns).run();
      continue;
    }
    const Time handled{row.integer(0)};
    // After a clock that was ahead, what is yet to come was not handled.
    if (handled > now)
      database_.prepare("UPDATE digests SET handled_ns = ? WHERE channel = ?").bind(now.ns).bind(channel.name).run();
    else if (slot_due(*channel.digest, handled, now))
      due.push_back(&channel);
  }
  return due;
}

void Bulletin::put_digest(const Digest& digest, const std::vector<const config::Notify*>& channels, Time now) {
  database_.transaction([&] {
    for (const config::Notify* channel : channels) {
      database_.prepare("UPDATE digests SET handled_ns = ? WHERE channel = ?").bind(now.ns).bind(channel->name).run();
      outbox_.put(announce_digest(*channel, host_, digest, now));
    }
  });
}

}  // namespace qcbak::daemon
