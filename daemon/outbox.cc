#include "daemon/outbox.h"

#include <algorithm>

namespace qcbak::daemon {
namespace {

constexpr std::int64_t kMinute_ns = 60'000'000'000;
constexpr std::int64_t kLongestPause_ns = 60 * kMinute_ns;

constexpr const char* kSchema = R"(
CREATE TABLE IF NOT EXISTS messages (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  channel    TEXT NOT NULL,
  created_ns INTEGER NOT NULL,
  subject    TEXT NOT NULL,
  body       TEXT NOT NULL,
  json       TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS messages_by_channel ON messages (channel, id);
CREATE TABLE IF NOT EXISTS channels (
  name     TEXT PRIMARY KEY,
  failures INTEGER NOT NULL DEFAULT 0,
  due_ns   INTEGER NOT NULL DEFAULT 0,
  error    TEXT NOT NULL DEFAULT '',
  lost     INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
)";

std::uint64_t changes(Database& database) {
  Statement query = database.prepare("SELECT changes()");
  query.step();
  return static_cast<std::uint64_t>(query.integer(0));
}

}  // namespace

std::int64_t pause_after_ns(std::int64_t failures) {
  std::int64_t pause = kMinute_ns;
  for (std::int64_t i = 1; i < failures && pause < kLongestPause_ns; ++i) pause *= 2;
  return std::min(pause, kLongestPause_ns);
}

Outbox::Outbox(Database& database) : database_(database) { database_.execute(kSchema); }

void Outbox::put(const Message& message) {
  database_.prepare("INSERT OR IGNORE INTO channels (name) VALUES (?)").bind(message.channel).run();
  database_.prepare("INSERT INTO messages (channel, created_ns, subject, body, json) VALUES (?, ?, ?, ?, ?)")
      .bind(message.channel)
      .bind(message.created.ns)
      .bind(message.subject)
      .bind(message.text)
      .bind(message.json)
      .run();
  drop_beyond_limit();
}

void Outbox::drop_beyond_limit() {
  Statement count = database_.prepare("SELECT count(*) FROM messages");
  count.step();
  for (std::int64_t over = count.integer(0) - static_cast<std::int64_t>(kOutboxLimit); over > 0; --over) {
    database_.execute(
        "UPDATE channels SET lost = lost + 1 WHERE name = (SELECT channel FROM messages ORDER BY id LIMIT 1)");
    database_.execute("DELETE FROM messages WHERE id = (SELECT min(id) FROM messages)");
  }
}

std::optional<Message> Outbox::next(const std::string& channel, Time now) {
  // A clock that was set back must not make a channel wait for longer than it ever would.
  Statement row = database_.prepare(
      "SELECT m.id, m.created_ns, m.subject, m.body, m.json FROM messages m JOIN channels c ON c.name = m.channel "
      "WHERE m.channel = ? AND (c.due_ns <= ? OR c.due_ns > ?) ORDER BY m.id LIMIT 1");
  row.bind(channel).bind(now.ns).bind(now.ns + kLongestPause_ns);
  if (!row.step()) return std::nullopt;
  return Message{row.integer(0), channel, Time{row.integer(1)}, row.text(2), row.text(3), row.text(4)};
}

void Outbox::sent(const Message& message) {
  database_.transaction([&] {
    database_.prepare("DELETE FROM messages WHERE id = ?").bind(message.id).run();
    database_.prepare("UPDATE channels SET failures = 0, due_ns = 0, error = '', lost = 0 WHERE name = ?")
        .bind(message.channel)
        .run();
  });
}

std::uint64_t Outbox::failed(const Message& message, const std::string& why, Time now) {
  std::uint64_t given_up = 0;
  database_.transaction([&] {
    Statement row = database_.prepare("SELECT failures + 1 FROM channels WHERE name = ?");
    row.bind(message.channel);
    const std::int64_t failures = row.step() ? row.integer(0) : 1;
    database_.prepare("DELETE FROM messages WHERE channel = ? AND created_ns < ?")
        .bind(message.channel)
        .bind(now.ns - kGivenUpAfter_ns)
        .run();
    given_up = changes(database_);
    database_.prepare("UPDATE channels SET failures = ?, due_ns = ?, error = ?, lost = lost + ? WHERE name = ?")
        .bind(failures)
        .bind(now.ns + pause_after_ns(failures))
        .bind(why)
        .bind(static_cast<std::int64_t>(given_up))
        .bind(message.channel)
        .run();
  });
  return given_up;
}

void Outbox::try_again() { database_.execute("UPDATE channels SET failures = 0, due_ns = 0"); }

std::uint64_t Outbox::keep_only(const std::set<std::string>& channels) {
  std::uint64_t removed = 0;
  database_.transaction([&] {
    for (const ChannelState& channel : this->channels()) {
      if (channels.contains(channel.name)) continue;
      database_.prepare("DELETE FROM messages WHERE channel = ?").bind(channel.name).run();
      removed += changes(database_);
      database_.prepare("DELETE FROM channels WHERE name = ?").bind(channel.name).run();
    }
  });
  return removed;
}

std::vector<ChannelState> Outbox::channels() {
  std::vector<ChannelState> channels;
  Statement row = database_.prepare(
      "SELECT c.name, count(m.id), min(m.created_ns), c.error, c.lost FROM channels c LEFT JOIN messages m ON "
      "m.channel = c.name "
      "GROUP BY c.name ORDER BY c.name");
  while (row.step()) {
    ChannelState channel{row.text(0),
                         static_cast<std::uint64_t>(row.integer(1)),
                         {},
                         row.text(3),
                         static_cast<std::uint64_t>(row.integer(4))};
    if (!row.is_null(2)) channel.oldest = Time{row.integer(2)};
    channels.push_back(std::move(channel));
  }
  return channels;
}

}  // namespace qcbak::daemon
