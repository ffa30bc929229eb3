#include "config/window.h"

#include <fmt/format.h>

#include <ctime>

#include "base/error.h"

namespace qcbak::config {
namespace {

constexpr std::int64_t kSecond_ns = 1'000'000'000;
constexpr int kMinutesInHour = 60;
constexpr int kMinutesInDay = 24 * kMinutesInHour;

// HH:MM; -1 when it is none. 24:00 is the end of the day.
int parse_minute(std::string_view text) {
  const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '9' ? text[at] - '0' : -1; };
  if (text.size() != 5 || text[2] != ':') return -1;
  for (const std::size_t at : {0, 1, 3, 4})
    if (digit(at) < 0) return -1;
  const int hour = 10 * digit(0) + digit(1), minute = 10 * digit(3) + digit(4);
  const int all = hour * kMinutesInHour + minute;
  return minute < kMinutesInHour && all <= kMinutesInDay ? all : -1;
}

std::tm local(Time time) {
  const std::time_t seconds = time.ns / kSecond_ns - (time.ns % kSecond_ns < 0 ? 1 : 0);
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  return parts;
}

// The minute of the day of `time` so many days later.
Time at_minute(Time time, int days_later, int minute) {
  std::tm parts = local(time);
  parts.tm_mday += days_later;
  parts.tm_hour = minute / kMinutesInHour;
  parts.tm_min = minute % kMinutesInHour;
  parts.tm_sec = 0;
  parts.tm_isdst = -1;
  return Time{std::mktime(&parts) * kSecond_ns};
}

std::string text_of(int minute) { return fmt::format("{:02}:{:02}", minute / kMinutesInHour, minute % kMinutesInHour); }

}  // namespace

void Windows::add(std::string_view text) {
  const std::size_t dots = text.find("..");
  const int begin = dots == std::string_view::npos ? -1 : parse_minute(text.substr(0, dots));
  const int end = dots == std::string_view::npos ? -1 : parse_minute(text.substr(dots + 2));
  if (begin < 0 || end < 0 || begin == end || begin == kMinutesInDay)
    throw Error(ErrorCode::usage, "a window is written as \"22:00..05:00\"");
  windows_.push_back({begin, end});
}

bool Windows::open(Time time) const {
  if (windows_.empty()) return true;
  const std::tm parts = local(time);
  const int minute = parts.tm_hour * kMinutesInHour + parts.tm_min;
  for (const Window& window : windows_) {
    const bool past_midnight = window.end_min < window.begin_min;
    const bool after = minute >= window.begin_min, before = minute < window.end_min;
    if (past_midnight ? after || before : after && before) return true;
  }
  return false;
}

Time Windows::opens(Time from) const {
  if (open(from)) return from;
  Time first{};
  for (const Window& window : windows_) {
    for (int days_later = 0; days_later <= 1; ++days_later) {
      const Time begin = at_minute(from, days_later, window.begin_min);
      if (begin >= from && (first == Time{} || begin < first)) first = begin;
    }
  }
  return first == Time{} ? from : first;
}

std::vector<std::string> Windows::texts() const {
  std::vector<std::string> texts;
  for (const Window& window : windows_) texts.push_back(text_of(window.begin_min) + ".." + text_of(window.end_min));
  return texts;
}

}  // namespace qcbak::config
