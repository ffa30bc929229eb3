// As faults_test.cc, with several packs: what fails in the middle of a run, while its threads are at work.
#include <gtest/gtest.h>

#include "tests/backup/rehearsal.h"

namespace qcbak::tests {
namespace {

using simulated::Medium;
using simulated::SimulatedStorage;
using End = Rehearsal::End;

RehearsalOptions several_packs() {
  RehearsalOptions options;
  options.new_files = 40;
  options.new_file_bytes = 1U << 20;
  return options;
}

TEST(BackupCampaign, EveryFailingChange) {
  Rehearsal rehearsal(several_packs());
  expect_every_failing_change_survived(rehearsal);
}

TEST(BackupCampaign, PowerLossAtEveryStep) {
  Rehearsal rehearsal(several_packs());
  expect_power_loss_at_every_step_survived(rehearsal);
}

TEST(BackupCampaign, AMediumThatFillsUpMeanwhile) {
  Rehearsal rehearsal(several_packs());
  std::vector<std::uint64_t> free;
  for (std::uint64_t bytes = 0; bytes < 40U << 20; bytes += 5U << 20) free.push_back(repository::kFreeReserveBytes + bytes);
  expect_full_medium_survived(rehearsal, free);
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
