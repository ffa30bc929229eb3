#include "base/clock.h"

#include <gtest/gtest.h>

namespace qcbak {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(Time, ParsesZones) {
  EXPECT_EQ(parse_time("1970-01-01T00:00:00Z"), Time{0});
  EXPECT_EQ(parse_time("1970-01-01T07:00:00+07:00"), Time{0});
  EXPECT_EQ(parse_time("2026-11-21T00:00:00Z")->ns, 1795219200 * kSecond);
  EXPECT_FALSE(parse_time("yesterday"));
  EXPECT_FALSE(parse_time("2026-11-21T00:00:00+7"));
  EXPECT_FALSE(parse_time("2026-11-21x"));
}

TEST(Time, FormatsWhatItParses) {
  for (const std::int64_t seconds : {-86400LL * 365, 0LL, 1795219200LL, 7258118400LL}) {
    const Time time{seconds * kSecond};
    EXPECT_EQ(parse_time(format_time(time)), time) << format_time(time);
  }
}

TEST(Duration, SumsUnits) {
  EXPECT_EQ(parse_duration_ns("90s"), 90 * kSecond);
  EXPECT_EQ(parse_duration_ns("1y6mo"), (365 + 180) * 86400 * kSecond);
  EXPECT_EQ(parse_duration_ns("2d3h"), 51 * 3600 * kSecond);
  EXPECT_EQ(parse_duration_ns("15min"), 900 * kSecond);
  EXPECT_EQ(parse_duration_ns("24months"), 720 * 86400 * kSecond);
  EXPECT_EQ(parse_duration_ns("1year2weeks3days4hours5minutes6seconds"),
            ((365 + 14 + 3) * 86400 + 4 * 3600 + 5 * 60 + 6) * kSecond);
  for (const char* bad : {"", "5", "d", "5x", "-1d", "99999999999y", "5mon", "1d ", " 1d", "1 d", "1dd", "5minutess"}) EXPECT_FALSE(parse_duration_ns(bad)) << bad;
}

}  // namespace
}  // namespace qcbak
