#include "backup/repository/retention.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <ctime>
#include <set>

#include "tests/support/seeded_random.h"

namespace qcbak::repository {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace tests;

// Zones as POSIX writes them: they need no database.
constexpr const char* kBerlin = "CET-1CEST,M3.5.0,M10.5.0/3";

class Zone {
 public:
  explicit Zone(const char* name) {
    if (const char* before = std::getenv("TZ")) before_ = before;
    ::setenv("TZ", name, 1);
    ::tzset();
  }
  ~Zone() {
    if (before_)
      ::setenv("TZ", before_->c_str(), 1);
    else
      ::unsetenv("TZ");
    ::tzset();
  }

 private:
  std::optional<std::string> before_;
};

SnapshotId id_of(std::size_t number) {
  SnapshotId id;
  store_le<std::uint64_t>(id.value.data(), number);
  return id;
}

// One group of the times given, in their order.
std::vector<RetentionCandidate> candidates_at(const std::vector<std::string>& times) {
  std::vector<RetentionCandidate> candidates;
  for (const std::string& text : times) {
    const auto time = parse_time(text);
    EXPECT_TRUE(time) << text;
    candidates.push_back({id_of(candidates.size()), *time, "group", false});
  }
  return candidates;
}

std::vector<std::size_t> kept(const KeepRule& rule, const std::vector<RetentionCandidate>& candidates) {
  std::vector<std::size_t> places;
  const auto decisions = decide_retention(rule, candidates);
  EXPECT_EQ(decisions.size(), candidates.size());
  for (std::size_t place = 0; place < decisions.size(); ++place) {
    EXPECT_EQ(decisions[place].id, candidates[place].id);
    EXPECT_EQ(decisions[place].keep, !decisions[place].reason.empty());
    if (decisions[place].keep) places.push_back(place);
  }
  return places;
}

KeepRule rule_of(unsigned KeepRule::*count, unsigned value) {
  KeepRule rule;
  rule.*count = value;
  return rule;
}
KeepRule last(unsigned count) { return rule_of(&KeepRule::last, count); }
KeepRule daily(unsigned count) { return rule_of(&KeepRule::daily, count); }
KeepRule weekly(unsigned count) { return rule_of(&KeepRule::weekly, count); }
KeepRule monthly(unsigned count) { return rule_of(&KeepRule::monthly, count); }
KeepRule yearly(unsigned count) { return rule_of(&KeepRule::yearly, count); }
KeepRule within(std::int64_t ns) {
  KeepRule rule;
  rule.within_ns = ns;
  return rule;
}

TEST(Retention, NoRuleKeepsAll) {
  const auto candidates = candidates_at({"2026-01-01T00:00:00Z", "1999-01-01T00:00:00Z"});
  EXPECT_THAT(kept({}, candidates), ElementsAre(0, 1));
  EXPECT_EQ(decide_retention({}, candidates)[0].reason, "no rule");
  EXPECT_THAT(decide_retention(last(3), {}), IsEmpty());
}

TEST(Retention, LastCountsFromTheNewestInWhateverOrderTheyCome) {
  const auto candidates = candidates_at({"2026-01-03T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"});
  EXPECT_THAT(kept(last(2), candidates), ElementsAre(0, 2));
  EXPECT_THAT(kept(last(9), candidates), ElementsAre(0, 1, 2));
}

TEST(Retention, OfEqualTimesTheLaterInTheListIsTheNewer) {
  const auto candidates = candidates_at({"2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"});
  EXPECT_THAT(kept(last(1), candidates), ElementsAre(2));
  EXPECT_THAT(kept(daily(5), candidates), ElementsAre(2));
  EXPECT_THAT(kept(within(0), candidates), ElementsAre(0, 1, 2));
}

TEST(Retention, DaysThatHaveNoneAreNotCounted) {
  const Zone zone("UTC");
  const auto candidates =
      candidates_at({"2026-01-01T10:00:00Z", "2026-03-01T08:00:00Z", "2026-03-01T09:00:00Z", "2026-07-01T10:00:00Z"});
  EXPECT_THAT(kept(daily(2), candidates), ElementsAre(2, 3));
  EXPECT_THAT(kept(daily(3), candidates), ElementsAre(0, 2, 3));
}

TEST(Retention, DaysAreThoseOfTheLocalZone) {
  // 16:59 and 17:00 UTC are two days in Hanoi, and one in London.
  const auto candidates = candidates_at({"2026-05-10T16:59:59Z", "2026-05-10T17:00:00Z"});
  {
    const Zone zone("ICT-7");
    EXPECT_THAT(kept(daily(2), candidates), ElementsAre(0, 1));
    EXPECT_EQ(decide_retention(daily(2), candidates)[1].reason, "daily 2026-05-11");
  }
  const Zone zone("GMT0BST,M3.5.0/1,M10.5.0");
  EXPECT_THAT(kept(daily(2), candidates), ElementsAre(1));
}

TEST(Retention, DaysOfTwentyThreeAndTwentyFiveHoursAreDays) {
  const Zone zone(kBerlin);
  // 2026-03-29 has 23 hours, 2026-10-25 has 25; both 02:30s of the latter are that day.
  EXPECT_THAT(kept(daily(9), candidates_at({"2026-03-28T22:59:59Z", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z",
                                            "2026-03-29T22:00:00Z"})),
              ElementsAre(0, 2, 3));
  EXPECT_THAT(kept(daily(9), candidates_at({"2026-10-24T22:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z",
                                            "2026-10-25T22:59:59Z", "2026-10-25T23:00:00Z"})),
              ElementsAre(3, 4));
}

TEST(Retention, LeapDays) {
  const Zone zone("UTC");
  const auto candidates = candidates_at({"2028-02-28T12:00:00Z", "2028-02-29T12:00:00Z", "2028-03-01T12:00:00Z"});
  EXPECT_THAT(kept(daily(3), candidates), ElementsAre(0, 1, 2));
  EXPECT_EQ(decide_retention(daily(2), candidates)[1].reason, "daily 2028-02-29");
  EXPECT_THAT(kept(monthly(2), candidates), ElementsAre(1, 2));
}

TEST(Retention, WeeksAreThoseOfIso8601) {
  const Zone zone("UTC");
  // Friday 2027-01-01 is in week 53 of 2026; Monday 2018-12-31 is in week 1 of 2019.
  const auto turn =
      candidates_at({"2026-12-28T00:00:00Z", "2027-01-01T00:00:00Z", "2027-01-03T23:59:59Z", "2027-01-04T00:00:00Z"});
  EXPECT_THAT(kept(weekly(9), turn), ElementsAre(2, 3));
  EXPECT_EQ(decide_retention(weekly(9), turn)[2].reason, "weekly 2026-W53");
  EXPECT_EQ(decide_retention(weekly(9), candidates_at({"2018-12-31T00:00:00Z"}))[0].reason, "weekly 2019-W01");
}

TEST(Retention, MonthsAndYears) {
  const Zone zone("UTC");
  const auto candidates =
      candidates_at({"2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z", "2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z"});
  EXPECT_THAT(kept(monthly(2), candidates), ElementsAre(2, 3));
  EXPECT_THAT(kept(yearly(2), candidates), ElementsAre(0, 3));
  EXPECT_EQ(decide_retention(yearly(2), candidates)[0].reason, "yearly 2025");
}

TEST(Retention, WithinCountsFromTheNewestOfTheGroupNotFromNow) {
  const auto candidates = candidates_at({"1990-01-01T00:00:00Z", "1990-01-30T00:00:00Z", "1990-01-31T00:00:00Z"});
  EXPECT_THAT(kept(within(kDayNs), candidates), ElementsAre(1, 2));
  EXPECT_THAT(kept(within(kDayNs - 1), candidates), ElementsAre(2));
  EXPECT_THAT(kept(within(INT64_MAX), candidates), ElementsAre(0, 1, 2));
  EXPECT_EQ(decide_retention(within(30 * kDayNs), candidates)[0].reason, "within 30d");
  EXPECT_EQ(decide_retention(within(36 * kHourNs), candidates)[1].reason, "within 36h");
}

TEST(Retention, TimesBefore1970) {
  const Zone zone("UTC");
  const std::vector<RetentionCandidate> candidates{{id_of(0), {-1}, "g", false}, {id_of(1), {0}, "g", false}};
  EXPECT_THAT(kept(daily(2), candidates), ElementsAre(0, 1));
  EXPECT_EQ(decide_retention(daily(2), candidates)[0].reason, "daily 1969-12-31");
  const std::vector<RetentionCandidate> ends{{id_of(0), {INT64_MIN}, "g", false}, {id_of(1), {INT64_MAX}, "g", false}};
  EXPECT_THAT(kept(within(INT64_MAX), ends), ElementsAre(1));
  EXPECT_THAT(kept(yearly(2), ends), ElementsAre(0, 1));
}

TEST(Retention, WhatIsHeldOrLockedIsKept) {
  auto candidates = candidates_at({"2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"});
  candidates[0].locked = true;
  EXPECT_THAT(kept(last(1), candidates), ElementsAre(0, 2));
  EXPECT_EQ(decide_retention(last(1), candidates)[0].reason, "held or locked");
  candidates[2].locked = true;
  EXPECT_EQ(decide_retention(last(1), candidates)[2].reason, "last, held or locked");
}

TEST(Retention, EachGroupByItself) {
  auto candidates =
      candidates_at({"2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"});
  candidates[0].group = candidates[1].group = "a machine that is gone";
  EXPECT_THAT(kept(last(1), candidates), ElementsAre(1, 3));
  EXPECT_THAT(kept(within(0), candidates), ElementsAre(1, 3));
}

TEST(Retention, RulesAddUp) {
  const Zone zone("UTC");
  const auto candidates =
      candidates_at({"2024-06-01T00:00:00Z", "2025-06-01T00:00:00Z", "2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z"});
  KeepRule rule = last(1);
  rule.daily = 2;
  rule.yearly = 3;
  EXPECT_THAT(kept(rule, candidates), ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(decide_retention(rule, candidates)[3].reason, "last, daily 2026-06-02, yearly 2026");
}

// For random histories and rules: the newest of each group stays, and a rule that asks for more keeps all that the
// smaller one kept.
TEST(Retention, AnExtendedRuleNeverKeepsFewer) {
  SeededRandom random(7);
  for (int round = 0; round < 500; ++round) {
    const Zone zone(random.one_in(2) ? "NST3:30NDT,M3.2.0,M11.1.0" : "XXX-13");
    std::vector<RetentionCandidate> candidates;
    for (std::uint64_t i = random.below(60) + 1; i-- > 0;)
      candidates.push_back({id_of(candidates.size()),
                            {static_cast<std::int64_t>(random.below(1200 * static_cast<std::uint64_t>(kDayNs)))},
                            random.one_in(3) ? "a" : "b",
                            random.one_in(10)});
    KeepRule rule;
    unsigned* const counts[] = {&rule.last, &rule.daily, &rule.weekly, &rule.monthly, &rule.yearly};
    for (unsigned* count : counts) *count = random.one_in(2) ? static_cast<unsigned>(random.below(6)) : 0;
    if (random.one_in(3)) rule.within_ns = static_cast<std::int64_t>(random.below(90)) * kDayNs;
    if (rule.empty()) rule.last = 1;
    const auto before = kept(rule, candidates);

    std::map<std::string, std::size_t> newest;
    for (std::size_t place = 0; place < candidates.size(); ++place) {
      const auto [at, added] = newest.try_emplace(candidates[place].group, place);
      if (!added && candidates[place].time >= candidates[at->second].time) at->second = place;
    }
    const std::set<std::size_t> kept_before(before.begin(), before.end());
    for (const auto& [group, place] : newest) EXPECT_TRUE(kept_before.contains(place));

    for (unsigned* count : counts) {
      ++*count;
      const auto after = kept(rule, candidates);
      EXPECT_TRUE(std::includes(after.begin(), after.end(), before.begin(), before.end()));
      --*count;
    }
    rule.within_ns = rule.within_ns.value_or(0) + kDayNs;
    const auto after = kept(rule, candidates);
    EXPECT_TRUE(std::includes(after.begin(), after.end(), before.begin(), before.end()));
  }
}

}  // namespace
}  // namespace qcbak::repository
