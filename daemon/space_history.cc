#include "daemon/space_history.h"

#include <algorithm>
#include <vector>

#include "base/error.h"

namespace qcbak::daemon {
namespace {

constexpr std::int64_t kHour_ns = 3'600'000'000'000;
constexpr std::int64_t kDay_ns = 24 * kHour_ns;
constexpr std::int64_t kKept_ns = 60 * kDay_ns;
constexpr std::int64_t kLookedAt_ns = 14 * kDay_ns;
constexpr std::int64_t kLeastSpan_ns = 3 * kDay_ns;
constexpr std::size_t kSamplesLimit = 14 * 24 + 2;  // an hour each

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS space (at_ns INTEGER PRIMARY KEY, free_bytes INTEGER NOT NULL) STRICT";

double days_between(const FreeSpace& a, const FreeSpace& b) {
  return static_cast<double>(b.at.ns - a.at.ns) / static_cast<double>(kDay_ns);
}

// Bytes a day.
double median_slope(std::span<const FreeSpace> samples) {
  std::vector<double> slopes;
  slopes.reserve(samples.size() * (samples.size() - 1) / 2);
  for (std::size_t i = 0; i < samples.size(); ++i)
    for (std::size_t j = i + 1; j < samples.size(); ++j)
      slopes.push_back((static_cast<double>(samples[j].bytes) - static_cast<double>(samples[i].bytes)) /
                       days_between(samples[i], samples[j]));
  const auto middle = slopes.begin() + static_cast<std::ptrdiff_t>(slopes.size() / 2);
  std::nth_element(slopes.begin(), middle, slopes.end());
  return *middle;
}

}  // namespace

std::optional<std::uint64_t> free_bytes(const storage::Storage& storage) {
  try {
    return storage.free_bytes();
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<double> days_until_full(std::span<const FreeSpace> samples, Time now) {
  while (!samples.empty() && samples.front().at.ns < now.ns - kLookedAt_ns) samples = samples.subspan(1);
  if (samples.size() > kSamplesLimit) samples = samples.last(kSamplesLimit);
  if (samples.size() < 2 || samples.back().at.ns - samples.front().at.ns < kLeastSpan_ns) return std::nullopt;
  const double slope = median_slope(samples);
  if (slope >= 0) return std::nullopt;
  return static_cast<double>(samples.back().bytes) / -slope;
}

SpaceHistory::SpaceHistory(Database& database) : database_(database) { database_.execute(kSchema); }

void SpaceHistory::note(std::uint64_t free_bytes, Time now) {
  Statement newest = database_.prepare("SELECT max(at_ns) FROM space");
  newest.step();
  const bool wanted = newest.is_null(0) || newest.integer(0) > now.ns || now.ns - newest.integer(0) >= kHour_ns;
  if (!wanted && looked_) return;
  if (wanted) {
    database_.transaction([&] {
      database_.prepare("DELETE FROM space WHERE at_ns >= ? OR at_ns < ?").bind(now.ns).bind(now.ns - kKept_ns).run();
      database_.prepare("INSERT INTO space VALUES (?, ?)")
          .bind(now.ns)
          .bind(static_cast<std::int64_t>(free_bytes))
          .run();
    });
  }
  std::vector<FreeSpace> samples;
  Statement row = database_.prepare("SELECT at_ns, free_bytes FROM space ORDER BY at_ns");
  while (row.step()) samples.push_back({Time{row.integer(0)}, static_cast<std::uint64_t>(row.integer(1))});
  days_left_ = days_until_full(samples, now);
  looked_ = true;
}

}  // namespace qcbak::daemon
