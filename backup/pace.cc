#include "backup/pace.h"

#include <algorithm>
#include <chrono>

namespace qcbak {
namespace {

constexpr double kNsInSecond = 1e9;

}  // namespace

std::int64_t Pace::pause_ns(std::uint64_t bytes, std::int64_t now_ns) {
  const std::lock_guard lock(mutex_);
  paid_until_ns_ = std::max(paid_until_ns_, now_ns) +
                   static_cast<std::int64_t>(static_cast<double>(bytes) / static_cast<double>(limit_) * kNsInSecond);
  return paid_until_ns_ - now_ns;
}

void Pace::keep(std::uint64_t bytes, const std::stop_token& stop) {
  if (limit_ == 0 || bytes == 0) return;
  const auto pause = std::chrono::nanoseconds(pause_ns(bytes, clock_.monotonic_ns()));
  std::mutex mutex;
  std::unique_lock lock(mutex);
  never_.wait_for(lock, stop, pause, [] { return false; });
}

}  // namespace qcbak
