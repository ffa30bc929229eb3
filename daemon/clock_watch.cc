#include "daemon/clock_watch.h"

#include <sys/timex.h>
#include <time.h>

#include <cstdlib>
#include <utility>

#include "base/error.h"

namespace qcbak::daemon {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kJump_ns = 120 * kSecond;
constexpr std::int64_t kTellUnsynchronised_ns = 3600 * kSecond;
constexpr std::int64_t kDay_ns = 86'400 * kSecond;

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS clock_jump (one INTEGER PRIMARY KEY CHECK (one = 1), expected_ns INTEGER NOT NULL, "
    "found_ns INTEGER NOT NULL) STRICT";

}  // namespace

bool clock_is_synchronised() {
  timex query{};
  return ::adjtimex(&query) >= 0 && (query.status & STA_UNSYNC) == 0;
}

ClockReading read_clocks() {
  timespec boot{};
  if (::clock_gettime(CLOCK_BOOTTIME, &boot) != 0) throw_errno("read", "the clock");
  return {SystemClock().now(), std::int64_t(boot.tv_sec) * kSecond + boot.tv_nsec, clock_is_synchronised()};
}

ClockWatch::ClockWatch(Database& database) : database_(database) { database_.execute(kSchema); }

std::optional<ClockJump> ClockWatch::look(const ClockReading& reading) {
  if (reading.synchronised)
    unsynchronised_since_boot_ns_.reset();
  else if (!unsynchronised_since_boot_ns_)
    unsynchronised_since_boot_ns_ = reading.boot_ns;
  const std::optional<ClockReading> before = std::exchange(last_, reading);
  if (!before) return std::nullopt;
  const ClockJump jump{Time{before->wall.ns + (reading.boot_ns - before->boot_ns)}, reading.wall};
  if (std::abs(jump.found.ns - jump.expected.ns) <= kJump_ns) return std::nullopt;
  database_.prepare("INSERT OR REPLACE INTO clock_jump VALUES (1, ?, ?)")
      .bind(jump.expected.ns)
      .bind(jump.found.ns)
      .run();
  return jump;
}

std::optional<ClockJump> ClockWatch::jump(Time now) {
  Statement row = database_.prepare("SELECT expected_ns, found_ns FROM clock_jump");
  if (!row.step() || std::abs(now.ns - row.integer(1)) >= kDay_ns) return std::nullopt;
  return ClockJump{Time{row.integer(0)}, Time{row.integer(1)}};
}

bool ClockWatch::unsynchronised() const {
  return unsynchronised_since_boot_ns_ && last_->boot_ns - *unsynchronised_since_boot_ns_ > kTellUnsynchronised_ns;
}

}  // namespace qcbak::daemon
