// A small disk, and a job on it that a test may kill and take up again.
#pragma once

#include <functional>
#include <memory>

#include "tests/simulated/simulated_disk.h"
#include "tests/simulated/simulated_firmware.h"
#include "tests/support/temporary_directory.h"
#include "wipe/overwrite.h"
#include "wipe/verdict.h"

namespace qcbak::tests {

// Six chunks of three blocks, the last one of a block and two sectors.
inline constexpr std::size_t kChunkBytes = wipe::kPatternTileBytes;
inline constexpr std::uint64_t kDiskBytes = 5 * kChunkBytes + simulated::kBlockBytes + 2 * simulated::kSectorBytes;
inline constexpr std::uint64_t kChunks = 6;

class SimulatedJob {
 public:
  explicit SimulatedJob(std::string_view plan_name, std::uint64_t disk_bytes = kDiskBytes)
      : SimulatedJob(wipe::shipped_plan(plan_name), disk_bytes) {}
  explicit SimulatedJob(wipe::Plan of_plan, std::uint64_t disk_bytes = kDiskBytes);

  // Each call is a process: it makes the journal or opens it, and runs.
  wipe::OverwriteResult run(simulated::SimulatedDisk& device, std::stop_token stop = {});
  wipe::OverwriteResult run() {
    simulated::SimulatedDisk device(disk);
    return run(device);
  }
  // Gives the disk firmware, before the first run.
  void attach(wipe::CommandSet command_set);
  simulated::SimulatedAta& ata() { return dynamic_cast<simulated::SimulatedAta&>(*firmware); }
  bool holds_old_content() const;  // any sector of it
  // Of a job that was run before.
  Bytes expected(std::string_view step_text, std::uint32_t step) const;
  wipe::JournalContent journal() const;

  simulated::Disk disk;
  const wipe::Plan plan;
  wipe::OverwriteOptions options;
  ManualClock clock;
  Bytes old_content;
  std::unique_ptr<simulated::SimulatedFirmware> firmware;
  const Clock* process_clock = &clock;

 private:
  wipe::ConfirmedTarget confirm(simulated::SimulatedDisk& device);
  bool has_journal() const;
  std::optional<std::uint64_t> approved_bytes_;
  TemporaryDirectory directory_;
  std::string journal_path_ = directory_ / "journal";
};

// How a process ends before its time: a kill, or the power with a seed.
using Death = std::optional<std::uint64_t>;
inline constexpr Death kKill = std::nullopt;
// Runs the job until it dies at the nth write or flush from its start; false when it came to its end before.
bool dies_at(SimulatedJob& job, std::uint64_t nth, Death death);

wipe::Verdict verdict_of(const wipe::OverwriteResult& result);

}  // namespace qcbak::tests
