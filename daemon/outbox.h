// Messages for people that wait to be sent, in the daemon's database. One that was put is durable, and is there until it was
// sent or given up; it may be sent twice, when the daemon ends just after sending it.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "daemon/database.h"

namespace qcbak::daemon {

inline constexpr std::uint64_t kOutboxLimit = 10'000;  // the oldest make room
inline constexpr std::int64_t kUndeliveredAfter_ns = 86'400'000'000'000;
inline constexpr std::int64_t kGivenUpAfter_ns = 7 * kUndeliveredAfter_ns;

// A minute after the first failure, twice as long after each further one, an hour at most.
std::int64_t pause_after_ns(std::int64_t failures);

struct Message {
  std::int64_t id = 0;  // the outbox gives it; never twice
  std::string channel;  // config::Notify::name
  Time created;
  std::string subject, text;  // of a mail
  std::string json;           // for a webhook
};

// How a channel stands.
struct ChannelState {
  std::string name;
  std::uint64_t waiting = 0;
  std::optional<Time> oldest;  // of those that wait
  std::string error;           // why the last try failed; empty: it did not
  std::uint64_t lost = 0;      // given up, or dropped for want of room, since something was last sent
};

class Outbox {
 public:
  explicit Outbox(Database& database);

  // Durable when it returns or, inside of a transaction, with that. When there is no room the oldest of all is dropped, which
  // is counted for its channel.
  void put(const Message& message);
  // The oldest of the channel, if one waits and may be tried now: messages of a channel go in their order.
  std::optional<Message> next(const std::string& channel, Time now);
  void sent(const Message& message);
  // The channel waits. What of it is older than seven days is given up: how many.
  std::uint64_t failed(const Message& message, const std::string& why, Time now);
  // No channel waits any longer.
  void try_again();
  // What was for other channels than these is removed: how many.
  std::uint64_t keep_only(const std::set<std::string>& channels);

  std::vector<ChannelState> channels();  // those that have, or had, something to send

 private:
  void drop_beyond_limit();
  Database& database_;
};

}  // namespace qcbak::daemon
