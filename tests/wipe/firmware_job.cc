#include "tests/wipe/firmware_job.h"

#include <algorithm>

#include "wipe/remains.h"

namespace qcbak::tests {
namespace {

using simulated::kSectorBytes;
using wipe::CommandSet;

constexpr std::size_t kOldCells = 1024;

// A sector that was written, and then written over: its old cell has it still.
void retire_a_cell(simulated::Disk& disk, ByteView content) {
  simulated::SimulatedDisk device(disk);
  PageBuffer block(simulated::kBlockBytes);
  std::ranges::copy(content.first(block.capacity()), block.data());
  device.write(0, block.span());
  device.flush();
}

}  // namespace

std::unique_ptr<simulated::SimulatedFirmware> make_firmware(simulated::Disk& disk, CommandSet command_set) {
  switch (command_set) {
    case CommandSet::ata: return std::make_unique<simulated::SimulatedAta>(disk);
    case CommandSet::nvme: return std::make_unique<simulated::SimulatedNvme>(disk);
    case CommandSet::scsi: return std::make_unique<simulated::SimulatedScsi>(disk);
  }
  return nullptr;
}

bool erases(const wipe::CommandRequest& request) {
  const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(request.command.at(i)); };
  if (request.command.size() == 64) return at(0) == 0x84 || at(0) == 0x80;
  if (at(0) != 0x85) return at(0) == 0x48;
  return at(14) == 0xf4 || (at(14) == 0xb4 && at(4) != 0);
}

wipe::CommandResult host_failure(std::uint16_t host_status) {
  wipe::CommandResult result;
  result.host_status = host_status;
  result.nvme_status = 0x371;  // the same for NVMe: the command was cancelled by the host
  return result;
}

FirmwareJob::FirmwareJob(wipe::FirmwareMethod of_method)
    : FirmwareJob(of_method, wipe::method_row(of_method).command_set) {}

FirmwareJob::FirmwareJob(wipe::FirmwareMethod of_method, CommandSet command_set)
    : method(of_method), firmware(make_firmware(disk, command_set)), old_content(kFirmwareDiskBytes) {
  SeededRandom random(11);
  secret = wipe::JobSecret::random(random);
  random.fill(old_content);
  disk.plant(0, old_content);
  disk.keep_old_cells(kOldCells);
  retire_a_cell(disk, old_content);
  options.wait = [this](std::int64_t ns) { clock.advance(ns); };
}

FirmwareErasure FirmwareJob::run(simulated::SimulatedDisk& device, std::stop_token stop) {
  const wipe::Identity identity = device.identity();
  const wipe::ConfirmedTarget target =
      wipe::confirm(wipe::inspect(device),
                    {identity.model, identity.serial, wipe::SerialOrigin::reported, device.geometry().size_bytes, {}},
                    identity.serial.substr(identity.serial.size() - wipe::kTypedCharacters));
  std::optional<wipe::FirmwareProgress> last;
  if (saved) last = wipe::parse_firmware_progress(*saved);
  const auto save = [this](const wipe::FirmwareProgress& progress) { saved = wipe::firmware_progress_bytes(progress); };
  FirmwareErasure erasure;
  erasure.progress = wipe::run_erasure(device, target, method, secret, std::move(last), save, options, clock, stop);
  erasure.remains = wipe::look_at_remains(device, wipe::MarkerContent(secret, erasure.progress.attempt),
                                          erasure.progress.marker_offsets);
  erasure.facts = wipe::erasure_facts(erasure.progress, erasure.remains);
  erasure.assessment = wipe::assess_erasure(erasure.facts);
  return erasure;
}

bool FirmwareJob::holds_old_content() const {
  const Bytes content = disk.content();
  for (std::size_t at = 0; at < content.size(); at += kSectorBytes)
    if (equal(ByteView(content).subspan(at, kSectorBytes), ByteView(old_content).subspan(at, kSectorBytes)))
      return true;
  return disk.old_cells_hold(ByteView(old_content).first(kSectorBytes));
}

}  // namespace qcbak::tests
