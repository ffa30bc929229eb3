// Time as a dependency.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace qcbak {

struct Time {
  std::int64_t ns = 0;  // since 1970-01-01T00:00:00Z, may be negative
  friend auto operator<=>(const Time&, const Time&) = default;
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() const = 0;                     // wall clock
  virtual std::int64_t monotonic_ns() const = 0;    // never goes back
};

class SystemClock final : public Clock {
 public:
  Time now() const override;
  std::int64_t monotonic_ns() const override;
};

// ISO 8601 in the local zone with its offset, to the second: 2026-11-21T09:30:00+07:00.
std::string format_time(Time time);
// "2026-11-21T09:30:00+07:00", "...Z", the same without zone (local), or a date alone. Nothing when it is none of these.
std::optional<Time> parse_time(std::string_view text);
// "90s", "15min", "36h", "7d", "2w", "24months", "1y", their other usual names, and sums such as "1y6mo"; in ns. "m" is a
// minute, a month is 30 days, a year 365.
std::optional<std::int64_t> parse_duration_ns(std::string_view text);

}  // namespace qcbak
