// The times of day in which a job may start: "22:00..05:00", in local time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace qcbak::config {

class Windows {
 public:
  // Error(usage) unless it is HH:MM..HH:MM, with two different times. One that ends before it begins goes past midnight.
  void add(std::string_view text);
  bool empty() const { return windows_.empty(); }  // then it is always open
  bool open(Time time) const;
  Time opens(Time from) const;  // the first time at or after `from` at which one is open
  std::vector<std::string> texts() const;

 private:
  struct Window {
    int begin_min = 0, end_min = 0;  // of the day; the end is not part of it
  };
  std::vector<Window> windows_;
};

}  // namespace qcbak::config
