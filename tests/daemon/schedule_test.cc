#include "daemon/schedule.h"

#include <gtest/gtest.h>

#include <set>

namespace qcbak::daemon {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

Time at(std::string_view text) { return parse_time(text).value(); }

TEST(SlotDue, IsTheNewestThatPassed) {
  const auto calendar = config::Calendar::parse("*-*-* 02:00:00 UTC");
  EXPECT_FALSE(slot_due(calendar, at("2026-11-20T02:00:00Z"), at("2026-11-21T01:59:59Z")));
  const auto one = slot_due(calendar, at("2026-11-20T02:00:00Z"), at("2026-11-21T02:00:00Z"));
  ASSERT_TRUE(one);
  EXPECT_EQ(one->due, at("2026-11-21T02:00:00Z"));
  EXPECT_FALSE(one->others_missed);
  const auto several = slot_due(calendar, at("2026-11-01T02:00:00Z"), at("2026-11-21T17:00:00Z"));
  ASSERT_TRUE(several);
  EXPECT_EQ(several->due, at("2026-11-21T02:00:00Z"));
  EXPECT_TRUE(several->others_missed);
}

TEST(SlotDue, FindsRareOnesAndFrequentOnes) {
  const auto yearly = config::Calendar::parse("*-01-01 00:00:00 UTC");
  EXPECT_EQ(slot_due(yearly, at("2020-06-01T00:00:00Z"), at("2026-11-21T00:00:00Z"))->due, at("2026-01-01T00:00:00Z"));
  const auto each_second = config::Calendar::parse("*:*:* UTC");
  EXPECT_EQ(slot_due(each_second, at("2025-01-01T00:00:00Z"), at("2026-11-21T12:34:56Z"))->due,
            at("2026-11-21T12:34:56Z"));
}

TEST(SlotDue, AgreesWithWalkingForward) {
  const auto calendar = config::Calendar::parse("Mon,Thu *-*-* 03,15:07:00 UTC");
  for (int day = 1; day < 29; ++day) {
    const Time handled = at("2026-02-01T00:00:00Z");
    const Time now{handled.ns + day * 86'400 * kSecond + day * 3'700 * kSecond};
    std::optional<Time> expected;
    for (auto slot = calendar.next(handled); slot && *slot <= now; slot = calendar.next(*slot)) expected = slot;
    const auto found = slot_due(calendar, handled, now);
    EXPECT_EQ(found ? std::optional(found->due) : std::nullopt, expected) << day;
  }
}

TEST(RandomDelay, IsTheSameForASlotAndSpreads) {
  std::set<std::int64_t> seen;
  for (int i = 0; i < 100; ++i) {
    const Time slot{i * 3'600 * kSecond};
    const std::int64_t delay = random_delay_ns("etc", slot, 60 * kSecond);
    EXPECT_EQ(delay, random_delay_ns("etc", slot, 60 * kSecond));
    EXPECT_GE(delay, 0);
    EXPECT_LT(delay, 60 * kSecond);
    seen.insert(delay / (10 * kSecond));
  }
  EXPECT_EQ(seen.size(), 6U);
  EXPECT_EQ(random_delay_ns("etc", Time{}, 0), 0);
}

TEST(RetryDelay, DoublesAndEnds) {
  config::Job job;
  job.retries = 3;
  job.retry_delay_ns = 60 * kSecond;
  EXPECT_EQ(retry_delay_ns(job, 1), 60 * kSecond);
  EXPECT_EQ(retry_delay_ns(job, 2), 120 * kSecond);
  EXPECT_EQ(retry_delay_ns(job, 3), 240 * kSecond);
  EXPECT_FALSE(retry_delay_ns(job, 4));
  job.retries = 100;
  EXPECT_EQ(retry_delay_ns(job, 90), 86'400 * kSecond);
}

}  // namespace
}  // namespace qcbak::daemon
