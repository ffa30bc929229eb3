#include "tests/wipe/simulated_job.h"

#include <unistd.h>

#include "tests/wipe/expected_content.h"
#include "tests/wipe/firmware_job.h"

namespace qcbak::tests {

using wipe::Journal;

SimulatedJob::SimulatedJob(wipe::Plan of_plan, std::uint64_t disk_bytes)
    : disk(disk_bytes), plan(std::move(of_plan)), old_content(disk_bytes) {
  SeededRandom(11).fill(old_content);
  disk.plant(0, old_content);
  options.chunk_bytes = kChunkBytes;
  options.requests_at_once = 1;
  options.watermark_bytes = 2 * kChunkBytes;
  options.resume_check_bytes = 2 * kChunkBytes;
}

void SimulatedJob::attach(wipe::CommandSet command_set) {
  firmware = make_firmware(disk, command_set);
  options.firmware.wait = [this](std::int64_t ns) { clock.advance(ns); };
}

bool SimulatedJob::has_journal() const { return ::access(journal_path_.c_str(), F_OK) == 0; }

bool SimulatedJob::holds_old_content() const {
  using simulated::kSectorBytes;
  const Bytes content = disk.content();
  for (std::size_t at = 0; at < content.size(); at += kSectorBytes)
    if (equal(ByteView(content).subspan(at, kSectorBytes), ByteView(old_content).subspan(at, kSectorBytes)))
      return true;
  return false;
}

wipe::ConfirmedTarget SimulatedJob::confirm(simulated::SimulatedDisk& device) {
  const wipe::Identity identity = device.identity();
  if (!approved_bytes_) approved_bytes_ = device.geometry().size_bytes;
  wipe::ApprovedTarget approved{identity.model, identity.serial, wipe::SerialOrigin::reported, *approved_bytes_,
                                wipe::plan_hash(plan)};
  if (has_journal()) {
    const wipe::JournalContent known = journal();
    approved.grown_sizes_bytes = wipe::sizes_of_disk(known.beginning, known.progress ? &*known.progress : nullptr);
  }
  return wipe::confirm(wipe::inspect(device), approved,
                       identity.serial.substr(identity.serial.size() - wipe::kTypedCharacters));
}

wipe::OverwriteResult SimulatedJob::run(simulated::SimulatedDisk& device, std::stop_token stop) {
  wipe::ConfirmedTarget target = confirm(device);
  SeededRandom random(23);
  Journal journal = has_journal() ? Journal::open(journal_path_)
                                  : Journal::create(journal_path_, wipe::begin_job(target, plan, clock, random));
  return wipe::overwrite(device, std::move(target), plan, journal, options, *process_clock, std::move(stop));
}

wipe::JournalContent SimulatedJob::journal() const {
  return wipe::parse_journal(read_file(journal_path_, wipe::kJournalLimit));
}

Bytes SimulatedJob::expected(std::string_view step_text, std::uint32_t step) const {
  return expected_content(step_text, step, journal().beginning.secret.view(), disk.size_bytes());
}

bool dies_at(SimulatedJob& job, std::uint64_t nth, Death death) {
  simulated::SimulatedDisk device(job.disk);
  device.lose_power_at(nth);
  try {
    job.run(device);
    return false;
  } catch (const simulated::PowerLost&) {
  }
  if (death) job.disk.power_loss(*death);
  return true;
}

wipe::Verdict verdict_of(const wipe::OverwriteResult& result) { return wipe::assess(wipe::facts_of(result)).verdict; }

}  // namespace qcbak::tests
