#include "base/clock.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace qcbak {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::int64_t read_clock(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return std::int64_t(t.tv_sec) * kSecond + t.tv_nsec;
}

}  // namespace

Time SystemClock::now() const { return {read_clock(CLOCK_REALTIME)}; }
std::int64_t SystemClock::monotonic_ns() const { return read_clock(CLOCK_MONOTONIC); }

std::string format_time(Time time) {
  std::int64_t seconds = time.ns / kSecond;
  if (time.ns % kSecond < 0) --seconds;
  const std::time_t t = seconds;
  std::tm local{};
  if (localtime_r(&t, &local) == nullptr) return "@" + std::to_string(seconds);
  char text[64];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &local);
  const long offset = local.tm_gmtoff / 60;
  char zone[32];
  std::snprintf(zone, sizeof zone, "%c%02ld:%02ld", offset < 0 ? '-' : '+', std::labs(offset) / 60,
                std::labs(offset) % 60);
  return std::string(text) + zone;
}

std::optional<Time> parse_time(std::string_view text) {
  std::tm tm{};
  const std::string copy(text);
  const char* rest = strptime(copy.c_str(), "%Y-%m-%d", &tm);
  if (rest == nullptr) return std::nullopt;
  if (*rest == 'T' || *rest == ' ') {
    rest = strptime(rest + 1, "%H:%M:%S", &tm);
    if (rest == nullptr) return std::nullopt;
  }
  if (*rest == '\0') {
    tm.tm_isdst = -1;
    return Time{std::int64_t(mktime(&tm)) * kSecond};
  }
  long offset_s = 0;
  if (*rest == 'Z') {
    ++rest;
  } else {
    int hours = 0, minutes = 0, used = 0;
    const char sign = *rest;
    if ((sign != '+' && sign != '-') || std::sscanf(rest + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2)
      return std::nullopt;
    offset_s = (hours * 60L + minutes) * 60 * (sign == '-' ? -1 : 1);
    rest += 1 + used;
  }
  if (*rest != '\0') return std::nullopt;
  return Time{(std::int64_t(timegm(&tm)) - offset_s) * kSecond};
}

std::optional<std::int64_t> parse_duration_ns(std::string_view text) {
  struct Unit {
    std::initializer_list<std::string_view> names;
    std::int64_t seconds;
  };
  static const Unit kUnits[] = {{{"s", "sec", "second", "seconds"}, 1},
                                {{"m", "min", "minute", "minutes"}, 60},
                                {{"h", "hr", "hour", "hours"}, 3600},
                                {{"d", "day", "days"}, 86400},
                                {{"w", "week", "weeks"}, 7 * 86400},
                                {{"mo", "month", "months"}, 30 * 86400},
                                {{"y", "year", "years"}, 365 * 86400}};
  constexpr std::int64_t kLimitSeconds = std::int64_t(200) * 365 * 86400;
  if (text.empty()) return std::nullopt;
  std::int64_t total = 0;
  while (!text.empty()) {
    std::int64_t number = 0;
    std::size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9' && digits < 10)
      number = number * 10 + (text[digits++] - '0');
    if (digits == 0) return std::nullopt;
    text.remove_prefix(digits);
    const std::string_view name = text.substr(0, text.find_first_of("0123456789"));
    const Unit* unit = std::find_if(std::begin(kUnits), std::end(kUnits), [&](const Unit& candidate) {
      return std::find(candidate.names.begin(), candidate.names.end(), name) != candidate.names.end();
    });
    if (unit == std::end(kUnits)) return std::nullopt;
    text.remove_prefix(name.size());
    total += number * unit->seconds;
    if (total > kLimitSeconds) return std::nullopt;
  }
  return total * kSecond;
}

}  // namespace qcbak
