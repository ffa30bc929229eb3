// A process that dies at every write and flush there is, and is taken up again.
#include <gmock/gmock.h>

#include <cerrno>

#include "tests/wipe/simulated_job.h"

namespace qcbak::wipe {
namespace {

using simulated::kBlockBytes;
using testing::ElementsAre;
using testing::SizeIs;
using tests::Death;
using tests::dies_at;
using tests::kChunks;
using tests::kKill;
using tests::SimulatedJob;
using tests::verdict_of;

constexpr Death kDeaths[] = {kKill, 1, 2, 3};

std::string name_of(Death death) { return death ? "power loss " + std::to_string(*death) : "kill"; }

Range block(std::uint64_t number) { return {number * kBlockBytes, kBlockBytes}; }

void expect_as_planned(SimulatedJob& job, const OverwriteResult& result, const std::string& when) {
  job.disk.power_loss(99);
  EXPECT_EQ(job.disk.content(), job.expected("R", 3)) << when;
  EXPECT_EQ(verdict_of(result), Verdict::clear) << when;
  for (const StepProgress& step : result.progress.steps) EXPECT_EQ(step.done_bytes, tests::kDiskBytes) << when;
}

TEST(OverwriteInterrupted, AtEveryWriteAndFlushEndsAsPlanned) {
  for (const Death death : kDeaths) {
    for (std::uint64_t nth = 1;; ++nth) {
      SimulatedJob job("hmg-is5-enhanced");
      if (!dies_at(job, nth, death)) {
        EXPECT_GT(nth, 3 * kChunks);
        break;
      }
      const OverwriteResult result = job.run();
      const std::string when = name_of(death) + " at " + std::to_string(nth);
      expect_as_planned(job, result, when);
      EXPECT_THAT(result.progress.segments, SizeIs(nth == 1 ? 1 : 2)) << when;
    }
  }
}

TEST(OverwriteInterrupted, AgainAndAgainEndsAsPlanned) {
  for (std::uint64_t every = 4; every < 12; ++every) {
    SimulatedJob job("hmg-is5-enhanced");
    std::uint64_t deaths = 0;
    while (dies_at(job, every, kDeaths[++deaths % std::size(kDeaths)])) ASSERT_LT(deaths, 200) << every;
    EXPECT_GT(deaths, 2);
    expect_as_planned(job, job.run(), std::to_string(every));
  }
}

TEST(OverwriteInterrupted, KeepsWhatItKnewOfBadBlocks) {
  for (std::uint64_t nth = 1;; ++nth) {
    SimulatedJob job("nist-clear");
    job.disk.fail_writing(2, EIO);
    job.disk.fail_writing(9, EIO);
    const bool died = dies_at(job, nth, kDeaths[1]);
    const OverwriteResult result = job.run();
    EXPECT_THAT(result.progress.steps[0].bad.ranges(), ElementsAre(block(2), block(9))) << nth;
    EXPECT_EQ(result.progress.steps[0].done_bytes, tests::kDiskBytes - 2 * kBlockBytes) << nth;
    EXPECT_EQ(verdict_of(result), Verdict::destroy) << nth;
    if (!died) break;
  }
}

}  // namespace
}  // namespace qcbak::wipe
