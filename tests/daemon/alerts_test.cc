#include "daemon/alerts.h"

#include <gmock/gmock.h>

#include "tests/support/temporary_directory.h"

namespace qcbak::daemon {
namespace {

using config::AlertKind;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Time kNow{1'795'000'000'000'000'000};
constexpr std::int64_t kMinute = 60'000'000'000;
constexpr std::int64_t kDay = 1440 * kMinute;
constexpr std::uint64_t kGiB = 1U << 30;

class AlertsTest : public testing::Test {
 protected:
  AlertSources sources() { return {jobs_, state_, unwatched_, held_, plan_approved_, {}, {}, {}, false, {}, {}, {}, standing_}; }
  std::vector<std::string> keys(const AlertSources& from) {
    std::vector<std::string> keys;
    for (const Alert& alert : current_alerts(from, kNow)) keys.push_back(alert.key);
    return keys;
  }
  void run(const std::string& id, std::int64_t minutes_ago, std::optional<Outcome> outcome) {
    daemon::Run run;
    run.id = id + std::string(32 - id.size(), '0');
    run.job = "etc";
    run.reason = Reason::request;
    run.started = Time{kNow.ns - minutes_ago * kMinute};
    run.asked_by = "lan";
    state_.begin(run);
    if (!outcome) return;
    run.ended = run.started;
    run.outcome = outcome;
    state_.end(run);
  }
  void SetUp() override {
    config::Job job;
    job.name = "etc";
    jobs_.push_back(job);
  }
  const tests::TemporaryDirectory directory_;
  State state_{directory_.path() + "/state.db"};
  std::vector<config::Job> jobs_;
  std::set<std::string> unwatched_;
  std::map<std::string, std::string> held_;
  bool plan_approved_ = true;
  std::map<std::string, Time> standing_;
};

TEST_F(AlertsTest, AFailureStandsUntilARunComesToAnotherEnd) {
  EXPECT_THAT(keys(sources()), IsEmpty());
  run("aaaaaaaa", 50, Outcome::failed);
  EXPECT_THAT(keys(sources()), ElementsAre("failure:etc"));
  EXPECT_EQ(current_alerts(sources(), kNow)[0].next, "qcbak job show aaaaaaaa");
  run("bbbbbbbb", 40, Outcome::interrupted);
  run("cccccccc", 30, Outcome::cancelled);
  run("dddddddd", 20, std::nullopt);  // the next try, in work
  EXPECT_THAT(keys(sources()), ElementsAre("failure:etc"));
  run("eeeeeeee", 10, Outcome::incomplete);
  EXPECT_THAT(keys(sources()), ElementsAre("incomplete:etc"));
  run("ffffffff", 5, Outcome::unchanged);
  EXPECT_THAT(keys(sources()), IsEmpty());
}

TEST_F(AlertsTest, SpaceThatIsLowOrWillBeAndIsClearlyEnoughAgainBeforeItGoes) {
  const auto space = [&](std::uint64_t free, std::optional<double> days) {
    AlertSources with = sources();
    with.free_bytes = free;
    with.days_left = days;
    return keys(with).size();
  };
  EXPECT_EQ(space(2 * kGiB, {}), 0U);
  EXPECT_EQ(space(kGiB - 1, {}), 1U);
  EXPECT_EQ(space(100 * kGiB, 13.9), 1U);
  EXPECT_EQ(space(100 * kGiB, 14.1), 0U);
  EXPECT_EQ(space(kGiB + 1, {}), 0U);
  standing_.emplace("space", kNow);
  EXPECT_EQ(space(kGiB + 1, {}), 1U);
  EXPECT_EQ(space(2 * kGiB, {}), 0U);
  EXPECT_EQ(space(100 * kGiB, 15), 1U);
  EXPECT_EQ(space(100 * kGiB, 17), 0U);
  AlertSources with = sources();
  with.free_bytes = 5 * kGiB;
  with.days_left = 9.7;
  const auto alerts = current_alerts(with, kNow);
  ASSERT_EQ(alerts.size(), 1U);
  EXPECT_EQ(alerts[0].what,
            "the repository's medium has only 5120 MiB left, and is full in about 9 days if it goes on like this");
  EXPECT_EQ(alerts[0].since, kNow);
}

TEST_F(AlertsTest, MessagesThatWaitADayOrWereGivenUp) {
  AlertSources with = sources();
  with.channels = {{"fresh", 1, Time{kNow.ns - kDay + kMinute}, "no route", 0},
                   {"old", 2, Time{kNow.ns - kDay - kMinute}, "no route", 0},
                   {"lost", 0, {}, "", 3}};
  const auto alerts = current_alerts(with, kNow);
  EXPECT_THAT(alerts, ElementsAre(Field(&Alert::key, "undelivered:old"), Field(&Alert::key, "undelivered:lost")));
  EXPECT_THAT(alerts[0].what, HasSubstr("old: 2 messages wait, the oldest since "));
  EXPECT_THAT(alerts[0].what, HasSubstr(": no route"));
  EXPECT_EQ(alerts[1].what, "lost: 3 were given up");
}

TEST_F(AlertsTest, JobsThatThePlanKeepsFromRunning) {
  held_["etc"] = "the approved plan has it otherwise";
  auto alerts = current_alerts(sources(), kNow);
  EXPECT_THAT(alerts, ElementsAre(Field(&Alert::key, "plan:etc")));
  EXPECT_EQ(alerts[0].what, "it is held: the approved plan has it otherwise");
  plan_approved_ = false;
  EXPECT_THAT(current_alerts(sources(), kNow), ElementsAre(Field(&Alert::key, "plan")));
}

TEST_F(AlertsTest, AccountsThatAreLockedAndAReviewThatIsDue) {
  AlertSources with = sources();
  Account account;
  account.name = "hoa";
  with.accounts = {account};
  with.review_due = Time{kNow.ns + 1};
  EXPECT_THAT(current_alerts(with, kNow), IsEmpty());
  account.name = "lan";
  account.locked = true;
  account.locked_since = kNow;
  account.locked_from = "10.0.0.9";
  with.accounts.push_back(account);
  with.review_due = Time{kNow.ns - 1};
  const auto alerts = current_alerts(with, kNow);
  EXPECT_THAT(alerts, ElementsAre(Field(&Alert::key, "login:lan"), Field(&Alert::key, "review")));
  EXPECT_THAT(alerts[0].what, HasSubstr("the last one from 10.0.0.9"));
  EXPECT_EQ(alerts[0].next, "qcbak user unlock lan");
}

TEST_F(AlertsTest, AClockThatJumpsOrIsNotKept) {
  Database database(directory_.path() + "/clock.db");
  ClockWatch watch(database);
  const auto reading = [](std::int64_t wall, std::int64_t boot, bool synchronised = true) {
    return ClockReading{Time{kNow.ns + wall}, boot, synchronised};
  };
  EXPECT_FALSE(watch.look(reading(0, 0)));
  EXPECT_FALSE(watch.look(reading(5 * kMinute, 3 * kMinute)));  // exactly two minutes
  const auto jump = watch.look(reading(5 * kMinute - kDay, 4 * kMinute));
  ASSERT_TRUE(jump);
  EXPECT_EQ(jump->expected.ns, kNow.ns + 6 * kMinute);
  EXPECT_EQ(jump->found.ns, kNow.ns + 5 * kMinute - kDay);
  EXPECT_FALSE(watch.look(reading(6 * kMinute - kDay, 5 * kMinute)));
  ClockWatch next_life(database);
  EXPECT_TRUE(next_life.jump(Time{kNow.ns}));
  EXPECT_FALSE(next_life.jump(Time{kNow.ns + 5 * kMinute}));

  EXPECT_FALSE(watch.unsynchronised());
  watch.look(reading(7 * kMinute - kDay, 6 * kMinute, false));
  watch.look(reading(67 * kMinute - kDay, 66 * kMinute, false));
  EXPECT_FALSE(watch.unsynchronised());
  watch.look(reading(68 * kMinute - kDay, 67 * kMinute, false));
  EXPECT_TRUE(watch.unsynchronised());
  watch.look(reading(69 * kMinute - kDay, 68 * kMinute, true));
  EXPECT_FALSE(watch.unsynchronised());

  AlertSources with = sources();
  with.clock_jump = jump;
  with.clock_unsynchronised = true;
  EXPECT_THAT(keys(with), ElementsAre("clock:jumped", "clock:unsynchronised"));
}

}  // namespace
}  // namespace qcbak::daemon
