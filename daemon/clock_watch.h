// Whether the wall clock can be relied on: it is compared with one that nobody can set.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "daemon/database.h"

namespace qcbak::daemon {

struct ClockReading {
  Time wall;
  std::int64_t boot_ns = 0;  // CLOCK_BOOTTIME: also runs while the machine sleeps
  bool synchronised = false;
};
ClockReading read_clocks();
// Whether the kernel says that the clock is kept by a time source (adjtimex(2)).
bool clock_is_synchronised();

struct ClockJump {
  Time expected, found;
};

class ClockWatch {
 public:
  explicit ClockWatch(Database& database);
  // A jump of more than two minutes since the last look; it is remembered for a day, also by the next daemon.
  std::optional<ClockJump> look(const ClockReading& reading);
  // The newest, while it is less than a day ago.
  std::optional<ClockJump> jump(Time now);
  // For more than an hour, as far as was looked.
  bool unsynchronised() const;

 private:
  Database& database_;
  std::optional<ClockReading> last_;
  std::optional<std::int64_t> unsynchronised_since_boot_ns_;
};

}  // namespace qcbak::daemon
