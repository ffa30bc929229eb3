#include "daemon/space_history.h"

#include <gmock/gmock.h>

#include <cmath>
#include <vector>

#include "tests/support/temporary_directory.h"

namespace qcbak::daemon {
namespace {

constexpr std::int64_t kHour = 3'600'000'000'000;
constexpr Time kNow{1'795'000'000'000'000'000};
constexpr double kGiB = 1U << 30;

// Hourly samples up to now, `free` of the days before now (0 … days).
template <class Free>
std::vector<FreeSpace> series(int days, Free&& free) {
  std::vector<FreeSpace> samples;
  for (int hours = days * 24; hours >= 0; --hours)
    samples.push_back({Time{kNow.ns - hours * kHour}, static_cast<std::uint64_t>(free(hours / 24.0) * kGiB)});
  return samples;
}

TEST(DaysUntilFull, FollowsALine) {
  const auto days = days_until_full(series(14, [](double ago) { return 20 + 2 * ago; }), kNow);
  ASSERT_TRUE(days);
  EXPECT_NEAR(*days, 10, 0.1);
}

TEST(DaysUntilFull, ACollectionThatFreesMuchDoesNotHideTheTrend) {
  // 3 GiB less each day; 18 GiB come back at once each week.
  const auto days =
      days_until_full(series(14, [](double ago) { return 30 + 3 * ago - 18 * std::floor(ago / 7); }), kNow);
  ASSERT_TRUE(days);
  EXPECT_GT(*days, 5);
  EXPECT_LT(*days, 90);
}

TEST(DaysUntilFull, OneOutlierChangesLittle) {
  auto samples = series(14, [](double ago) { return 20 + 2 * ago; });
  samples[samples.size() / 2].bytes = 0;
  const auto days = days_until_full(samples, kNow);
  ASSERT_TRUE(days);
  EXPECT_NEAR(*days, 10, 0.5);
}

TEST(DaysUntilFull, LooksAtTheLastFourteenDaysAlone) {
  const auto samples = series(60, [](double ago) { return ago <= 14 ? 28 + ago : 42 - (ago - 14) / 2; });
  const auto days = days_until_full(samples, kNow);
  ASSERT_TRUE(days);
  EXPECT_NEAR(*days, 28, 0.5);
}

TEST(DaysUntilFull, SaysNothingOfWhatGrowsOrStaysOrIsNotKnownLongEnough) {
  EXPECT_FALSE(days_until_full(series(14, [](double ago) { return 100 - ago; }), kNow));
  EXPECT_FALSE(days_until_full(series(14, [](double) { return 100; }), kNow));
  EXPECT_FALSE(days_until_full(series(2, [](double ago) { return 1 + ago; }), kNow));
  EXPECT_FALSE(days_until_full({}, kNow));
  const auto old = series(30, [](double ago) { return 1 + ago; });
  EXPECT_FALSE(days_until_full(std::span(old).first(10), kNow));
}

TEST(SpaceHistory, KeepsOneSampleAnHourForSixtyDays) {
  const tests::TemporaryDirectory directory;
  Database database(directory.path() + "/state.db");
  const auto count = [&] {
    Statement query = database.prepare("SELECT count(*) FROM space");
    query.step();
    return query.integer(0);
  };
  SpaceHistory history(database);
  for (int minutes = 0; minutes < 5 * 24 * 60; minutes += 30)
    history.note(static_cast<std::uint64_t>((20 - minutes / 1440.0) * kGiB), Time{kNow.ns + minutes * (kHour / 60)});
  EXPECT_EQ(count(), 5 * 24);
  ASSERT_TRUE(history.days_left());
  EXPECT_NEAR(*history.days_left(), 15, 0.5);

  SpaceHistory next_life(database);
  next_life.note(0, Time{kNow.ns + (5 * 24 - 1) * kHour + 1});  // known within the hour, from what is kept
  EXPECT_NEAR(*next_life.days_left(), 15, 0.5);
  // Samples of a time that is yet to come are of a clock that was ahead.
  next_life.note(1U << 30, Time{kNow.ns + 24 * kHour});
  EXPECT_EQ(count(), 25);
  next_life.note(1U << 30, Time{kNow.ns + 70 * 24 * kHour});
  EXPECT_EQ(count(), 1);
}

}  // namespace
}  // namespace qcbak::daemon
