#include "config/calendar.h"

#include <date/tz.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/bytes.h"
#include "base/error.h"

namespace qcbak::config {
namespace {

constexpr int kFirstYear = 1970;
constexpr int kLastYear = 2199;
constexpr std::size_t kTextLimit = 1024;
constexpr std::size_t kRangesLimit = 64;
constexpr std::int64_t kSecond = 1'000'000'000;

constexpr std::array<std::string_view, 7> kWeekdays = {"monday", "tuesday",  "wednesday", "thursday",
                                                       "friday", "saturday", "sunday"};
struct Shorthand {
  std::string_view name, expression;
};
constexpr std::array<Shorthand, 10> kShorthands = {{{"minutely", "*-*-* *:*:00"},
                                                   {"hourly", "*-*-* *:00:00"},
                                                   {"daily", "*-*-* 00:00:00"},
                                                   {"weekly", "Mon *-*-* 00:00:00"},
                                                   {"monthly", "*-*-01 00:00:00"},
                                                   {"quarterly", "*-01,04,07,10-01 00:00:00"},
                                                   {"semiannually", "*-01,07-01 00:00:00"},
                                                   {"semi-annually", "*-01,07-01 00:00:00"},
                                                   {"yearly", "*-01-01 00:00:00"},
                                                   {"annually", "*-01-01 00:00:00"}}};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

int days_in(int year, int month) {
  const date::year_month_day_last last(date::year(year) / date::month(static_cast<unsigned>(month)) / date::last);
  return static_cast<int>(static_cast<unsigned>(last.day()));
}

int weekday_of(int year, int month, int day) {
  const date::sys_days days(date::year(year) / month / day);
  return static_cast<int>(date::weekday(days).iso_encoding()) - 1;
}

// The first value of the field that is `from` or more, and at most `most`.
std::optional<int> first_value(const Calendar::Field& field, int from, int least, int most) {
  if (field.empty()) return from <= most ? std::optional(std::max(from, least)) : std::nullopt;
  std::optional<int> best;
  for (const Calendar::Range& range : field) {
    const int last = std::min(range.last.value_or(range.step > 0 ? most : range.first), most);
    const int step = std::max(range.step, 1);
    int value = range.first;
    if (value < from) value += (from - value + step - 1) / step * step;
    if (value <= last && (!best || value < *best)) best = value;
  }
  return best;
}

}  // namespace

struct Calendar::Civil {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

class Calendar::Parser {
 public:
  explicit Parser(std::string_view text) : whole_(text) {}

  Calendar parse() {
    if (whole_.size() > kTextLimit) fail("it is too long");
    calendar_.text_ = whole_;
    std::vector<std::string_view> words = split();
    if (words.empty()) fail("it is empty");
    if (words.size() > 1 && is_zone(words.back())) {
      calendar_.zone_ = words.back();
      words.pop_back();
    }
    const auto shorthand = std::find_if(kShorthands.begin(), kShorthands.end(),
                                        [&](const Shorthand& each) { return each.name == lower(words[0]); });
    if (shorthand != kShorthands.end()) {
      if (words.size() > 1) fail("nothing but a time zone may follow \"" + std::string(shorthand->name) + "\"");
      const std::string zone = calendar_.zone_;
      calendar_ = Calendar::parse(shorthand->expression);
      calendar_.text_ = whole_;
      calendar_.zone_ = zone;
      return std::move(calendar_);
    }
    std::size_t at = 0;
    if (is_weekdays(words[at])) weekdays(words[at++]);
    if (at < words.size() && words[at].find(':') == words[at].npos) date(words[at++]);
    if (at < words.size() && words[at].find(':') != words[at].npos) {
      time(words[at++]);
    } else {
      calendar_.hours_ = calendar_.minutes_ = calendar_.seconds_ = {{0, {}, 0}};
    }
    if (at < words.size()) fail("\"" + printable(words[at]) + "\" is neither a date nor a time nor a time zone");
    return std::move(calendar_);
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw Error(ErrorCode::usage, "calendar expression \"" + printable(whole_) + "\": " + why)
        .with_hint("for example \"daily\", \"Sun 02:00\", \"*-*-01 03:30\"; see systemd.time(7)");
  }

  std::vector<std::string_view> split() const {
    std::vector<std::string_view> words;
    for (std::size_t at = 0; at < whole_.size();) {
      if (whole_[at] == ' ') {
        ++at;
        continue;
      }
      const std::size_t end = std::min(whole_.find(' ', at), whole_.size());
      words.push_back(whole_.substr(at, end - at));
      at = end;
    }
    return words;
  }

  static bool is_zone(std::string_view word) {
    if (word == "UTC") return true;
    if (word.empty() || word.find('/') == word.npos || word.find_first_of(":*,~") != word.npos) return false;
    try {
      return date::locate_zone(std::string(word)) != nullptr;
    } catch (const std::exception&) {
      return false;
    }
  }

  static bool is_weekdays(std::string_view word) {
    return !word.empty() && ((word[0] >= 'A' && word[0] <= 'Z') || (word[0] >= 'a' && word[0] <= 'z'));
  }

  // "Mon", "monday", 0 ... 6.
  int weekday(std::string_view name) const {
    const std::string wanted = lower(name);
    for (std::size_t i = 0; i < kWeekdays.size(); ++i)
      if (wanted == kWeekdays[i] || wanted == kWeekdays[i].substr(0, 3)) return static_cast<int>(i);
    fail("\"" + printable(name) + "\" is not a day of the week");
  }

  void weekdays(std::string_view list) {
    unsigned days = 0;
    each(list, [&](std::string_view item) {
      std::size_t gap = item.find("..");
      std::size_t width = 2;
      if (gap == item.npos) {
        gap = item.find('-');
        width = 1;
      }
      const int first = weekday(item.substr(0, gap));
      const int last = gap == item.npos ? first : weekday(item.substr(gap + width));
      if (last < first) fail("\"" + printable(item) + "\" runs backwards");
      for (int day = first; day <= last; ++day) days |= 1U << static_cast<unsigned>(day);
    });
    calendar_.weekdays_ = days;
  }

  template <class Take>
  void each(std::string_view list, Take&& take) const {
    std::size_t count = 0;
    for (std::size_t at = 0; at <= list.size();) {
      const std::size_t comma = std::min(list.find(',', at), list.size());
      if (comma == at) fail("a value is missing in \"" + printable(list) + "\"");
      if (++count > kRangesLimit) fail("it has too many values");
      take(list.substr(at, comma - at));
      at = comma + 1;
    }
  }

  int number(std::string_view text, int least, int most, std::string_view what) const {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || text.empty())
      fail("\"" + printable(text) + "\" is not " + std::string(what));
    if (what == "a year" && text.size() == 2) value += value >= 70 ? 1900 : 2000;
    if (value < least || value > most)
      fail(printable(text) + " is not " + std::string(what) + ": " + std::to_string(least) + " to " + std::to_string(most));
    return value;
  }

  Field field(std::string_view list, int least, int most, std::string_view what) const {
    if (list == "*") return {};
    Field ranges;
    each(list, [&](std::string_view item) {
      Range range;
      if (const std::size_t slash = item.find('/'); slash != item.npos) {
        range.step = number(item.substr(slash + 1), 1, most, "a step");
        item = item.substr(0, slash);
      }
      if (item == "*") {
        if (range.step == 0) fail("\"*\" stands alone or before a step");
        range.first = least;
      } else {
        const std::size_t gap = item.find("..");
        range.first = number(item.substr(0, gap), least, most, what);
        if (gap != item.npos) {
          range.last = number(item.substr(gap + 2), least, most, what);
          if (*range.last < range.first) fail("\"" + printable(item) + "\" runs backwards");
        }
      }
      ranges.push_back(range);
    });
    return ranges;
  }

  // [YEAR-]MONTH-DAY, or with "~" before the day.
  void date(std::string_view text) {
    const std::size_t tilde = text.rfind('~');
    const std::size_t dash = tilde != text.npos ? tilde : text.rfind('-');
    if (dash == text.npos) fail("\"" + printable(text) + "\" is not a date: year-month-day or month-day");
    calendar_.days_from_end_ = tilde != text.npos;
    calendar_.days_ = field(text.substr(dash + 1), 1, 31, "a day");
    if (calendar_.days_from_end_ && calendar_.days_.empty()) fail("a day must follow \"~\"");
    std::string_view above = text.substr(0, dash);
    if (const std::size_t first = above.find('-'); first != above.npos) {
      calendar_.years_ = field(above.substr(0, first), kFirstYear, kLastYear, "a year");
      above = above.substr(first + 1);
    }
    calendar_.months_ = field(above, 1, 12, "a month");
  }

  // HOUR:MINUTE[:SECOND]
  void time(std::string_view text) {
    const std::size_t first = text.find(':');
    const std::size_t second = text.find(':', first + 1);
    if (second != text.npos && text.find(':', second + 1) != text.npos) fail("\"" + printable(text) + "\" is not a time");
    calendar_.hours_ = field(text.substr(0, first), 0, 23, "an hour");
    calendar_.minutes_ = field(text.substr(first + 1, second == text.npos ? second : second - first - 1), 0, 59, "a minute");
    calendar_.seconds_ = second == text.npos ? Field{{0, {}, 0}} : field(text.substr(second + 1), 0, 59, "a second");
  }

  std::string_view whole_;
  Calendar calendar_;
};

Calendar Calendar::parse(std::string_view text) { return Parser(text).parse(); }

std::optional<int> Calendar::first_day(int year, int month, int from) const {
  const int in_month = days_in(year, month);
  for (int day = from; day <= in_month; ++day) {
    if ((weekdays_ >> static_cast<unsigned>(weekday_of(year, month, day)) & 1U) == 0) continue;
    const int value = days_from_end_ ? in_month - day + 1 : day;
    // A step goes on towards the end of the month, whichever way its days are counted.
    const bool named = std::any_of(days_.begin(), days_.end(), [&](const Range& range) {
      if (range.last && (value < range.first || value > *range.last)) return false;
      const int distance = days_from_end_ && !range.last ? range.first - value : value - range.first;
      if (distance == 0) return true;
      if (range.step == 0) return range.last.has_value();
      return distance > 0 && distance % range.step == 0;
    });
    if (days_.empty() || named) return day;
  }
  return std::nullopt;
}

// The first civil time that is named, `from` or later.
std::optional<Calendar::Civil> Calendar::first_from(Civil from) const {
  Civil at = from;
  const auto reset_below_month = [&] { at.day = 1, at.hour = at.minute = at.second = 0; };
  const auto reset_below_day = [&] { at.hour = at.minute = at.second = 0; };
  for (;;) {
    const auto year = first_value(years_, at.year, kFirstYear, kLastYear);
    if (!year) return std::nullopt;
    if (*year != at.year) at.month = 1, reset_below_month();
    at.year = *year;
    const auto month = first_value(months_, at.month, 1, 12);
    if (!month) {
      at = {at.year + 1, 1, 1, 0, 0, 0};
      continue;
    }
    if (*month != at.month) reset_below_month();
    at.month = *month;
    const auto day = first_day(at.year, at.month, at.day);
    if (!day) {
      at = {at.year, at.month + 1, 1, 0, 0, 0};
      continue;
    }
    if (*day != at.day) reset_below_day();
    at.day = *day;
    const auto hour = first_value(hours_, at.hour, 0, 23);
    if (!hour) {
      at = {at.year, at.month, at.day + 1, 0, 0, 0};
      continue;
    }
    if (*hour != at.hour) at.minute = at.second = 0;
    at.hour = *hour;
    const auto minute = first_value(minutes_, at.minute, 0, 59);
    if (!minute) {
      ++at.hour, at.minute = at.second = 0;
      continue;
    }
    if (*minute != at.minute) at.second = 0;
    at.minute = *minute;
    const auto second = first_value(seconds_, at.second, 0, 59);
    if (!second) {
      ++at.minute, at.second = 0;
      continue;
    }
    at.second = *second;
    return at;
  }
}

std::optional<Time> Calendar::next(Time after) const {
  using namespace std::chrono;
  const date::time_zone* zone = zone_.empty() ? date::current_zone() : date::locate_zone(zone_);
  // Expressions name whole seconds.
  const std::int64_t whole = after.ns / kSecond - (after.ns % kSecond < 0 ? 1 : 0);
  date::local_seconds from = zone->to_local(date::sys_seconds(seconds(whole))) + seconds(1);
  for (;;) {
    const auto days = date::floor<date::days>(from);
    const date::year_month_day civil_date{days};
    const auto in_day = (from - days).count();
    const auto found = first_from({static_cast<int>(civil_date.year()), static_cast<int>(static_cast<unsigned>(civil_date.month())),
                                   static_cast<int>(static_cast<unsigned>(civil_date.day())), static_cast<int>(in_day / 3600),
                                   static_cast<int>(in_day / 60 % 60), static_cast<int>(in_day % 60)});
    if (!found) return std::nullopt;
    const date::local_seconds local = date::local_days(date::year(found->year) / found->month / found->day) +
                                      hours(found->hour) + minutes(found->minute) + seconds(found->second);
    const date::local_info info = zone->get_info(local);
    const date::sys_seconds when = info.result == date::local_info::nonexistent
                                       ? info.second.begin
                                       : date::sys_seconds(local.time_since_epoch() - info.first.offset);
    if (when.time_since_epoch().count() > whole) return Time{when.time_since_epoch().count() * kSecond};
    from = local + seconds(1);
  }
}

}  // namespace qcbak::config
