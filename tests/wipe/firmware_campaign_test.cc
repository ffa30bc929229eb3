// A whole plan with firmware whose process dies at every write, flush and command there is, and before every record of its
// journal, and that is taken up again.
#include <gmock/gmock.h>

#include <algorithm>

#include "tests/wipe/firmware_job.h"
#include "tests/wipe/simulated_job.h"

namespace qcbak::wipe {
namespace {

using simulated::Erases;
using simulated::kBlockBytes;
using simulated::kSectorBytes;
using simulated::Moment;
using simulated::PowerLost;
using simulated::SimulatedDisk;
using tests::Death;
using tests::erases;
using tests::kDiskBytes;
using tests::kKill;
using tests::SimulatedJob;
using tests::verdict_of;

// The engine asks for the time before each record of its journal, and between what it does.
class DyingClock final : public Clock {
 public:
  DyingClock(const Clock& clock, std::uint64_t nth) : clock_(clock), left_(nth) {}
  Time now() const override {
    if (left_ == 0 || --left_ == 0) throw PowerLost();
    return clock_.now();
  }
  std::int64_t monotonic_ns() const override { return clock_.monotonic_ns(); }

 private:
  const Clock& clock_;
  mutable std::uint64_t left_;
};

enum class Place { write_or_flush, before_command, after_command, time };

struct Setting {
  const char* plan;
  CommandSet command_set;
  Verdict expected;
  void (*prepare)(SimulatedJob&);
};

void hide_nothing(SimulatedJob&) {}
void hide_by_hpa(SimulatedJob& job) { job.ata().hide_by_hpa(9 * kBlockBytes / kSectorBytes); }
void hide_by_dco_and_hpa(SimulatedJob& job) {
  job.ata().hide_by_dco(12 * kBlockBytes / kSectorBytes);
  job.ata().hide_by_hpa(9 * kBlockBytes / kSectorBytes);
}

constexpr Setting kSettings[] = {
    {"bsi-gs", CommandSet::ata, Verdict::purge, hide_by_dco_and_hpa},
    {"bsi-gse", CommandSet::ata, Verdict::purge, hide_by_hpa},
    {"bsi-gs", CommandSet::nvme, Verdict::purge, hide_nothing},
    {"bsi-gse", CommandSet::scsi, Verdict::purge, hide_nothing},
    {"purge-auto", CommandSet::ata, Verdict::purge, hide_by_dco_and_hpa},
    {"ata-secure-erase", CommandSet::ata, Verdict::clear, hide_by_hpa},
    {"ata-secure-erase-enhanced", CommandSet::ata, Verdict::purge, hide_nothing},
    {"nvme-format-crypto", CommandSet::nvme, Verdict::clear, hide_nothing},
    {"scsi-sanitize-block", CommandSet::scsi, Verdict::purge, hide_nothing},
};

std::unique_ptr<SimulatedJob> make_job(const Setting& setting) {
  auto job = std::make_unique<SimulatedJob>(setting.plan);
  job->attach(setting.command_set);
  setting.prepare(*job);
  return job;
}

// False when the job came to its end before.
bool dies(SimulatedJob& job, Place place, std::uint64_t nth, Death death) {
  SimulatedDisk device(job.disk);
  if (place == Place::write_or_flush) device.lose_power_at(nth);
  if (place == Place::before_command) device.lose_power_at_command(nth, Moment::before);
  if (place == Place::after_command) device.lose_power_at_command(nth, Moment::after);
  const DyingClock clock(job.clock, place == Place::time ? nth : ~std::uint64_t{0});
  job.process_clock = &clock;
  bool died = false;
  try {
    job.run(device);
  } catch (const PowerLost&) {
    died = true;
  }
  job.process_clock = &job.clock;
  if (died && death) job.disk.power_loss(*death);
  return died;
}

constexpr Place kPlaces[] = {Place::write_or_flush, Place::before_command, Place::after_command, Place::time};
constexpr Death kDeaths[] = {kKill, 1, 2};

std::string name_of(const Setting& setting, Place place, std::uint64_t nth, Death death) {
  return std::string(setting.plan) + ", place " + std::to_string(static_cast<int>(place)) + ", number " +
         std::to_string(nth) + (death ? ", power loss " + std::to_string(*death) : ", kill");
}

void expect_erased(SimulatedJob& job, const Setting& setting, const std::string& when) {
  const OverwriteResult result = job.run();
  EXPECT_EQ(verdict_of(result), setting.expected) << when << ": " << assess(facts_of(result)).reason;
  job.disk.power_loss(99);
  EXPECT_EQ(job.disk.content(), Bytes(kDiskBytes)) << when;
  EXPECT_EQ(job.disk.size_bytes(), kDiskBytes) << when;
  EXPECT_FALSE(setting.command_set == CommandSet::ata && job.ata().security_enabled) << when;
}

std::string name_of_setting(const testing::TestParamInfo<Setting>& tested) {
  constexpr const char* kSets[] = {"ata", "scsi", "nvme"};
  std::string name = std::string(tested.param.plan) + "_" + kSets[static_cast<std::size_t>(tested.param.command_set)];
  std::ranges::replace(name, '-', '_');
  return name;
}

class EverySetting : public testing::TestWithParam<Setting> {};
INSTANTIATE_TEST_SUITE_P(FirmwareCampaign, EverySetting, testing::ValuesIn(kSettings), name_of_setting);

// How it dies changes from one place to the next.
TEST_P(EverySetting, EndsAsPlannedWhereverItDied) {
  for (std::size_t place = 0; place < std::size(kPlaces); ++place)
    for (std::uint64_t nth = 1;; ++nth) {
      const auto job = make_job(GetParam());
      const Death death = kDeaths[(nth + place) % std::size(kDeaths)];
      if (!dies(*job, kPlaces[place], nth, death)) {
        EXPECT_GT(nth, 5) << "it died nowhere";
        break;
      }
      expect_erased(*job, GetParam(), name_of(GetParam(), kPlaces[place], nth, death));
    }
}

// Three times in a row, each time elsewhere and otherwise.
TEST_P(EverySetting, EndsAsPlannedWhenItDiesAgainAndAgain) {
  std::uint64_t deaths = 0;
  for (std::uint64_t nth = 1; nth < 24; ++nth) {
    const auto job = make_job(GetParam());
    for (std::uint64_t time = 0; time < 3; ++time) {
      const std::uint64_t turn = nth + time;
      if (dies(*job, kPlaces[turn % std::size(kPlaces)], nth, kDeaths[turn % std::size(kDeaths)])) ++deaths;
    }
    expect_erased(*job, GetParam(), "three times at number " + std::to_string(nth));
  }
  EXPECT_GT(deaths, 12);
}

// Half of the disk is erased when the power goes, and the disk knows nothing of it any more, or goes on.
TEST_P(EverySetting, EndsAsPlannedAfterAPowerCutInTheMiddleOfTheErasure) {
  const auto job = make_job(GetParam());
  job->firmware->instead = [&](const CommandRequest& request) -> std::optional<CommandResult> {
    if (!erases(request)) return std::nullopt;
    job->firmware->erases = Erases::half;
    job->firmware->erase_now();
    throw PowerLost();
  };
  EXPECT_THROW(job->run(), PowerLost);
  job->firmware->instead = nullptr;
  job->firmware->erases = Erases::everything;
  job->disk.power_loss(1);
  expect_erased(*job, GetParam(), "half erased");
}

// A disk that lies does not get away with it by an interruption either.
TEST_P(EverySetting, ALieIsNeverASuccessWhereverItDied) {
  constexpr Erases kLies[] = {Erases::nothing, Erases::half, Erases::one_bit_in_each_sector};
  for (const Place place : kPlaces)
    for (std::uint64_t nth = 1;; ++nth) {
      const auto job = make_job(GetParam());
      job->firmware->erases = kLies[nth % std::size(kLies)];
      const bool died = dies(*job, place, nth, kDeaths[nth % std::size(kDeaths)]);
      ASSERT_FALSE(is_success(verdict_of(job->run()))) << name_of(GetParam(), place, nth, kKill);
      if (!died) break;
    }
}

TEST_P(EverySetting, AJobThatIsDoneStaysDone) {
  const auto job = make_job(GetParam());
  job->run();
  EXPECT_EQ(verdict_of(job->run()), GetParam().expected);
  EXPECT_EQ(job->firmware->erasures(), 1);
}

TEST(SampleCampaign, ReadsATenthOfALargeDiskAndFindsWhatIsWrongInIt) {
  constexpr std::uint64_t kBytes = 20100 * std::uint64_t{kBlockBytes};
  SimulatedJob job(sampled(shipped_plan("nist-clear")), kBytes);
  job.options.chunk_bytes = 512 * kPatternTileBytes;
  job.options.watermark_bytes = kBytes;
  const OverwriteResult result = job.run();
  EXPECT_EQ(verdict_of(result), Verdict::clear);
  EXPECT_EQ(assess(facts_of(result)).reason, "everything was written, and a sample of it was read back");
  EXPECT_GE(result.progress.steps[1].done_bytes * 10, kBytes);
  EXPECT_LT(result.progress.steps[1].done_bytes * 8, kBytes);
  SimulatedJob lying(sampled(shipped_plan("nist-clear")), kBytes);
  lying.options = job.options;
  lying.disk.drop_writes(0);
  EXPECT_EQ(verdict_of(lying.run()), Verdict::failed) << "the first block is in every sample";
}

}  // namespace
}  // namespace qcbak::wipe
