#include "daemon/schedule.h"

#include <algorithm>

#include "base/error.h"
#include "crypto/hash.h"

namespace qcbak::daemon {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kLongestRetryDelay = 86'400 * kSecond;

}  // namespace

std::optional<Slot> slot_due(const config::Calendar& calendar, Time handled, Time now) {
  const auto first = calendar.next(handled);
  if (!first || *first > now) return std::nullopt;
  // Backwards in growing steps to a place from which there is a slot before now, then forwards to the newest.
  for (std::int64_t back = kSecond;; back *= 2) {
    const Time from = now.ns - back > handled.ns ? Time{now.ns - back} : handled;
    auto slot = calendar.next(from);
    if (!slot || *slot > now) {
      check(from != handled, "there is a slot after what was handled");
      continue;
    }
    for (auto later = calendar.next(*slot); later && *later <= now; later = calendar.next(*later)) slot = later;
    return Slot{*slot, *slot != *first};
  }
}

std::int64_t random_delay_ns(const std::string& job, Time slot, std::int64_t limit_ns) {
  if (limit_ns <= 0) return 0;
  const crypto::Sha256 hash = crypto::sha256(as_bytes(job + '\n' + std::to_string(slot.ns)));
  return static_cast<std::int64_t>(load_le<std::uint64_t>(hash.value.data()) % static_cast<std::uint64_t>(limit_ns));
}

std::optional<std::int64_t> retry_delay_ns(const config::Job& job, std::int64_t failures) {
  if (failures > job.retries) return std::nullopt;
  std::int64_t delay = job.retry_delay_ns;
  for (std::int64_t i = 1; i < failures && delay < kLongestRetryDelay; ++i) delay *= 2;
  return std::min(delay, kLongestRetryDelay);
}

}  // namespace qcbak::daemon
