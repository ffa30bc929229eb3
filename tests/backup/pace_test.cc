#include "backup/pace.h"

#include <gtest/gtest.h>

#include "tests/support/seeded_random.h"

namespace qcbak {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(Pace, PausesAsLongAsTheBytesAreWorth) {
  const tests::ManualClock clock{Time{}};
  Pace pace(1000, clock);
  EXPECT_EQ(pace.pause_ns(500, 0), kSecond / 2);
  EXPECT_EQ(pace.pause_ns(500, 0), kSecond);  // of another thread: behind the first
  EXPECT_EQ(pace.pause_ns(1000, kSecond), kSecond);
}

TEST(Pace, WhatWasNotUsedIsNotMadeUpFor) {
  const tests::ManualClock clock{Time{}};
  Pace pace(1000, clock);
  pace.pause_ns(1000, 0);
  EXPECT_EQ(pace.pause_ns(1000, 100 * kSecond), kSecond);
}

TEST(Pace, AStopEndsThePause) {
  const tests::ManualClock clock{Time{}};
  Pace pace(1, clock);
  std::stop_source stop;
  stop.request_stop();
  pace.keep(1U << 30, stop.get_token());  // 34 years
}

}  // namespace
}  // namespace qcbak
