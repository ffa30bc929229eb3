// As faults_test.cc, with several packs: what fails in the middle of a run, while its threads are at work.
#include <gtest/gtest.h>

#include "tests/backup/rehearsal.h"

namespace qcbak::tests {
namespace {

using simulated::Medium;
using simulated::SimulatedStorage;
using Failure = SimulatedStorage::Failure;
using End = Rehearsal::End;

RehearsalOptions several_packs() {
  RehearsalOptions options;
  options.new_files = 40;
  options.new_file_bytes = 1U << 20;
  return options;
}

SimulatedStorage::Counters undisturbed(Rehearsal& rehearsal) {
  const auto medium = rehearsal.begin();
  SimulatedStorage process(*medium);
  EXPECT_EQ(rehearsal.run(process), End::succeeded);
  return process.counters();
}

TEST(BackupCampaign, EveryFailingChange) {
  Rehearsal rehearsal(several_packs());
  const std::uint64_t mutations = undisturbed(rehearsal).mutations;
  for (const Failure failure : {Failure::before, Failure::after, Failure::flush})
    for (std::uint64_t nth = 1; nth <= mutations; ++nth) {
      SCOPED_TRACE(testing::Message() << "mutation " << nth << ", kind " << static_cast<int>(failure));
      const auto medium = rehearsal.begin();
      SimulatedStorage process(*medium);
      process.fail_mutation(nth, failure);
      const Resources before = Resources::used();
      EXPECT_EQ(rehearsal.run(process), End::failed);
      EXPECT_EQ(Resources::used(), before);
      if (failure == Failure::flush) medium->power_loss(nth);
      rehearsal.expect_usable(*medium);
    }
}

TEST(BackupCampaign, PowerLossAtEveryStep) {
  Rehearsal rehearsal(several_packs());
  const std::uint64_t steps = undisturbed(rehearsal).steps;
  constexpr std::uint64_t kSeeds = 2;
  for (std::uint64_t step = 1; step <= steps; ++step) {
    const auto medium = rehearsal.begin();
    SimulatedStorage process(*medium);
    process.lose_power_at_step(step);
    const Resources before = Resources::used();
    EXPECT_EQ(rehearsal.run(process), End::died) << step;
    EXPECT_EQ(Resources::used(), before);
    rehearsal.keep_cache("died");
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      SCOPED_TRACE(testing::Message() << "step " << step << ", seed " << seed);
      rehearsal.put_back_cache("died");
      const auto after = medium->copy();
      after->power_loss(step * kSeeds + seed);
      rehearsal.expect_usable(*after);
    }
  }
}

TEST(BackupCampaign, AMediumThatFillsUpMeanwhile) {
  Rehearsal rehearsal(several_packs());
  const std::uint64_t used = rehearsal.begin()->used_bytes();
  for (std::uint64_t free = repository::kFreeReserveBytes; free < repository::kFreeReserveBytes + (40U << 20);
       free += 5U << 20) {
    SCOPED_TRACE(free);
    const auto medium = rehearsal.begin();
    medium->set_capacity(used + free);
    SimulatedStorage process(*medium);
    ASSERT_EQ(rehearsal.run(process), End::failed);
    EXPECT_EQ(rehearsal.error()->code(), ErrorCode::no_space);
    medium->set_capacity(Medium::kUnlimited);
    rehearsal.expect_usable(*medium);
  }
}

TEST(BackupCampaign, PowerLossAtEveryStepOfAnInit) {
  const Bytes password = to_bytes(as_bytes("password"));
  const SystemClock clock;
  SystemRandom random;
  for (std::uint64_t step = 1;; ++step) {
    SCOPED_TRACE(step);
    Medium medium;
    bool died = false;
    {
      SimulatedStorage process(medium);
      process.lose_power_at_step(step);
      try {
        repository::create_repository(process, {}, password, clock.now(), random);
      } catch (const simulated::PowerLost&) {
        died = true;
      }
    }
    if (!died) break;
    medium.power_loss(step);
    SimulatedStorage process(medium);
    const auto lock = repository::lock_for_writing(process, clock, 0, {});
    if (!process.size("config")) repository::create_repository(process, {}, password, clock.now(), random);
    repository::Repository repository(process, {});
    repository.unlock_with_password(password);
    EXPECT_EQ(repository.domains().size(), 1U);
  }
}

}  // namespace
}  // namespace qcbak::tests
