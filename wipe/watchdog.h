// When a disk is given up because it hangs or crawls. docs/sanitisation.md "Giving a disk up".
#pragma once

#include <deque>
#include <optional>
#include <string_view>

#include "wipe/watched_device.h"

namespace qcbak::wipe {

enum class GivenUp { hung, crawling };
std::string_view given_up_name(GivenUp why);  // "hung"
std::optional<GivenUp> given_up_named(std::string_view name);

struct WatchdogLimits {
  std::int64_t request_ns = 600'000'000'000;           // one request, with all that the kernel retries
  std::uint64_t floor_bytes_per_s = 1U << 20;          // slower than this …
  std::int64_t window_ns = 30LL * 60 * 1'000'000'000;  // … over so much time spent on what was moved
};

// Of one disk; the times are those of whoever hears of it, so that a process that says nothing any more is noticed as well.
class Watchdog {
 public:
  explicit Watchdog(const WatchdogLimits& limits) : limits_(limits) {}

  void begin(std::int64_t now_ns);  // from now on it has to be heard of
  void hear(const Activity& activity, std::int64_t now_ns);
  std::optional<GivenUp> judge(std::int64_t now_ns) const;

 private:
  bool crawls() const;
  WatchdogLimits limits_;
  std::int64_t heard_ns_ = 0;
  std::int64_t oldest_began_ns_ = 0;  // of the oldest request under way
  bool under_way_ = false;
  struct Sample {
    std::int64_t busy_ns;
    std::uint64_t moved_bytes;
  };
  std::deque<Sample> samples_{{0, 0}};  // the first is at least a window old, once there is one
};

}  // namespace qcbak::wipe
