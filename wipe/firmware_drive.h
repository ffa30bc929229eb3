// A disk's firmware, asked in its own command set. docs/sanitisation.md "Erasure by the disk's firmware".
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wipe/scsi.h"
#include "wipe/transcript.h"

namespace qcbak::wipe {

enum class FirmwareMethod {
  ata_sanitize_crypto,
  ata_sanitize_block,
  ata_sanitize_overwrite,
  ata_secure_erase,
  ata_secure_erase_enhanced,
  nvme_sanitize_crypto,
  nvme_sanitize_block,
  nvme_sanitize_overwrite,
  nvme_format_user,
  nvme_format_crypto,
  scsi_sanitize_crypto,
  scsi_sanitize_block,
  scsi_sanitize_overwrite,
  purge_auto,  // the first Purge method that the disk reports
};

enum class Category { clear, purge };
enum class Kind { crypto, block, overwrite };

struct MethodRow {
  FirmwareMethod method;
  std::string_view name;
  CommandSet command_set;
  Category category;  // IEEE 2883, NIST SP 800-88: what it can amount to at best
  Kind kind;
  bool is_sanitize;  // returns at once and is polled; the others return when they are done
};
const MethodRow& method_row(FirmwareMethod method);  // of any but purge_auto
std::string_view method_name(FirmwareMethod method);
// Error(usage) for a name that is none.
FirmwareMethod method_of_name(std::string_view name);

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
