// Whole plans that have steps by the disk's firmware.
#include <gmock/gmock.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "tests/wipe/firmware_job.h"
#include "tests/wipe/simulated_job.h"

namespace qcbak::wipe {
namespace {

using simulated::Erases;
using simulated::kBlockBytes;
using simulated::kSectorBytes;
using simulated::SimulatedDisk;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using tests::erases;
using tests::host_failure;
using tests::kDiskBytes;
using tests::SimulatedJob;
using tests::verdict_of;

struct PlanOnDisk {
  const char* plan;
  CommandSet command_set;
};
constexpr PlanOnDisk kAll[] = {{"ata-sanitize-crypto", CommandSet::ata},
                               {"ata-sanitize-block", CommandSet::ata},
                               {"ata-sanitize-overwrite", CommandSet::ata},
                               {"ata-secure-erase", CommandSet::ata},
                               {"ata-secure-erase-enhanced", CommandSet::ata},
                               {"nvme-sanitize-crypto", CommandSet::nvme},
                               {"nvme-sanitize-block", CommandSet::nvme},
                               {"nvme-sanitize-overwrite", CommandSet::nvme},
                               {"nvme-format-user", CommandSet::nvme},
                               {"nvme-format-crypto", CommandSet::nvme},
                               {"scsi-sanitize-crypto", CommandSet::scsi},
                               {"scsi-sanitize-block", CommandSet::scsi},
                               {"scsi-sanitize-overwrite", CommandSet::scsi},
                               {"purge-auto", CommandSet::ata},
                               {"purge-auto", CommandSet::nvme},
                               {"purge-auto", CommandSet::scsi},
                               {"bsi-gs", CommandSet::ata},
                               {"bsi-gs", CommandSet::nvme},
                               {"bsi-gs", CommandSet::scsi},
                               {"bsi-gse", CommandSet::ata},
                               {"bsi-gse", CommandSet::nvme},
                               {"bsi-gse", CommandSet::scsi}};
constexpr const char* kOnlyClear[] = {"ata-secure-erase", "nvme-format-user", "nvme-format-crypto"};

std::string name_of(const PlanOnDisk& tested) {
  constexpr const char* kSets[] = {"ata", "scsi", "nvme"};
  std::string name = std::string(tested.plan) + "_on_" + kSets[static_cast<std::size_t>(tested.command_set)];
  std::ranges::replace(name, '-', '_');
  return name;
}

std::vector<PlanOnDisk> ata_plans() {
  std::vector<PlanOnDisk> plans;
  std::ranges::copy_if(kAll, std::back_inserter(plans),
                       [](const PlanOnDisk& tested) { return tested.command_set == CommandSet::ata; });
  return plans;
}

class EveryPlan : public testing::TestWithParam<PlanOnDisk> {
 protected:
  EveryPlan() { job.attach(GetParam().command_set); }
  Verdict expected_verdict() const {
    const auto is_this = [](const char* name) { return std::string_view(name) == GetParam().plan; };
    return std::ranges::any_of(kOnlyClear, is_this) ? Verdict::clear : Verdict::purge;
  }
  SimulatedJob job{GetParam().plan};
};
INSTANTIATE_TEST_SUITE_P(FirmwarePlan, EveryPlan, testing::ValuesIn(kAll),
                         [](const auto& tested) { return name_of(tested.param); });

const StepProgress* with_firmware(const Progress& progress) {
  const auto found = std::ranges::find_if(progress.steps, [](const StepProgress& s) { return s.firmware.has_value(); });
  return found == progress.steps.end() ? nullptr : &*found;
}

TEST_P(EveryPlan, IsRunToItsEndAndSaysWhatWasDone) {
  const OverwriteResult result = job.run();
  EXPECT_EQ(verdict_of(result), expected_verdict()) << assess(facts_of(result)).reason;
  EXPECT_FALSE(job.holds_old_content());
  EXPECT_EQ(job.firmware->erasures(), 1);
  ASSERT_THAT(result.progress.steps, SizeIs(job.plan.steps.size()));
  const StepProgress* const erasing = with_firmware(result.progress);
  ASSERT_NE(erasing, nullptr);
  EXPECT_EQ(erasing->firmware->acceptance, Acceptance::seen);
  EXPECT_EQ(erasing->firmware->completion, Completion::seen);
  EXPECT_EQ(result.progress.steps.back().remains->markers(), Markers::changed);
  const auto is_erasing = [](const CommandRecord& record) { return erases({record.command, {}, 0, 0}); };
  EXPECT_EQ(std::ranges::count_if(erasing->firmware->commands, is_erasing), 1);
  EXPECT_EQ(job.journal().progress, result.progress);
}

TEST_P(EveryPlan, TellsHowFarTheDiskIs) {
  std::vector<std::uint64_t> seen;
  job.firmware->polls_needed = 20;
  job.options.progress = [&](const OverwriteProgress& progress) { seen.push_back(progress.done_bytes); };
  job.run();
  EXPECT_THAT(seen, Each(testing::Le(kDiskBytes)));
}

struct Lie {
  const char* name;
  void (*tell)(SimulatedJob&);
};
const Lie kLies[] = {
    {"nothing is erased", [](SimulatedJob& job) { job.firmware->erases = Erases::nothing; }},
    {"half is erased", [](SimulatedJob& job) { job.firmware->erases = Erases::half; }},
    {"one bit in each sector", [](SimulatedJob& job) { job.firmware->erases = Erases::one_bit_in_each_sector; }},
    {"says that it failed", [](SimulatedJob& job) { job.firmware->fails = true; }},
    {"status GOOD of nobody",
     [](SimulatedJob& job) {
       job.firmware->instead = [](const CommandRequest& request) -> std::optional<CommandResult> {
         if (erases(request)) return host_failure(7);
         return std::nullopt;
       };
     }},
    {"status GOOD, and nothing done",
     [](SimulatedJob& job) {
       job.firmware->instead = [](const CommandRequest& request) -> std::optional<CommandResult> {
         if (erases(request)) return CommandResult{};
         return std::nullopt;
       };
     }},
    {"cannot be read afterwards",
     [](SimulatedJob& job) {
       job.firmware->distort = [&job](const CommandRequest&, CommandResult&) {
         if (job.firmware->erasures() > 0) job.disk.refuse_transfers(ENODATA);
       };
     }},
    {"a block cannot be read afterwards",
     [](SimulatedJob& job) {
       job.firmware->distort = [&job](const CommandRequest&, CommandResult&) {
         if (job.firmware->erasures() > 0) job.disk.fail_reading(0, ENODATA, simulated::Healing::never);
       };
     }},
    {"a file system afterwards",
     [](SimulatedJob& job) {
       job.firmware->distort = [&job](const CommandRequest&, CommandResult&) {
         if (job.firmware->erasures() > 0) job.disk.plant(32768 + 64, as_bytes("_BHRfS_M"));
       };
     }},
};

TEST_P(EveryPlan, NoLieIsASuccess) {
  for (const Lie& lie : kLies) {
    SimulatedJob lying(GetParam().plan);
    lying.attach(GetParam().command_set);
    lie.tell(lying);
    EXPECT_FALSE(is_success(verdict_of(lying.run()))) << lie.name;
  }
}

TEST_P(EveryPlan, StuckProgressIsNoSuccessAndIsTakenUpAgain) {
  job.firmware->is_stuck = true;
  const Verdict stuck = verdict_of(job.run());
  if (job.firmware->sanitizing() == simulated::SimulatedFirmware::Sanitizing::never) {
    EXPECT_EQ(stuck, expected_verdict()) << "a command that returns at its end";
    return;
  }
  EXPECT_EQ(stuck, Verdict::unknown);
  job.firmware->is_stuck = false;
  EXPECT_EQ(verdict_of(job.run()), expected_verdict());
  EXPECT_EQ(job.firmware->erasures(), 1);
}

// Gives the sentence; nothing may have been written.
std::string refusal_of(SimulatedJob& job) {
  SimulatedDisk device(job.disk);
  try {
    job.run(device);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::refused);
    EXPECT_EQ(device.counters().bytes_written, 0);
    EXPECT_EQ(job.disk.content(), job.old_content);
    return error.what();
  }
  ADD_FAILURE() << "not refused";
  return "";
}

TEST_P(EveryPlan, IsRefusedBeforeAnythingIsWrittenByADiskWithoutCommands) {
  SimulatedJob bare(GetParam().plan);
  EXPECT_THAT(refusal_of(bare), HasSubstr("cannot be reached"));
}

TEST_P(EveryPlan, IsRefusedBeforeAnythingIsWrittenByADiskThatCannotBeAsked) {
  job.firmware->instead = [](const CommandRequest&) { return host_failure(4); };
  EXPECT_THAT(refusal_of(job),
              testing::AnyOf(HasSubstr("cannot be read"), HasSubstr("not ready"), HasSubstr("amounts to Purge")));
}

TEST_P(EveryPlan, IsRefusedBeforeAnythingIsWrittenByADiskThatIsBusyWithAnother) {
  job.firmware->begin_sanitizing();
  job.firmware->is_stuck = true;
  EXPECT_FALSE(refusal_of(job).empty());
}

TEST(FirmwarePlanRefusal, FrozenOverAPlanThatWritesFirst) {
  SimulatedJob job("bsi-gse");
  job.attach(CommandSet::ata);
  job.ata().has_sanitize = false;
  job.ata().security_frozen = true;
  EXPECT_THAT(refusal_of(job), HasSubstr("security is frozen"));
}

TEST(FirmwarePlanRefusal, AMethodOfAnotherKindOfDisk) {
  SimulatedJob job("ata-sanitize-block");
  job.attach(CommandSet::nvme);
  EXPECT_THAT(refusal_of(job), HasSubstr("another kind"));
}

TEST_P(EveryPlan, GoesOnAfterItWasStoppedWhileTheDiskErases) {
  std::stop_source stop;
  job.firmware->polls_needed = 20;
  job.options.firmware.progress = [&](const Polled&) { stop.request_stop(); };
  SimulatedDisk device(job.disk);
  try {
    job.run(device, stop.get_token());
    return;  // a command that returns at its end
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::interrupted);
  }
  job.options.firmware.progress = nullptr;
  EXPECT_EQ(verdict_of(job.run()), expected_verdict());
  EXPECT_EQ(job.firmware->erasures(), 1);
}

constexpr std::uint64_t kHiddenFrom = 8 * kBlockBytes;

// What can be addressed is the first eight blocks.
std::unique_ptr<SimulatedJob> job_with_hpa(const char* plan) {
  auto job = std::make_unique<SimulatedJob>(plan);
  job->attach(CommandSet::ata);
  job->ata().hide_by_hpa(kHiddenFrom / kSectorBytes);
  return job;
}

// Others hide nothing in a way that can be asked for.
class EveryAtaPlan : public EveryPlan {};
INSTANTIATE_TEST_SUITE_P(FirmwarePlan, EveryAtaPlan, testing::ValuesIn(ata_plans()),
                         [](const auto& tested) { return name_of(tested.param); });

TEST_P(EveryAtaPlan, WhatWasHiddenIsErasedToo) {
  const auto hiding = job_with_hpa(GetParam().plan);
  const OverwriteResult result = hiding->run();
  EXPECT_EQ(verdict_of(result), expected_verdict()) << assess(facts_of(result)).reason;
  EXPECT_EQ(hiding->disk.size_bytes(), kDiskBytes);
  EXPECT_FALSE(hiding->holds_old_content());
  EXPECT_EQ(result.geometry.size_bytes, kHiddenFrom) << "as it was approved";
  const StepProgress* const erasing = with_firmware(result.progress);
  ASSERT_NE(erasing, nullptr);
  EXPECT_EQ(erasing->size_bytes, kDiskBytes);
  EXPECT_EQ(erasing->firmware->marker_offsets.back(), kDiskBytes / kBlockBytes * kBlockBytes);
}

TEST_P(EveryAtaPlan, WhatStaysHiddenIsNoSuccess) {
  const auto hiding = job_with_hpa(GetParam().plan);
  hiding->ata().set_max_frozen = true;
  EXPECT_EQ(verdict_of(hiding->run()), Verdict::unknown);
}

TEST(HiddenAreaOfAPlan, IsWrittenAndReadBackAtItsNewSize) {
  const auto job = job_with_hpa("bsi-gs");
  const OverwriteResult result = job->run();
  const std::vector<StepProgress>& steps = result.progress.steps;
  EXPECT_THAT(steps[0].hidden->areas,
              ElementsAre(HiddenArea{HiddenKind::hpa, kDiskBytes - kHiddenFrom, kDiskBytes, true}));
  EXPECT_EQ(steps[0].size_bytes, kDiskBytes);
  EXPECT_THAT(steps[0].hidden->commands, testing::Not(IsEmpty()));
  EXPECT_EQ(steps[1].done_bytes, kDiskBytes);
  EXPECT_EQ(steps[2].done_bytes, kDiskBytes);
}

Plan plan_that_looks_for_hidden_areas() {
  return {"site", 1, "site", "site", {{StepKind::remove_hidden_areas}, {StepKind::random}, {StepKind::read_back}}};
}

TEST(HiddenAreaOfAPlan, IsLookedForWithoutAnErasureByFirmwareToo) {
  for (const bool is_frozen : {false, true}) {
    SimulatedJob job(plan_that_looks_for_hidden_areas());
    job.attach(CommandSet::ata);
    job.ata().hide_by_hpa(kHiddenFrom / kSectorBytes);
    job.ata().set_max_frozen = is_frozen;
    const OverwriteResult result = job.run();
    EXPECT_EQ(verdict_of(result), is_frozen ? Verdict::unknown : Verdict::clear);
    EXPECT_EQ(result.progress.steps[2].done_bytes, is_frozen ? kHiddenFrom : kDiskBytes);
  }
}

// Dies in the pass over the disk that has grown.
void kill_after_growing(SimulatedJob& job) {
  SimulatedDisk device(job.disk);
  device.lose_power_at(4);
  EXPECT_THROW(job.run(device), simulated::PowerLost);
  ASSERT_EQ(job.disk.size_bytes(), kDiskBytes);
}

TEST(HiddenAreaOfAPlan, IsCoveredByTheApprovalOfWhatCouldBeSeen) {
  const auto job = job_with_hpa("bsi-gs");
  kill_after_growing(*job);
  EXPECT_EQ(verdict_of(job->run()), Verdict::purge);
}

TEST(HiddenAreaOfAPlan, CoversNoOtherLargerDisk) {
  const auto job = job_with_hpa("bsi-gs");
  kill_after_growing(*job);
  job->disk.show(kDiskBytes - kSectorBytes);
  EXPECT_THROW(job->run(), Error);
  job->disk.show(kHiddenFrom);
  EXPECT_THROW(job->run(), Error) << "what was written to the rest is hidden again";
  job->disk.show(kDiskBytes);
  EXPECT_EQ(verdict_of(job->run()), Verdict::purge);
}

TEST(HiddenAreaOfAPlan, ThatTheSystemDoesNotSeeIsNotRemoved) {
  const auto job = job_with_hpa("ata-sanitize-block");
  job->firmware->distort = [&](const CommandRequest&, CommandResult&) { job->disk.show(kHiddenFrom); };
  EXPECT_EQ(verdict_of(job->run()), Verdict::unknown);
}

Plan with_discard(const char* name) {
  Plan plan = shipped_plan(name);
  plan.name = "site";
  plan.steps.push_back({StepKind::discard});
  return plan;
}

TEST(Discard, ComesAfterEverythingWasReadBackAndCountsForNothing) {
  for (const int error : {0, EOPNOTSUPP, EIO}) {
    SimulatedJob job(with_discard("hmg-is5-enhanced"));
    job.disk.fail_discarding(error);
    const OverwriteResult result = job.run();
    EXPECT_EQ(verdict_of(result), Verdict::clear);
    EXPECT_EQ(result.progress.steps[4].errors, error == 0 ? 0 : 1);
    EXPECT_TRUE(result.progress.steps[4].ended);
    const Bytes expected = error == 0 ? Bytes(kDiskBytes) : job.expected("R", 3);
    EXPECT_EQ(job.disk.content(), expected);
  }
}

TEST(Discard, MakesNoSuccessOfAFailure) {
  SimulatedJob job(with_discard("hmg-is5-enhanced"));
  job.disk.fail_writing(3, EIO);
  EXPECT_EQ(verdict_of(job.run()), Verdict::destroy);
}

}  // namespace
}  // namespace qcbak::wipe
