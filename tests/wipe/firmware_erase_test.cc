#include "wipe/firmware_erase.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "tests/wipe/firmware_job.h"

namespace qcbak::wipe {
namespace {

using simulated::Erases;
using simulated::kBlockBytes;
using simulated::kSectorBytes;
using simulated::Moment;
using simulated::PowerLost;
using simulated::SenseFormat;
using simulated::SimulatedDisk;
using simulated::SimulatedFirmware;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using tests::erases;
using tests::FirmwareErasure;
using tests::FirmwareJob;
using tests::host_failure;
using tests::kFirmwareDiskBytes;
using enum FirmwareMethod;

constexpr FirmwareMethod kAll[] = {
    ata_sanitize_crypto,  ata_sanitize_block,  ata_sanitize_overwrite,  ata_secure_erase, ata_secure_erase_enhanced,
    nvme_sanitize_crypto, nvme_sanitize_block, nvme_sanitize_overwrite, nvme_format_user, nvme_format_crypto,
    scsi_sanitize_crypto, scsi_sanitize_block, scsi_sanitize_overwrite};
// Typed, not taken from the table under test.
constexpr FirmwareMethod kOnlyClear[] = {ata_secure_erase, nvme_format_user, nvme_format_crypto};
bool is_only_clear(FirmwareMethod method) { return std::ranges::find(kOnlyClear, method) != std::end(kOnlyClear); }
bool is_sanitize(FirmwareMethod method) { return method_name(method).find("sanitize") != std::string_view::npos; }

class EveryMethod : public testing::TestWithParam<FirmwareMethod> {
 protected:
  FirmwareJob job{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(FirmwareErase, EveryMethod, testing::ValuesIn(kAll), [](const auto& tested) {
  std::string name(method_name(tested.param));
  std::ranges::replace(name, '-', '_');
  return name;
});

std::string refusal_of(FirmwareJob& job) {
  try {
    job.run();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::refused);
    EXPECT_TRUE(job.holds_old_content()) << "something was erased before it was refused";
    EXPECT_EQ(job.firmware->erasures(), 0);
    return error.what();
  }
  ADD_FAILURE() << "not refused";
  return "";
}

TEST_P(EveryMethod, ErasesAndIsSeenTo) {
  const FirmwareErasure erasure = job.run();
  EXPECT_EQ(erasure.assessment.outcome, ErasureOutcome::erased) << erasure.assessment.reason;
  EXPECT_EQ(method_row(erasure.progress.method).category,
            is_only_clear(GetParam()) ? Category::clear : Category::purge);
  EXPECT_EQ(erasure.remains.markers_changed, kMarkerLimit);
  EXPECT_EQ(erasure.remains.histogram[0], erasure.remains.sampled_bytes);
  EXPECT_FALSE(job.holds_old_content());
  EXPECT_EQ(job.firmware->erasures(), 1);
}

TEST_P(EveryMethod, WhatANameSaysComesBack) { EXPECT_EQ(method_of_name(method_name(GetParam())), GetParam()); }

TEST_P(EveryMethod, KeepsTheBytesOfItsCommandWithTheAnswer) {
  const FirmwareErasure erasure = job.run();
  const auto is_erasing = [](const CommandRecord& record) { return erases({record.command, {}, 0, 0}); };
  EXPECT_EQ(std::ranges::count_if(erasure.progress.commands, is_erasing), 1);
  for (const CommandRecord& record : erasure.progress.commands) EXPECT_THAT(record.result.from_disk, IsEmpty());
}

TEST_P(EveryMethod, FirmwareThatDoesNothingIsCaught) {
  job.firmware->erases = Erases::nothing;
  const FirmwareErasure erasure = job.run();
  EXPECT_EQ(erasure.assessment.outcome, ErasureOutcome::failed);
  EXPECT_EQ(erasure.remains.markers_unchanged, kMarkerLimit);
}

TEST_P(EveryMethod, FirmwareThatDoesHalfIsCaught) {
  job.firmware->erases = Erases::half;
  const FirmwareErasure erasure = job.run();
  EXPECT_EQ(erasure.assessment.outcome, ErasureOutcome::failed);
  EXPECT_EQ(erasure.remains.markers_unchanged, kMarkerLimit / 2);
}

TEST_P(EveryMethod, FirmwareThatOnlyTouchesEverySectorIsCaught) {
  job.firmware->erases = Erases::one_bit_in_each_sector;
  EXPECT_EQ(job.run().assessment.outcome, ErasureOutcome::failed);
}

TEST_P(EveryMethod, FirmwareThatSaysThatItFailedIsBelieved) {
  job.firmware->fails = true;
  const FirmwareErasure erasure = job.run();
  EXPECT_EQ(erasure.assessment.outcome, ErasureOutcome::failed);
  EXPECT_TRUE(erasure.facts.completion == Completion::failed || erasure.facts.acceptance == Acceptance::refused);
}

// The adapter's driver failed, and the status, which nobody sent, is GOOD.
TEST_P(EveryMethod, AGoodStatusOfNobodyIsNoSuccess) {
  job.firmware->instead = [](const CommandRequest& request) -> std::optional<CommandResult> {
    if (erases(request)) return host_failure(7);
    return std::nullopt;
  };
  const FirmwareErasure erasure = job.run();
  EXPECT_EQ(erasure.assessment.outcome, ErasureOutcome::unknown);
  EXPECT_EQ(erasure.facts.acceptance, Acceptance::unseen);
  EXPECT_EQ(erasure.remains.markers(), Markers::unchanged);
}

// The erasure takes place, and the answer is lost.
TEST_P(EveryMethod, AnAnswerThatIsLostIsNoRefusal) {
  job.firmware->distort = [](const CommandRequest& request, CommandResult& result) {
    if (erases(request)) result = host_failure(3);
  };
  const FirmwareErasure erasure = job.run();
  const bool can_be_followed = is_sanitize(GetParam());
  EXPECT_EQ(erasure.assessment.outcome, can_be_followed ? ErasureOutcome::erased : ErasureOutcome::unknown);
}

// The system call succeeds, the disk aborted: ATA by its registers alone.
TEST_P(EveryMethod, ACommandThatIsAbortedIsAFailure) {
  const CommandSet set = job.firmware->command_set();
  job.firmware->instead = [&](const CommandRequest& request) -> std::optional<CommandResult> {
    if (!erases(request)) return std::nullopt;
    CommandResult result;
    if (set == CommandSet::nvme) result.nvme_status = 0x4001;
    if (set == CommandSet::scsi) {
      result.status = 2;
      result.sense = from_hex("700005000000000a00000000200000000000");
    }
    if (set == CommandSet::ata)
      result.sense = from_hex(
          "720000000000000e090c00040000000000000000"
          "4051");
    return result;
  };
  const FirmwareErasure erasure = job.run();
  EXPECT_EQ(erasure.facts.acceptance, Acceptance::refused);
  EXPECT_EQ(erasure.assessment.outcome, ErasureOutcome::failed);
  EXPECT_EQ(job.firmware->erasures(), 0);
}

TEST_P(EveryMethod, ADiskThatCannotBeReadAfterwardsIsNotErased) {
  job.firmware->distort = [&](const CommandRequest&, CommandResult&) {
    if (job.firmware->erasures() > 0) job.disk.refuse_transfers(ENODATA);
  };
  EXPECT_EQ(job.run().assessment.outcome, ErasureOutcome::unknown);
}

TEST_P(EveryMethod, OneMarkerThatCannotBeReadIsOneTooMany) {
  job.firmware->distort = [&](const CommandRequest&, CommandResult&) {
    if (job.firmware->erasures() > 0) job.disk.fail_reading(0, ENODATA, simulated::Healing::never);
  };
  const FirmwareErasure erasure = job.run();
  EXPECT_EQ(erasure.remains.markers_unreadable, 1);
  EXPECT_EQ(erasure.assessment.outcome, ErasureOutcome::unknown);
}

TEST_P(EveryMethod, ASignatureAfterwardsIsAFailure) {
  job.firmware->distort = [&](const CommandRequest&, CommandResult&) {
    if (job.firmware->erasures() > 0) job.disk.plant(65536 + 64, as_bytes("_BHRfS_M"));
  };
  const FirmwareErasure erasure = job.run();
  EXPECT_THAT(erasure.remains.signatures, testing::ElementsAre("btrfs at byte 65600"));
  EXPECT_EQ(erasure.assessment.outcome, ErasureOutcome::failed);
}

TEST_P(EveryMethod, FixedSenseIsReadWhereItSaysEnough) {
  job.firmware->sense_format = SenseFormat::fixed;
  if (GetParam() == ata_sanitize_block || GetParam() == ata_sanitize_crypto || GetParam() == ata_sanitize_overwrite) {
    EXPECT_THAT(refusal_of(job), HasSubstr("do not come back whole"));
    return;
  }
  if (job.firmware->command_set() == CommandSet::ata) {  // hidden areas cannot be asked for
    EXPECT_EQ(job.run().facts.hidden_areas_remain, true);
    return;
  }
  EXPECT_EQ(job.run().assessment.outcome, ErasureOutcome::erased);
}

// At every command, the disk having seen it or not, the process dies with the power; the next goes on.
TEST_P(EveryMethod, GoesOnAfterAPowerCutAtAnyCommand) {
  for (const Moment moment : {Moment::before, Moment::after})
    for (std::uint64_t nth = 1;; ++nth) {
      FirmwareJob cut(GetParam());
      SimulatedDisk device(cut.disk);
      device.lose_power_at_command(nth, moment);
      try {
        cut.run(device);
        ASSERT_GT(nth, 5);
        break;
      } catch (const PowerLost&) {
      }
      cut.disk.power_loss(nth);
      if (cut.firmware->sanitizing() == SimulatedFirmware::Sanitizing::running && cut.saved) {
        const FirmwarePhase phase = parse_firmware_progress(*cut.saved).phase;
        EXPECT_GE(phase, FirmwarePhase::sending) << "the disk erases, and nothing durable says why";
      }
      const FirmwareErasure erasure = cut.run();
      EXPECT_EQ(erasure.assessment.outcome, ErasureOutcome::erased) << nth << ": " << erasure.assessment.reason;
      EXPECT_FALSE(cut.holds_old_content()) << nth;
      EXPECT_FALSE(cut.firmware->command_set() == CommandSet::ata && cut.ata().security_enabled) << nth;
    }
}

TEST_P(EveryMethod, GoesOnAfterAPowerCutAtAnyWrite) {
  for (std::uint64_t nth = 1;; ++nth) {
    FirmwareJob cut(GetParam());
    SimulatedDisk device(cut.disk);
    device.lose_power_at(nth);
    try {
      cut.run(device);
      ASSERT_GT(nth, kMarkerLimit);
      break;
    } catch (const PowerLost&) {
    }
    cut.disk.power_loss(nth);
    ASSERT_EQ(cut.run().assessment.outcome, ErasureOutcome::erased) << nth;
  }
}

// The lie meets the interruption: whatever the moment, it never becomes a success.
TEST_P(EveryMethod, ALieIsCaughtAfterAPowerCutToo) {
  for (const Moment moment : {Moment::before, Moment::after})
    for (std::uint64_t nth = 1;; ++nth) {
      FirmwareJob cut(GetParam());
      cut.firmware->erases = Erases::nothing;
      SimulatedDisk device(cut.disk);
      device.lose_power_at_command(nth, moment);
      try {
        cut.run(device);
        break;
      } catch (const PowerLost&) {
      }
      cut.disk.power_loss(nth);
      ASSERT_NE(cut.run().assessment.outcome, ErasureOutcome::erased) << nth;
    }
}

TEST_P(EveryMethod, WantsTheDiskThatWasConfirmed) {
  SimulatedDisk device(job.disk);
  job.firmware->instead = [&](const CommandRequest&) -> std::optional<CommandResult> {
    job.disk.identity().serial = "ANOTHER";
    return std::nullopt;
  };
  EXPECT_THROW(job.run(device), Error);
  EXPECT_EQ(job.firmware->erasures(), 0);
}

TEST_P(EveryMethod, WritesThatDoNotStayAreRefused) {
  for (std::uint64_t block = 0; block < kFirmwareDiskBytes / kBlockBytes / 2; ++block) job.disk.drop_writes(block);
  EXPECT_THAT(refusal_of(job), HasSubstr("does not stay"));
}

class EverySanitize : public EveryMethod {};
INSTANTIATE_TEST_SUITE_P(FirmwareErase, EverySanitize,
                         testing::Values(ata_sanitize_crypto, ata_sanitize_block, ata_sanitize_overwrite,
                                         nvme_sanitize_crypto, nvme_sanitize_block, nvme_sanitize_overwrite,
                                         scsi_sanitize_crypto, scsi_sanitize_block, scsi_sanitize_overwrite));

TEST_P(EverySanitize, StuckProgressIsNotWaitedForForever) {
  job.firmware->is_stuck = true;
  const std::int64_t began_ns = job.clock.monotonic_ns();
  const FirmwareErasure erasure = job.run();
  EXPECT_EQ(erasure.assessment.outcome, ErasureOutcome::unknown);
  EXPECT_EQ(erasure.facts.completion, Completion::unseen);
  EXPECT_LE(job.clock.monotonic_ns() - began_ns, 2 * tests::kHourNs + job.options.poll_ns);
}

TEST_P(EverySanitize, WhatWasGivenUpIsPolledOnLater) {
  job.firmware->is_stuck = true;
  EXPECT_EQ(job.run().assessment.outcome, ErasureOutcome::unknown);
  job.firmware->is_stuck = false;
  EXPECT_EQ(job.run().assessment.outcome, ErasureOutcome::erased);
  EXPECT_EQ(job.firmware->erasures(), 1) << "the command was sent again";
}

TEST_P(EverySanitize, ProgressThatMovesIsFollowedToItsEnd) {
  job.firmware->polls_needed = 200;
  std::vector<std::uint16_t> seen;
  job.options.progress = [&](const Polled& polled) { seen.push_back(polled.progress.value()); };
  EXPECT_EQ(job.run().assessment.outcome, ErasureOutcome::erased);
  EXPECT_GT(seen.size(), 100);
  EXPECT_TRUE(std::ranges::is_sorted(seen));
}

TEST_P(EverySanitize, AResetInTheMiddleIsBorne) {
  int polls = 0;
  job.firmware->polls_needed = 20;
  job.firmware->instead = [&](const CommandRequest&) -> std::optional<CommandResult> {
    const bool running = job.firmware->sanitizing() == SimulatedFirmware::Sanitizing::running;
    if (running && ++polls > 3 && polls < 9) return host_failure(8);
    return std::nullopt;
  };
  EXPECT_EQ(job.run().assessment.outcome, ErasureOutcome::erased);
}

TEST_P(EverySanitize, AHangEndsAsUnknown) {
  job.firmware->instead = [&](const CommandRequest&) -> std::optional<CommandResult> {
    if (job.firmware->sanitizing() != SimulatedFirmware::Sanitizing::running) return std::nullopt;
    job.clock.advance(30 * tests::kSecondNs);
    CommandResult result;
    result.error = ETIMEDOUT;
    return result;
  };
  const FirmwareErasure erasure = job.run();
  EXPECT_EQ(erasure.assessment.outcome, ErasureOutcome::unknown);
  EXPECT_EQ(erasure.facts.acceptance, Acceptance::seen);
}

TEST_P(EverySanitize, SomebodyElsesIsLeftAlone) {
  job.firmware->begin_sanitizing();
  job.firmware->is_stuck = true;
  try {
    job.run();
    FAIL() << "not refused";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("being sanitised already"));
  }
}

TEST_P(EverySanitize, ARunThatIsStoppedIsTakenUp) {
  job.firmware->polls_needed = 30;
  std::stop_source stop;
  job.options.wait = [&](std::int64_t ns) {
    job.clock.advance(ns);
    stop.request_stop();
  };
  SimulatedDisk device(job.disk);
  try {
    job.run(device, stop.get_token());
    FAIL() << "not stopped";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::interrupted);
  }
  EXPECT_EQ(job.run().assessment.outcome, ErasureOutcome::erased);
  EXPECT_EQ(job.firmware->erasures(), 1);
}

TEST(FirmwareErase, OverwritingLeavesOldCellsAndSanitisingDoesNot) {
  FirmwareJob job(ata_sanitize_block);
  SimulatedDisk device(job.disk);
  PageBuffer zeros(kBlockBytes);
  for (std::uint64_t at = 0; at < kFirmwareDiskBytes; at += kBlockBytes) device.write(at, zeros.span());
  device.flush();
  EXPECT_TRUE(job.holds_old_content());
  job.run();
  EXPECT_FALSE(job.holds_old_content());
}

// An idle ATA disk says "completed", whatever it did: the old answer is not taken for this job's.
TEST(FirmwareErase, AnIdleDiskThatNeverTookTheCommandIsNotErased) {
  FirmwareJob job(ata_sanitize_crypto);
  job.firmware->instead = [](const CommandRequest& request) -> std::optional<CommandResult> {
    CommandResult result;  // GOOD, and no registers
    if (erases(request)) return result;
    return std::nullopt;
  };
  const FirmwareErasure erasure = job.run();
  EXPECT_EQ(erasure.facts.acceptance, Acceptance::unseen);
  EXPECT_EQ(erasure.assessment.outcome, ErasureOutcome::unknown);
}

TEST(FirmwareErase, NvmeLogOfAnotherSanitisingIsNotThisOnes) {
  FirmwareJob job(nvme_sanitize_block);
  job.firmware->distort = [](const CommandRequest& request, CommandResult& result) {
    if (std::to_integer<unsigned>(request.command[0]) == 0x02) store_le(&result.from_disk[4], std::uint32_t{4});
  };
  EXPECT_EQ(job.run().assessment.outcome, ErasureOutcome::unknown);
}

TEST(FirmwareErase, NvmeThatDeallocatesAfterwardsIsErasedToo) {
  FirmwareJob job(nvme_sanitize_block);
  job.nvme().status_of_success = 4;
  EXPECT_EQ(job.run().assessment.outcome, ErasureOutcome::erased);
  FirmwareJob inhibited(nvme_sanitize_overwrite);
  inhibited.nvme().sanitize_capabilities = 0x2000'0007;
  EXPECT_EQ(inhibited.run().assessment.outcome, ErasureOutcome::erased);
}

struct Obstacle {
  const char* name;
  FirmwareMethod method;
  void (*set)(FirmwareJob&);
  const char* said;
};
constexpr Obstacle kObstacles[] = {
    {"no sanitize", ata_sanitize_block, [](FirmwareJob& j) { j.ata().has_sanitize = false; }, "does not report"},
    {"no block", ata_sanitize_block, [](FirmwareJob& j) { j.ata().has_block = false; }, "does not report"},
    {"no crypto", ata_sanitize_crypto, [](FirmwareJob& j) { j.ata().has_crypto = false; }, "does not report"},
    {"no overwrite", ata_sanitize_overwrite, [](FirmwareJob& j) { j.ata().has_overwrite = false; }, "does not report"},
    {"no security", ata_secure_erase, [](FirmwareJob& j) { j.ata().has_security = false; }, "does not report"},
    {"no enhanced", ata_secure_erase_enhanced, [](FirmwareJob& j) { j.ata().has_enhanced = false; }, "does not report"},
    {"frozen", ata_secure_erase, [](FirmwareJob& j) { j.ata().security_frozen = true; }, "security is frozen"},
    {"sanitize frozen", ata_sanitize_crypto, [](FirmwareJob& j) { j.ata().sanitize_frozen = true; }, "frozen against"},
    {"locked", ata_sanitize_crypto, [](FirmwareJob& j) { j.ata().security_locked = true; }, "locked by a password"},
    {"enabled", ata_secure_erase, [](FirmwareJob& j) { j.ata().security_enabled = true; }, "somebody else's"},
    {"bridge", ata_sanitize_block, [](FirmwareJob& j) { j.ata().serial = "BRIDGE"; }, "serial BRIDGE"},
    {"nvme bridge", nvme_format_user, [](FirmwareJob& j) { j.nvme().serial = "BRIDGE"; }, "serial BRIDGE"},
    {"namespaces", nvme_sanitize_block, [](FirmwareJob& j) { j.nvme().namespaces = 2; }, "other namespaces"},
    {"namespaces format", nvme_format_user, [](FirmwareJob& j) { j.nvme().namespaces = 2; }, "other namespaces"},
    {"no nvme sanitize", nvme_sanitize_block, [](FirmwareJob& j) { j.nvme().sanitize_capabilities = 5; }, "not report"},
    {"no format", nvme_format_user, [](FirmwareJob& j) { j.nvme().has_format = false; }, "does not report"},
    {"no format crypto", nvme_format_crypto, [](FirmwareJob& j) { j.nvme().has_format_crypto = false; }, "not report"},
    {"no scsi block", scsi_sanitize_block, [](FirmwareJob& j) { j.scsi().has_block = false; }, "does not report"},
};

TEST(FirmwareErase, EveryObstacleIsNamed) {
  for (const Obstacle& obstacle : kObstacles) {
    FirmwareJob job(obstacle.method);
    obstacle.set(job);
    EXPECT_THAT(refusal_of(job), HasSubstr(obstacle.said)) << obstacle.name;
  }
}

TEST(FirmwareErase, NoAnswerToTheFirstQuestionIsRefused) {
  for (const FirmwareMethod method : {ata_sanitize_block, nvme_sanitize_block, scsi_sanitize_block}) {
    FirmwareJob job(method);
    job.firmware->instead = [](const CommandRequest&) { return host_failure(4); };
    EXPECT_THAT(refusal_of(job), testing::AnyOf(HasSubstr("cannot be read"), HasSubstr("not ready")));
  }
}

TEST(FirmwareErase, ADiskOfAnotherKindOrWithoutCommandsIsRefused) {
  FirmwareJob job(ata_sanitize_block, CommandSet::nvme);
  EXPECT_THAT(refusal_of(job), HasSubstr("another kind"));
  simulated::Disk bare(kFirmwareDiskBytes);
  SimulatedDisk device(bare);
  EXPECT_EQ(device.commands(), nullptr);
}

TEST(PurgeAuto, TakesTheBestThatTheDiskReports) {
  FirmwareJob ata(purge_auto, CommandSet::ata);
  EXPECT_EQ(ata.run().progress.method, ata_sanitize_block);
  FirmwareJob no_block(purge_auto, CommandSet::ata);
  no_block.ata().has_block = false;
  EXPECT_EQ(no_block.run().progress.method, ata_sanitize_overwrite);
  FirmwareJob only_security(purge_auto, CommandSet::ata);
  only_security.ata().has_sanitize = false;
  const FirmwareErasure enhanced = only_security.run();
  EXPECT_EQ(enhanced.progress.method, ata_secure_erase_enhanced);
  EXPECT_EQ(enhanced.assessment.outcome, ErasureOutcome::erased);
  FirmwareJob nvme(purge_auto, CommandSet::nvme);
  nvme.nvme().sanitize_capabilities = 1;
  EXPECT_EQ(nvme.run().progress.method, nvme_sanitize_crypto);
  FirmwareJob scsi(purge_auto, CommandSet::scsi);
  EXPECT_EQ(scsi.run().progress.method, scsi_sanitize_block);
}

TEST(PurgeAuto, WhatOnlyClearsIsNotChosen) {
  FirmwareJob ata(purge_auto, CommandSet::ata);
  ata.ata().has_sanitize = ata.ata().has_enhanced = false;
  EXPECT_THAT(refusal_of(ata), HasSubstr("amounts to Purge"));
  FirmwareJob nvme(purge_auto, CommandSet::nvme);
  nvme.nvme().sanitize_capabilities = 0;
  EXPECT_THAT(refusal_of(nvme), HasSubstr("amounts to Purge"));
  FirmwareJob silent(purge_auto, CommandSet::scsi);
  silent.scsi().reports_commands = false;
  EXPECT_THAT(refusal_of(silent), HasSubstr("amounts to Purge"));
}

TEST(PurgeAuto, ResumesWithWhatItChose) {
  FirmwareJob job(purge_auto, CommandSet::ata);
  job.firmware->is_stuck = true;
  job.run();
  job.firmware->is_stuck = false;
  EXPECT_EQ(job.run().progress.method, ata_sanitize_block);
}

TEST(FirmwareErase, EveryAttemptHasMarkersOfItsOwn) {
  FirmwareJob job(ata_secure_erase);
  job.firmware->fails = true;
  job.run();
  const Bytes first = job.disk.content();
  EXPECT_EQ(job.run().progress.attempt, 2);
  const Bytes second = job.disk.content();
  EXPECT_FALSE(equal(ByteView(first).first(kSectorBytes), ByteView(second).first(kSectorBytes)));
}

TEST(FirmwareErase, AJobKeepsToItsMethod) {
  FirmwareJob job(ata_sanitize_block);
  job.run();
  job.method = ata_sanitize_crypto;
  EXPECT_THROW(job.run(), Error);
}

TEST(FirmwareErase, ASilentScsiDiskMayBeAskedByName) {
  FirmwareJob job(scsi_sanitize_block);
  job.scsi().reports_commands = false;
  EXPECT_EQ(job.run().assessment.outcome, ErasureOutcome::erased);
}

TEST(FirmwareErase, ASilentScsiDiskThatLacksTheCommandHasNotFailed) {
  FirmwareJob job(scsi_sanitize_block);
  job.scsi().reports_commands = job.scsi().has_block = false;
  EXPECT_THAT(refusal_of(job), HasSubstr("does not report"));
}

constexpr std::uint64_t kShown = kFirmwareDiskBytes / kSectorBytes / 2;

TEST(HiddenAreas, AreFoundRemovedMarkedAndErased) {
  for (const auto hide : {&simulated::SimulatedAta::hide_by_hpa, &simulated::SimulatedAta::hide_by_dco,
                          &simulated::SimulatedAta::hide_by_amac}) {
    FirmwareJob job(ata_sanitize_block);
    (job.ata().*hide)(kShown);
    const FirmwareErasure erasure = job.run();
    ASSERT_THAT(erasure.progress.hidden_areas, SizeIs(1));
    EXPECT_TRUE(erasure.progress.hidden_areas[0].removed);
    EXPECT_EQ(erasure.progress.hidden_areas[0].hidden_bytes, kFirmwareDiskBytes / 2);
    EXPECT_EQ(job.disk.size_bytes(), kFirmwareDiskBytes);
    EXPECT_EQ(erasure.progress.marker_offsets.back(), kFirmwareDiskBytes - kBlockBytes);
    EXPECT_EQ(erasure.assessment.outcome, ErasureOutcome::erased);
  }
}

TEST(HiddenAreas, AnHpaWithinADcoIsRemovedWithIt) {
  FirmwareJob job(ata_sanitize_block);
  job.ata().hide_by_dco(kShown);
  job.ata().hide_by_hpa(kShown / 2);
  const FirmwareErasure erasure = job.run();
  EXPECT_THAT(erasure.progress.hidden_areas, SizeIs(2));
  EXPECT_EQ(job.disk.size_bytes(), kFirmwareDiskBytes);
  EXPECT_EQ(erasure.assessment.outcome, ErasureOutcome::erased);
}

TEST(HiddenAreas, WhatCannotBeRemovedIsNeverASuccess) {
  FirmwareJob hpa(ata_sanitize_block);
  hpa.ata().hide_by_hpa(kShown);
  hpa.ata().set_max_frozen = true;
  EXPECT_EQ(hpa.run().assessment.outcome, ErasureOutcome::unknown);
  FirmwareJob dco(ata_sanitize_block);
  dco.ata().hide_by_dco(kShown);
  dco.ata().dco_frozen = true;
  EXPECT_EQ(dco.run().assessment.outcome, ErasureOutcome::unknown);
}

TEST(HiddenAreas, AnAnswerOfOneIsNoHiddenArea) {
  FirmwareJob job(ata_sanitize_block);
  job.ata().says_native_max_of_one = true;
  const FirmwareErasure erasure = job.run();
  EXPECT_THAT(erasure.progress.hidden_areas, IsEmpty());
  EXPECT_EQ(erasure.assessment.outcome, ErasureOutcome::erased);
}

TEST(AtaPassword, IsDisabledAfterAnErasureThatFailed) {
  FirmwareJob job(ata_secure_erase);
  job.firmware->fails = true;
  const FirmwareErasure erasure = job.run();
  EXPECT_FALSE(job.ata().security_enabled);
  EXPECT_FALSE(erasure.facts.password_remains);
  EXPECT_EQ(job.ata().password, "qcbak" + std::string(27, '\0'));
}

TEST(AtaPassword, OfADiskThatKeepsItIsDisabled) {
  FirmwareJob job(ata_secure_erase);
  job.ata().keeps_password = true;
  EXPECT_EQ(job.run().assessment.outcome, ErasureOutcome::erased);
  EXPECT_FALSE(job.ata().security_enabled);
}

TEST(AtaPassword, ThatCannotBeDisabledIsToldAndNoSuccess) {
  FirmwareJob job(ata_secure_erase_enhanced);
  job.ata().keeps_password = true;
  job.firmware->distort = [&](const CommandRequest& request, CommandResult&) {
    if (erases(request)) job.ata().security_frozen = true;
  };
  const FirmwareErasure erasure = job.run();
  EXPECT_TRUE(erasure.facts.password_remains);
  EXPECT_EQ(erasure.assessment.outcome, ErasureOutcome::failed);
}

void lose_power_in_the_erasure(FirmwareJob& job) {
  job.firmware->instead = [&](const CommandRequest& request) -> std::optional<CommandResult> {
    if (erases(request)) throw PowerLost();
    return std::nullopt;
  };
  EXPECT_THROW(job.run(), PowerLost);
  job.firmware->instead = nullptr;
  job.disk.power_loss(1);
}

// The power goes in the middle of the erasure: the disk comes back locked, with our password.
TEST(AtaPassword, UnlocksWhatAPowerCutLeftLocked) {
  FirmwareJob job(ata_secure_erase);
  lose_power_in_the_erasure(job);
  ASSERT_TRUE(job.ata().security_locked);
  EXPECT_EQ(job.run().assessment.outcome, ErasureOutcome::erased);
  EXPECT_FALSE(job.ata().security_enabled);
}

TEST(AtaPassword, FrozenOverWhatAPowerCutLeftIsRefused) {
  FirmwareJob job(ata_secure_erase);
  lose_power_in_the_erasure(job);
  job.ata().security_frozen = true;
  EXPECT_THAT(refusal_of(job), HasSubstr("\"qcbak\""));
}

struct RowCase {
  const char* name;
  void (*change)(ErasureFacts&);
  ErasureOutcome outcome;
};
constexpr RowCase kRows[] = {
    {"refused", [](ErasureFacts& f) { f.acceptance = Acceptance::refused; }, ErasureOutcome::failed},
    {"failed", [](ErasureFacts& f) { f.completion = Completion::failed; }, ErasureOutcome::failed},
    {"unaccepted", [](ErasureFacts& f) { f.acceptance = Acceptance::unseen; }, ErasureOutcome::unknown},
    {"uncompleted", [](ErasureFacts& f) { f.completion = Completion::unseen; }, ErasureOutcome::unknown},
    {"password", [](ErasureFacts& f) { f.password_remains = true; }, ErasureOutcome::failed},
    {"unchanged", [](ErasureFacts& f) { f.markers = Markers::unchanged; }, ErasureOutcome::failed},
    {"signature", [](ErasureFacts& f) { f.signatures_remain = true; }, ErasureOutcome::failed},
    {"unreadable", [](ErasureFacts& f) { f.markers = Markers::unreadable; }, ErasureOutcome::unknown},
    {"hidden", [](ErasureFacts& f) { f.hidden_areas_remain = true; }, ErasureOutcome::unknown},
    {"nothing", [](ErasureFacts&) {}, ErasureOutcome::erased},
};

TEST(AssessErasure, TheEarlierRowDecides) {
  for (std::size_t first = 0; first < std::size(kRows); ++first)
    for (std::size_t second = first; second < std::size(kRows); ++second) {
      ErasureFacts facts{Acceptance::seen, Completion::seen, Markers::changed, false, false, false};
      kRows[second].change(facts);
      kRows[first].change(facts);
      EXPECT_EQ(assess_erasure(facts).outcome, kRows[first].outcome) << kRows[first].name << kRows[second].name;
      EXPECT_FALSE(assess_erasure(facts).reason.empty());
    }
}

// All facts there are: success is one of them.
TEST(AssessErasure, SuccessNeedsEverything) {
  int successes = 0;
  for (const auto acceptance : {Acceptance::unseen, Acceptance::seen, Acceptance::refused})
    for (const auto completion : {Completion::unseen, Completion::seen, Completion::failed})
      for (const auto markers : {Markers::unreadable, Markers::changed, Markers::unchanged})
        for (int flags = 0; flags < 8; ++flags)
          if (assess_erasure({acceptance, completion, markers, (flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0})
                  .outcome == ErasureOutcome::erased)
            ++successes;
  EXPECT_EQ(successes, 1);
}

TEST(ErasureLimit, HasAFloorAndACeiling) {
  constexpr std::int64_t kHour = tests::kHourNs;
  EXPECT_EQ(erasure_limit_ns(nvme_sanitize_crypto, 1, 1 << 30), kHour);
  EXPECT_EQ(erasure_limit_ns(nvme_sanitize_crypto, std::nullopt, 1 << 30), kHour);
  EXPECT_EQ(erasure_limit_ns(ata_secure_erase, 3 * 3600, 1 << 30), 6 * kHour);
  EXPECT_EQ(erasure_limit_ns(ata_sanitize_overwrite, std::nullopt, 20'000'000ULL * 36000), 20 * kHour);
  EXPECT_EQ(erasure_limit_ns(nvme_sanitize_overwrite, 0xfffffffe, 1), 14 * 24 * kHour);
  EXPECT_EQ(erasure_limit_ns(scsi_sanitize_overwrite, std::nullopt, ~0ULL), 14 * 24 * kHour);
}

TEST(FirmwareProgress, OneProgressHasOneEncoding) {
  FirmwareJob job(ata_secure_erase);
  job.run();
  const FirmwareProgress progress = parse_firmware_progress(job.saved.value());
  EXPECT_EQ(firmware_progress_bytes(progress), *job.saved);
  EXPECT_EQ(progress.phase, FirmwarePhase::completed);
  for (std::size_t size = 0; size < job.saved->size(); size += 7)
    EXPECT_THROW(parse_firmware_progress(ByteView(*job.saved).first(size)), Error);
}

TEST(FirmwareMethodName, UnknownOnesAreRefused) {
  EXPECT_EQ(method_of_name("purge-auto"), purge_auto);
  EXPECT_THROW(method_of_name("ata-format"), Error);
}

}  // namespace
}  // namespace qcbak::wipe
