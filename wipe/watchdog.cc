#include "wipe/watchdog.h"

namespace qcbak::wipe {
namespace {

constexpr std::int64_t kSamplesInWindow = 64;

}  // namespace

std::string_view given_up_name(GivenUp why) { return why == GivenUp::hung ? "hung" : "crawling"; }

std::optional<GivenUp> given_up_named(std::string_view name) {
  for (const GivenUp why : {GivenUp::hung, GivenUp::crawling})
    if (given_up_name(why) == name) return why;
  return std::nullopt;
}

void Watchdog::begin(std::int64_t now_ns) {
  heard_ns_ = now_ns;
  under_way_ = false;
}

void Watchdog::hear(const Activity& activity, std::int64_t now_ns) {
  heard_ns_ = now_ns;
  under_way_ = activity.under_way > 0;
  oldest_began_ns_ = now_ns - activity.oldest_ns;
  if (activity.busy_ns < samples_.back().busy_ns + limits_.window_ns / kSamplesInWindow) return;
  samples_.push_back({activity.busy_ns, activity.moved_bytes});
  while (samples_.size() > 2 && samples_.back().busy_ns - samples_[1].busy_ns >= limits_.window_ns)
    samples_.pop_front();
}

bool Watchdog::crawls() const {
  const std::int64_t busy_ns = samples_.back().busy_ns - samples_.front().busy_ns;
  const auto moved = static_cast<double>(samples_.back().moved_bytes - samples_.front().moved_bytes);
  return busy_ns >= limits_.window_ns &&
         moved < static_cast<double>(limits_.floor_bytes_per_s) * static_cast<double>(busy_ns) / 1e9;
}

std::optional<GivenUp> Watchdog::judge(std::int64_t now_ns) const {
  if (now_ns - heard_ns_ > limits_.request_ns) return GivenUp::hung;
  if (under_way_ && now_ns - oldest_began_ns_ > limits_.request_ns) return GivenUp::hung;
  if (crawls()) return GivenUp::crawling;
  return std::nullopt;
}

}  // namespace qcbak::wipe
