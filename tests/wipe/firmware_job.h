// A small disk with firmware, and a job of erasing it that a test may kill and take up again.
#pragma once

#include <memory>

#include "tests/simulated/simulated_firmware.h"
#include "wipe/firmware_erase.h"

namespace qcbak::tests {

inline constexpr std::uint64_t kFirmwareDiskBytes = 1U << 20;

std::unique_ptr<simulated::SimulatedFirmware> make_firmware(simulated::Disk& disk, wipe::CommandSet command_set);

// Whether it makes the disk erase itself, by its opcode.
bool erases(const wipe::CommandRequest& request);
// An answer of the adapter's driver, and of no disk: the status, which nobody sent, is GOOD.
wipe::CommandResult host_failure(std::uint16_t host_status);

// A command that was followed to its end, and what the disk holds then.
struct FirmwareErasure {
  wipe::ErasureFacts facts;
  wipe::ErasureAssessment assessment;
  wipe::Remains remains;
  wipe::FirmwareProgress progress;
};

class FirmwareJob {
 public:
  explicit FirmwareJob(wipe::FirmwareMethod of_method);
  FirmwareJob(wipe::FirmwareMethod of_method, wipe::CommandSet command_set);

  // Each call is a process.
  FirmwareErasure run(simulated::SimulatedDisk& device, std::stop_token stop = {});
  FirmwareErasure run() {
    simulated::SimulatedDisk device(disk);
    return run(device);
  }
  simulated::SimulatedAta& ata() { return dynamic_cast<simulated::SimulatedAta&>(*firmware); }
  simulated::SimulatedNvme& nvme() { return dynamic_cast<simulated::SimulatedNvme&>(*firmware); }
  simulated::SimulatedScsi& scsi() { return dynamic_cast<simulated::SimulatedScsi&>(*firmware); }
  bool holds_old_content() const;  // any sector of it, or an old cell

  wipe::FirmwareMethod method;
  simulated::Disk disk{kFirmwareDiskBytes};
  std::unique_ptr<simulated::SimulatedFirmware> firmware;
  ManualClock clock;
  wipe::FirmwareEraseOptions options;
  wipe::JobSecret secret;
  Bytes old_content;
  std::optional<Bytes> saved;  // what the last process made durable
};

}  // namespace qcbak::tests
