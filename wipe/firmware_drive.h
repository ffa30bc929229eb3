// A disk's firmware, asked in its own command set. docs/sanitisation.md "Erasure by the disk's firmware".
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wipe/firmware_method.h"
#include "wipe/scsi.h"
#include "wipe/transcript.h"

namespace qcbak::wipe {

struct Polled {
  SanitizeState state = SanitizeState::idle;
  std::optional<std::uint16_t> progress;  // of 65536
};

class FirmwareDrive {
 public:
  virtual ~FirmwareDrive() = default;
  // As the firmware reports it; empty where it is not asked.
  virtual std::string serial() const = 0;
  virtual bool reports(FirmwareMethod method) = 0;
  // Why the method must not be begun now, in a sentence; nothing when it may.
  virtual std::optional<std::string> obstacle(FirmwareMethod method) = 0;
  // As the disk says; nothing when it does not.
  virtual std::optional<std::int64_t> estimate_s(FirmwareMethod method) = 0;
  // Error(refused) when the disk never said that it has the command, and turns out not to.
  virtual Reply begin(FirmwareMethod method, std::int64_t limit_ns) = 0;
  // How far a sanitising by this method is; nothing when there is no answer that can be read. One of another method, where
  // the disk tells it apart, is none.
  virtual std::optional<Polled> poll(FirmwareMethod method) = 0;
  // Takes back what begin() had to change for its command. False when it is still so.
  virtual bool take_back(FirmwareMethod method) = 0;
};

// Error(refused) when the firmware gives no answer that can be read. `transcript` outlives it.
std::unique_ptr<FirmwareDrive> open_firmware(Transcript& transcript);

}  // namespace qcbak::wipe
