#include "daemon/scheduler.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <ctime>
#include <limits>

#include "base/error.h"
#include "tests/support/seeded_random.h"
#include "tests/support/temporary_directory.h"

namespace qcbak::daemon {
namespace {

using tests::TemporaryDirectory;
using tests::SeededRandom;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kMinute = 60 * kSecond;

Time at(std::string_view text) { return parse_time(text).value(); }
Time local(std::string_view text) { return parse_time(text).value(); }  // in the zone of this process
Time slot_before(Time time) { return Time{time.ns - time.ns % (60 * kMinute)}; }
Time operator+(Time time, std::int64_t ns) { return Time{time.ns + ns}; }

class SchedulerTest : public testing::Test {
 protected:
  using Run = daemon::Run;  // testing::Test has another
  SchedulerTest() {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    config::Job hourly;
    hourly.name = "hourly";
    hourly.schedule = config::Calendar::parse("*:00:00 UTC");
    hourly.retries = 2;
    hourly.retry_delay_ns = kMinute;
    jobs_.push_back(hourly);
    open(noon_);
  }
  void open(Time now) {
    scheduler_.reset();
    state_ = std::make_unique<State>(directory_.path() + "/state.db");
    scheduler_ = std::make_unique<Scheduler>(jobs_, *state_, random_, now);
  }
  config::Job& watched() {
    config::Job job;
    job.name = "watched";
    job.on_change = true;
    job.debounce_ns = 5 * kSecond;
    jobs_.push_back(job);
    return jobs_.back();
  }
  std::optional<Time> end(Run run, Time now, Outcome outcome) {
    run.ended = now;
    run.outcome = outcome;
    return scheduler_->ended(run);
  }
  const Time noon_ = at("2026-11-21T12:30:00Z");
  const Time one_ = at("2026-11-21T13:00:00Z");
  const TemporaryDirectory directory_;
  SeededRandom random_{1};
  std::vector<config::Job> jobs_;
  std::unique_ptr<State> state_;
  std::unique_ptr<Scheduler> scheduler_;
};

TEST_F(SchedulerTest, StartsInsideOfItsWindowAlone) {
  jobs_[0].windows.add("22:00..05:00");
  open(noon_);
  EXPECT_FALSE(scheduler_->start(one_));
  EXPECT_EQ(scheduler_->next(one_), local("2026-11-21T22:00:00"));
  const auto run = scheduler_->start(local("2026-11-21T22:00:10"));
  ASSERT_TRUE(run);
  EXPECT_EQ(run->slot, slot_before(local("2026-11-21T22:00:10")));
  const Time failed = local("2026-11-22T04:59:30");
  end(*run, failed, Outcome::failed);
  EXPECT_FALSE(scheduler_->start(local("2026-11-22T05:01:00")));
}

TEST_F(SchedulerTest, OnRequestItStartsAtAnyTime) {
  jobs_[0].windows.add("22:00..05:00");
  open(noon_);
  scheduler_->request("hourly", "lan");
  EXPECT_TRUE(scheduler_->start(noon_ + kSecond));
}

TEST_F(SchedulerTest, WhatIsHeldStartsNotEvenOnRequestAndMakesUpForItOnce) {
  scheduler_->hold({"hourly"});
  scheduler_->request("hourly", "lan");
  EXPECT_FALSE(scheduler_->start(one_));
  EXPECT_FALSE(scheduler_->start(one_ + 120 * kMinute));
  EXPECT_FALSE(scheduler_->next(one_ + 120 * kMinute));
  scheduler_->hold({});
  const auto run = scheduler_->start(one_ + 120 * kMinute);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->slot, one_ + 120 * kMinute);
  end(*run, one_ + 121 * kMinute, Outcome::complete);
  EXPECT_FALSE(scheduler_->start(one_ + 122 * kMinute));
}

TEST_F(SchedulerTest, RunsASlotOnce) {
  EXPECT_FALSE(scheduler_->start(noon_));
  EXPECT_EQ(scheduler_->next(noon_), one_);
  const auto run = scheduler_->start(one_);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->slot, one_);
  EXPECT_EQ(run->reason, Reason::schedule);
  EXPECT_FALSE(scheduler_->start(one_)) << "one run a job at a time";
  EXPECT_FALSE(end(*run, one_ + kSecond, Outcome::complete));
  EXPECT_FALSE(scheduler_->start(one_ + 2 * kSecond));
  EXPECT_EQ(scheduler_->next(one_ + 2 * kSecond), one_ + 60 * kMinute);
}

TEST_F(SchedulerTest, MakesUpForWhatWasMissedWithOneRun) {
  open(one_ + 5 * 60 * kMinute);
  const auto run = scheduler_->start(one_ + 5 * 60 * kMinute);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->slot, one_ + 5 * 60 * kMinute);
  end(*run, one_ + 5 * 60 * kMinute, Outcome::complete);
  EXPECT_FALSE(scheduler_->start(one_ + 5 * 60 * kMinute + kSecond));
}

TEST_F(SchedulerTest, TriesAgainWhatFailedAndThenGivesUp) {
  auto run = scheduler_->start(one_);
  EXPECT_EQ(end(*run, one_, Outcome::failed), one_ + kMinute);
  EXPECT_EQ(scheduler_->next(one_), one_ + kMinute);
  EXPECT_FALSE(scheduler_->start(one_ + kMinute + -1));
  open(one_ + 30 * kSecond);  // also the next life knows
  run = scheduler_->start(one_ + kMinute);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->tries, 2);
  EXPECT_EQ(run->slot, one_);
  EXPECT_EQ(end(*run, one_ + kMinute, Outcome::failed), one_ + 3 * kMinute);
  run = scheduler_->start(one_ + 3 * kMinute);
  ASSERT_TRUE(run);
  EXPECT_FALSE(end(*run, one_ + 3 * kMinute, Outcome::failed));
  EXPECT_EQ(scheduler_->next(one_ + 4 * kMinute), one_ + 60 * kMinute);
}

TEST_F(SchedulerTest, GoesOnAtOnceAfterAnInterruptionHoweverOften) {
  Time now = one_;
  for (int tries = 1; tries < 20; ++tries, now = now + kSecond) {
    const auto run = scheduler_->start(now);
    ASSERT_TRUE(run);
    EXPECT_EQ(run->tries, tries);
    EXPECT_EQ(run->failures, 0);
    end(*run, now, Outcome::interrupted);
    if (tries % 2 == 0) open(now);
  }
}

TEST_F(SchedulerTest, DoesNotTryAgainWhatWasCancelled) {
  const auto run = scheduler_->start(one_);
  EXPECT_FALSE(end(*run, one_ + kSecond, Outcome::cancelled));
  EXPECT_FALSE(scheduler_->start(one_ + 10 * kMinute));
}

TEST_F(SchedulerTest, ANewSlotReplacesATryThatWaits) {
  auto run = scheduler_->start(one_);
  end(*run, one_ + 59 * kMinute + 30 * kSecond, Outcome::failed);
  run = scheduler_->start(one_ + 61 * kMinute);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->slot, one_ + 60 * kMinute);
  EXPECT_EQ(run->tries, 1);
  end(*run, one_ + 61 * kMinute, Outcome::complete);
  EXPECT_FALSE(scheduler_->start(one_ + 62 * kMinute));
}

TEST_F(SchedulerTest, RunsOnRequest) {
  scheduler_->request("hourly", "lan");
  EXPECT_THROW(scheduler_->request("hourly", "lan"), Error);
  EXPECT_EQ(scheduler_->next(noon_), noon_);
  const auto run = scheduler_->start(noon_);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->reason, Reason::request);
  EXPECT_EQ(run->asked_by, "lan");
  EXPECT_FALSE(run->slot);
  EXPECT_THROW(scheduler_->request("hourly", "lan"), Error) << "it is running";
  EXPECT_THROW(scheduler_->request("nothing", "lan"), Error);
}

TEST_F(SchedulerTest, RunsAfterAChangeOnceItIsQuiet) {
  watched();
  open(noon_);
  auto run = scheduler_->start(noon_);  // what happened before is not known
  ASSERT_TRUE(run);
  EXPECT_EQ(run->job, "watched");
  end(*run, noon_, Outcome::unchanged);
  EXPECT_FALSE(scheduler_->start(noon_ + 20 * kSecond));

  scheduler_->changed("watched", noon_ + 20 * kSecond);
  scheduler_->changed("watched", noon_ + 23 * kSecond);
  EXPECT_FALSE(scheduler_->start(noon_ + 26 * kSecond));
  EXPECT_EQ(scheduler_->next(noon_ + 26 * kSecond), noon_ + 28 * kSecond);
  run = scheduler_->start(noon_ + 28 * kSecond);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->reason, Reason::change);
  scheduler_->changed("watched", noon_ + 29 * kSecond);  // while it runs: one more
  end(*run, noon_ + 30 * kSecond, Outcome::complete);
  EXPECT_TRUE(scheduler_->start(noon_ + 40 * kSecond));
}

TEST_F(SchedulerTest, DoesNotWaitForEverForASourceThatNeverRests) {
  watched();
  open(noon_);
  end(*scheduler_->start(noon_), noon_, Outcome::unchanged);
  Time now = noon_ + kSecond;
  for (; now < noon_ + 10 * kMinute; now = now + kSecond) {
    scheduler_->changed("watched", now);
    if (scheduler_->start(now)) break;
  }
  EXPECT_EQ(now, noon_ + 51 * kSecond);
}

TEST_F(SchedulerTest, AClockThatWasAheadStopsNothing) {
  const Time ahead = at("2031-01-01T00:00:00Z");
  open(ahead);
  auto run = scheduler_->start(ahead);
  ASSERT_TRUE(run);
  end(*run, ahead, Outcome::complete);
  open(noon_);
  run = scheduler_->start(one_);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->slot, one_);
  end(*run, one_, Outcome::complete);
  // Years later the slot comes that was run too early: it is not run again, and those after it are.
  open(ahead + -kMinute);
  if (const auto missed = scheduler_->start(ahead + -kMinute)) end(*missed, ahead + -kMinute, Outcome::complete);
  EXPECT_FALSE(scheduler_->start(ahead));
  EXPECT_TRUE(scheduler_->start(ahead + 60 * kMinute));
}

TEST_F(SchedulerTest, KnowsWhatRunsWhenTheConfigurationIsReadAgain) {
  const auto run = scheduler_->start(one_);
  scheduler_ = std::make_unique<Scheduler>(jobs_, *state_, random_, one_ + kSecond);
  scheduler_->resume(*run);
  EXPECT_TRUE(scheduler_->running("hourly"));
  EXPECT_FALSE(scheduler_->start(one_ + 60 * kMinute));
  end(*run, one_ + 61 * kMinute, Outcome::complete);
  EXPECT_EQ(scheduler_->start(one_ + 62 * kMinute)->slot, one_ + 60 * kMinute);

  const std::vector<config::Job> none;
  scheduler_ = std::make_unique<Scheduler>(none, *state_, random_, one_);
  EXPECT_FALSE(end(*run, one_ + 63 * kMinute, Outcome::failed)) << "its job is gone";
}

}  // namespace
}  // namespace qcbak::daemon
