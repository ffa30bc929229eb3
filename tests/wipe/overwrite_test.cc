#include "wipe/overwrite.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "tests/support/code_of.h"
#include "tests/wipe/simulated_job.h"

namespace qcbak::wipe {
namespace {

using simulated::Healing;
using simulated::kBlockBytes;
using simulated::PowerLost;
using simulated::SimulatedDisk;
using testing::ElementsAre;
using testing::SizeIs;
using tests::code_of;
using tests::dies_at;
using tests::kChunkBytes;
using tests::kChunks;
using tests::kKill;
using tests::SimulatedJob;
using tests::verdict_of;

Range block(std::uint64_t number) { return {number * kBlockBytes, kBlockBytes}; }

ByteView part(const Bytes& bytes, Range range) { return ByteView(bytes).subspan(range.offset, range.size_bytes); }

// Typed, like the table in plan_test.cc: the last writing step of each plan, and its number.
struct LastPass {
  const char* plan;
  const char* text;
  std::uint32_t step;
};
constexpr LastPass kLastPasses[] = {
    {"nist-clear", "00", 1},      {"dod-3pass", "R", 3},  {"dod-ece", "R", 7},      {"hmg-is5-baseline", "00", 1},
    {"hmg-is5-enhanced", "R", 3}, {"bsi-vsitr", "AA", 7}, {"gost-r-50739", "R", 2}, {"ops-ii", "R", 7},
    {"itsg-06", "R", 3},          {"ar-380-19", "~B", 3}, {"afssi-5020", "R", 3},   {"navso-mfm", "R", 3},
    {"navso-rll", "R", 3},        {"nnsa", "00", 3},      {"schneier", "R", 7},     {"gutmann", "R", 35},
    {"bmb21-2019", "00", 7},
};

TEST(Overwrite, LeavesTheLastPassOfEveryPlanAndNothingElse) {
  const auto only_overwrites = [](const Plan& plan) { return std::ranges::all_of(plan.steps, overwrites); };
  ASSERT_EQ(std::ssize(kLastPasses), std::ranges::count_if(shipped_plans(), only_overwrites));
  for (const LastPass& last : kLastPasses) {
    SimulatedJob job(last.plan);
    const OverwriteResult result = job.run();
    EXPECT_EQ(job.disk.content(), job.expected(last.text, last.step)) << last.plan;
    EXPECT_EQ(verdict_of(result), Verdict::clear) << last.plan;
  }
}

TEST(Overwrite, PassesFollowEachOtherAsThePlanSays) {
  SimulatedJob job("navso-mfm");
  SimulatedDisk device(job.disk);
  std::uint64_t requests = 0;
  std::vector<Bytes> seen;
  device.before_requests([&](std::uint64_t, std::size_t) {
    if (requests++ % kChunks == 0) seen.push_back(job.disk.content());
  });
  job.run(device);
  ASSERT_THAT(seen, SizeIs(4));
  EXPECT_EQ(seen[0], job.old_content);
  EXPECT_EQ(seen[1], job.expected("01", 1));
  EXPECT_EQ(seen[2], job.expected("7fffffff", 2));
  EXPECT_EQ(seen[3], job.expected("R", 3));
}

TEST(Overwrite, TellsWhatItDid) {
  SimulatedJob job("dod-3pass");
  std::vector<std::uint64_t> ends;
  job.options.progress = [&](const OverwriteProgress& progress) {
    EXPECT_EQ(progress.size_bytes, tests::kDiskBytes);
    if (progress.step == 3) ends.push_back(progress.done_bytes);
  };
  const OverwriteResult result = job.run();
  ASSERT_THAT(result.progress.steps, SizeIs(4));
  for (const StepProgress& step : result.progress.steps) {
    EXPECT_EQ(step.done_bytes, tests::kDiskBytes);
    EXPECT_EQ(step.watermark, tests::kDiskBytes);
    EXPECT_TRUE(step.began && step.ended);
    EXPECT_EQ(step.errors + step.retries + step.restarts, 0);
  }
  EXPECT_THAT(result.progress.segments, SizeIs(1));
  EXPECT_THAT(ends, SizeIs(kChunks));
  EXPECT_EQ(ends.back(), tests::kDiskBytes);
  EXPECT_EQ(result.contents[2], "random");
  EXPECT_EQ(result.contents[3], "");
  EXPECT_EQ(result.contents[0].size(), 2);
  EXPECT_EQ(result.plan_hash, plan_hash(job.plan));
}

TEST(Overwrite, SeveralRequestsAtOnceDoTheSame) {
  SimulatedJob job("dod-ece", 3 << 20);
  job.options.requests_at_once = 4;
  job.options.watermark_bytes = 20 * kChunkBytes;
  job.disk.fail_writing(300, EIO);
  const OverwriteResult result = job.run();
  Bytes expected = job.expected("R", 7);
  std::ranges::copy(part(job.old_content, block(300)), expected.begin() + 300 * kBlockBytes);
  EXPECT_EQ(job.disk.content(), expected);
  EXPECT_EQ(result.progress.steps.back().done_bytes, job.disk.size_bytes() - kBlockBytes);
}

TEST(Overwrite, GoesOnAfterShortTransfers) {
  SimulatedJob job("dod-3pass");
  job.disk.transfer_at_most(kBlockBytes);
  const OverwriteResult result = job.run();
  EXPECT_EQ(job.disk.content(), job.expected("R", 3));
  EXPECT_EQ(verdict_of(result), Verdict::clear);
}

// --- faults

TEST(OverwriteFaults, LeaveExactlyTheBlockThatCannotBeWritten) {
  for (const int error : {EIO, ENODATA, ENOSPC}) {
    for (const std::uint64_t number : {0, 4, 5, 15}) {
      SimulatedJob job("dod-3pass");
      job.disk.fail_writing(number, error);
      const OverwriteResult result = job.run();
      Bytes expected = job.expected("R", 3);
      const Range bad = block(number);
      std::ranges::copy(part(job.old_content, bad), expected.begin() + static_cast<std::ptrdiff_t>(bad.offset));
      EXPECT_EQ(job.disk.content(), expected) << number;
      EXPECT_THAT(result.progress.steps[2].bad.ranges(), ElementsAre(bad));
      EXPECT_EQ(result.progress.steps[3].done_bytes, tests::kDiskBytes - kBlockBytes);
      EXPECT_TRUE(result.progress.steps[3].mismatching.empty());
      EXPECT_EQ(verdict_of(result), Verdict::destroy);
    }
  }
}

TEST(OverwriteFaults, NameThePartialBlockAtTheEnd) {
  SimulatedJob job("nist-clear");
  job.disk.fail_writing(16, EIO);
  const OverwriteResult result = job.run();
  EXPECT_THAT(result.progress.steps[0].bad.ranges(), ElementsAre(Range{16 * kBlockBytes, 1024}));
}

TEST(OverwriteFaults, WaitForTheRestOfTheDisk) {
  SimulatedJob job("nist-clear");
  job.disk.fail_writing(1, EIO);
  SimulatedDisk device(job.disk);
  std::vector<std::uint64_t> offsets;
  device.before_requests([&](std::uint64_t offset, std::size_t) { offsets.push_back(offset); });
  job.run(device);
  for (std::uint64_t chunk = 0; chunk < kChunks; ++chunk) EXPECT_EQ(offsets[chunk], chunk * kChunkBytes);
  EXPECT_LT(offsets[kChunks], kChunkBytes);
}

TEST(OverwriteFaults, InAnEarlierPassAreExceptions) {
  SimulatedJob job("dod-3pass");
  job.disk.fail_writing(3, EIO);
  SimulatedDisk device(job.disk);
  job.options.progress = [&](const OverwriteProgress& progress) {
    if (progress.step == 1) job.disk.repair(3);
  };
  const OverwriteResult result = job.run(device);
  EXPECT_THAT(result.progress.steps[0].bad.ranges(), ElementsAre(block(3)));
  EXPECT_TRUE(result.progress.steps[2].bad.empty());
  EXPECT_EQ(job.disk.content(), job.expected("R", 3));
  EXPECT_EQ(verdict_of(result), Verdict::clear_with_exceptions);
}

TEST(OverwriteFaults, ThatPassAreOnlyCounted) {
  SimulatedJob job("nist-clear");
  job.disk.fail_writing(3, EIO);
  job.options.progress = [&](const OverwriteProgress& progress) {
    if (progress.done_bytes == tests::kDiskBytes) job.disk.repair(3);
  };
  const OverwriteResult result = job.run();
  EXPECT_EQ(result.progress.steps[0].errors, 1);
  EXPECT_EQ(result.progress.steps[0].retries, 1);
  EXPECT_TRUE(result.progress.steps[0].bad.empty());
  EXPECT_EQ(verdict_of(result), Verdict::clear);
}

// A pattern of three bytes stands otherwise in a block than in a chunk: what is written again must not be shifted.
TEST(OverwriteFaults, AreWrittenAgainWithThePatternInItsPlace) {
  SimulatedJob job(
      Plan{"three", 1, "Three", "a test", {{StepKind::fixed, from_hex("924924")}, {StepKind::read_back, {}}}});
  for (const std::uint64_t number : {1, 15}) job.disk.fail_writing(number, EIO);
  job.options.progress = [&](const OverwriteProgress& progress) {
    for (const std::uint64_t number : {1, 15})
      if (progress.done_bytes == tests::kDiskBytes) job.disk.repair(number);
  };
  const OverwriteResult result = job.run();
  EXPECT_EQ(job.disk.content(), job.expected("924924", 1));
  EXPECT_EQ(verdict_of(result), Verdict::clear);
}

// A job whose blocks go bad once everything is written.
OverwriteResult run_failing_at_readback(SimulatedJob& job, Healing healing) {
  SimulatedDisk device(job.disk);
  std::uint64_t requests = 0;
  device.before_requests([&](std::uint64_t, std::size_t) {
    if (++requests == kChunks + 1)
      for (const std::uint64_t number : {2, 7}) job.disk.fail_reading(number, ENODATA, healing);
  });
  return job.run(device);
}

TEST(OverwriteFaults, InReadingBackAreHealedByWriting) {
  SimulatedJob job("nist-clear");
  const OverwriteResult result = run_failing_at_readback(job, Healing::by_writing);
  EXPECT_THAT(result.progress.steps[1].healed.ranges(), ElementsAre(block(2), block(7)));
  EXPECT_EQ(result.progress.steps[1].done_bytes, tests::kDiskBytes);
  EXPECT_EQ(job.disk.content(), job.expected("00", 1));
  EXPECT_EQ(verdict_of(result), Verdict::clear_with_exceptions);
}

TEST(OverwriteFaults, InReadingBackThatStayMeanDestruction) {
  SimulatedJob job("nist-clear");
  const OverwriteResult result = run_failing_at_readback(job, Healing::never);
  EXPECT_THAT(result.progress.steps[1].unreadable.ranges(), ElementsAre(block(2), block(7)));
  EXPECT_EQ(result.progress.steps[1].done_bytes, tests::kDiskBytes - 2 * kBlockBytes);
  EXPECT_EQ(verdict_of(result), Verdict::destroy);
}

TEST(OverwriteFaults, EndAfterSoManyAttempts) {
  SimulatedJob job("nist-clear");
  job.options.attempts_limit = 7;
  for (std::uint64_t number = 0; number < 17; ++number) job.disk.fail_writing(number, EIO);
  const OverwriteResult result = job.run();
  EXPECT_THAT(result.progress.steps[0].bad.ranges(), ElementsAre(Range{0, tests::kDiskBytes}));
  EXPECT_EQ(result.progress.steps[0].retries, 7);
  EXPECT_EQ(verdict_of(result), Verdict::destroy);
}

TEST(OverwriteFaults, EndAfterSoLong) {
  SimulatedJob job("nist-clear");
  job.disk.fail_writing(3, EIO);
  SimulatedDisk device(job.disk);
  device.delay_request(kChunks + 1, job.clock, job.options.attempts_ns + 1);
  const OverwriteResult result = job.run(device);
  EXPECT_EQ(result.progress.steps[0].retries, 1);
  EXPECT_EQ(verdict_of(result), Verdict::destroy);
}

// --- disks that lie

TEST(OverwriteLies, DroppedWritesAreFound) {
  SimulatedJob job("nist-clear");
  job.disk.drop_writes(3);
  job.disk.drop_writes(4);
  const OverwriteResult result = job.run();
  EXPECT_THAT(result.progress.steps[1].mismatching.ranges(), ElementsAre(Range{block(3).offset, 2 * kBlockBytes}));
  EXPECT_EQ(result.progress.steps[1].done_bytes, tests::kDiskBytes - 2 * kBlockBytes);
  EXPECT_EQ(verdict_of(result), Verdict::failed);
}

TEST(OverwriteLies, FakeCapacityIsFound) {
  SimulatedJob job("dod-3pass");
  job.disk.wrap_at(8 * kBlockBytes);
  const OverwriteResult result = job.run();
  EXPECT_FALSE(result.progress.steps[3].mismatching.empty());
  EXPECT_EQ(verdict_of(result), Verdict::failed);
}

// What overwriting does not reach, and why it is never called a purge.
TEST(OverwriteLies, CellsThatNobodyCanAddressKeepWhatTheyHeld) {
  SimulatedJob job("dod-3pass");
  job.disk.keep_old_cells(1000);
  const OverwriteResult result = job.run();
  EXPECT_TRUE(job.disk.old_cells_hold(part(job.old_content, block(3))));
  EXPECT_EQ(verdict_of(result), Verdict::clear);
}

// --- interruptions

TEST(OverwriteInterrupted, GoesOnAtItsWatermark) {
  SimulatedJob job("nist-clear");
  dies_at(job, 8, kKill);  // flush for the beginning, two chunks, flush, two chunks, flush, chunk
  EXPECT_EQ(job.journal().progress->steps[0].watermark, 4 * kChunkBytes);
  SimulatedDisk device(job.disk);
  std::vector<std::uint64_t> offsets;
  device.before_requests([&](std::uint64_t offset, std::size_t) { offsets.push_back(offset / kChunkBytes); });
  const OverwriteResult result = job.run(device);
  // The two chunks before the watermark are read; what follows is written; all is read back.
  EXPECT_THAT(offsets, ElementsAre(2, 3, 4, 5, 0, 1, 2, 3, 4, 5));
  ASSERT_THAT(result.progress.segments, SizeIs(2));
  EXPECT_EQ(result.progress.segments[1].offset, 4 * kChunkBytes);
  EXPECT_EQ(result.progress.segments[1].step, 0);
}

TEST(OverwriteInterrupted, ReadsBackFromTheBeginning) {
  SimulatedJob job("nist-clear");
  SimulatedDisk device(job.disk);
  std::uint64_t requests = 0;
  device.before_requests([&](std::uint64_t, std::size_t) {
    if (++requests == 2 * kChunks - 1) throw PowerLost();
  });
  EXPECT_THROW(job.run(device), PowerLost);
  EXPECT_GT(job.journal().progress->steps[1].watermark, 0);
  job.disk.plant(0, as_bytes("somebody mounted it"));
  const OverwriteResult result = job.run();
  EXPECT_THAT(result.progress.steps[1].mismatching.ranges(), ElementsAre(block(0)));
  EXPECT_EQ(verdict_of(result), Verdict::failed);
}

TEST(OverwriteInterrupted, FindsThatTheDiskLostWhatItAcknowledged) {
  std::size_t restarts = 0;
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    SimulatedJob job("dod-3pass");
    job.disk.ignore_flushes();
    dies_at(job, 8, seed);
    const OverwriteResult result = job.run();
    EXPECT_EQ(job.disk.content(), job.expected("R", 3)) << seed;
    restarts += result.progress.steps[0].restarts;
    EXPECT_EQ(verdict_of(result), result.progress.steps[0].restarts ? Verdict::clear_with_exceptions : Verdict::clear);
  }
  EXPECT_GT(restarts, 2);
}

TEST(OverwriteInterrupted, WritesAgainWhatCannotBeReadBeforeTheWatermark) {
  SimulatedJob job("nist-clear");
  dies_at(job, 8, kKill);
  job.disk.fail_reading(10, EIO, Healing::by_writing);
  const OverwriteResult result = job.run();
  EXPECT_EQ(result.progress.steps[0].done_bytes, tests::kDiskBytes);
  EXPECT_EQ(job.disk.content(), job.expected("00", 1));
  EXPECT_EQ(verdict_of(result), Verdict::clear);
}

TEST(OverwriteInterrupted, OnRequestKeepsWhatWasDone) {
  SimulatedJob job("nist-clear");
  std::stop_source stop;
  job.options.watermark_bytes = 100 * kChunkBytes;
  job.options.progress = [&](const OverwriteProgress& progress) {
    if (progress.done_bytes == 3 * kChunkBytes) stop.request_stop();
  };
  SimulatedDisk device(job.disk);
  EXPECT_EQ(code_of([&] { job.run(device, stop.get_token()); }), ErrorCode::interrupted);
  EXPECT_EQ(job.journal().progress->steps[0].watermark, 3 * kChunkBytes);
  job.disk.power_loss(0);
  const OverwriteResult result = job.run();
  EXPECT_EQ(job.disk.content(), job.expected("00", 1));
  EXPECT_THAT(result.progress.segments, SizeIs(2));
}

TEST(OverwriteInterrupted, HasAWatermarkAfterSoLong) {
  SimulatedJob job("nist-clear");
  job.options.watermark_bytes = 100 * kChunkBytes;
  SimulatedDisk device(job.disk);
  device.delay_request(2, job.clock, job.options.watermark_ns);
  device.lose_power_at(6);  // flush, two chunks, flush, two chunks
  EXPECT_THROW(job.run(device), PowerLost);
  EXPECT_EQ(job.journal().progress->steps[0].watermark, 2 * kChunkBytes);
}

TEST(OverwriteInterrupted, ByAFlushThatFails) {
  SimulatedJob job("nist-clear");
  job.options.progress = [&](const OverwriteProgress& progress) {
    if (progress.done_bytes == 4 * kChunkBytes) job.disk.fail_flushes(EIO);
  };
  EXPECT_EQ(code_of([&] { job.run(); }), ErrorCode::io);
  EXPECT_EQ(job.journal().progress->steps[0].watermark, 2 * kChunkBytes);
  job.options.progress = {};
  job.disk.fail_flushes(0);
  EXPECT_EQ(verdict_of(job.run()), Verdict::clear);
}

TEST(OverwriteInterrupted, DoesNothingOnceEverythingIsDone) {
  SimulatedJob job("nist-clear");
  const OverwriteResult first = job.run();
  SimulatedDisk device(job.disk);
  const OverwriteResult second = job.run(device);
  EXPECT_EQ(device.counters().requests, 0);
  EXPECT_EQ(second.progress, first.progress);
}

// --- the right disk

TEST(OverwriteRefuses, ADiskThatIsAnotherWhenItIsTakenUpAgain) {
  SimulatedJob job("nist-clear");
  dies_at(job, 6, kKill);
  job.disk.identity().serial = "OTHER-456789";
  const Bytes before = job.disk.content();
  EXPECT_EQ(code_of([&] { job.run(); }), ErrorCode::refused);
  EXPECT_EQ(job.disk.content(), before);
}

struct TargetCase : SimulatedJob {
  TargetCase() : SimulatedJob("nist-clear") {}
  ConfirmedTarget target_for(const Plan& approved) {
    const SimulatedDisk device(disk);
    const Identity identity = device.identity();
    return wipe::confirm(
        inspect(device),
        {identity.model, identity.serial, SerialOrigin::reported, disk.size_bytes(), plan_hash(approved)}, "456789");
  }
  // Of a journal that begins for `journal_plan`.
  ErrorCode refusal(ConfirmedTarget target, const Plan& journal_plan, const Plan& run_plan) {
    tests::TemporaryDirectory directory;
    tests::SeededRandom random(1);
    Journal journal = Journal::create(directory / "j", begin_job(target, journal_plan, clock, random));
    SimulatedDisk device(disk);
    const ErrorCode code =
        code_of([&] { overwrite(device, std::move(target), run_plan, journal, options, clock, {}); });
    EXPECT_EQ(device.counters().writes_and_flushes, 0);
    return code;
  }
};

TEST(OverwriteRefuses, AnotherPlanThanWasApproved) {
  TargetCase test;
  const Plan& other = shipped_plan("dod-3pass");
  EXPECT_EQ(test.refusal(test.target_for(other), test.plan, test.plan), ErrorCode::refused);
  EXPECT_EQ(test.refusal(test.target_for(test.plan), other, test.plan), ErrorCode::refused);
  EXPECT_EQ(test.refusal(test.target_for(test.plan), other, other), ErrorCode::refused);
}

TEST(OverwriteRefuses, ADiskThatChangedSinceItWasConfirmed) {
  TargetCase test;
  ConfirmedTarget target = test.target_for(test.plan);
  test.disk.identity().wwid = "naa.6";
  EXPECT_EQ(test.refusal(std::move(target), test.plan, test.plan), ErrorCode::refused);
}

}  // namespace
}  // namespace qcbak::wipe
