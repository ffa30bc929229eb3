// Calendar expressions as systemd.time(7) has them ("monthly", "Sun *-*-1..7 02:00", "*-*~01 23:30 Asia/Ho_Chi_Minh"), with
// two differences: seconds are whole, and a time that the clocks skip in spring is met at the end of the gap instead of
// not at all, so that no backup is left out. A time that comes twice in autumn counts once, the first time.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace qcbak::config {

class Calendar {
 public:
  // Error(usage) that says what is wrong and where. Without a zone the expression is in local time.
  static Calendar parse(std::string_view text);

  // The first time it names that is later than `after`; nothing when there is none before the year 2200.
  std::optional<Time> next(Time after) const;
  const std::string& text() const { return text_; }

  // Values of one field: `first`, or from `first` to `last`, every `step`.
  struct Range {
    int first = 0;
    std::optional<int> last;
    int step = 0;  // 0: one value, or each one up to `last`
  };
  using Field = std::vector<Range>;  // none: any value

 private:
  Calendar() = default;
  struct Civil;
  class Parser;
  std::optional<Civil> first_from(Civil civil) const;
  std::optional<int> first_day(int year, int month, int from) const;

  std::string text_;
  unsigned weekdays_ = 0x7F;  // bit 0: Monday
  Field years_, months_, days_, hours_, minutes_, seconds_;
  bool days_from_end_ = false;  // "~": 1 is the last day of the month
  std::string zone_;            // "": local
};

}  // namespace qcbak::config
