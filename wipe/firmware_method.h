// The commands by which a disk erases itself, by name. docs/sanitisation.md "Methods".
#pragma once

#include <span>
#include <string_view>

#include "wipe/command_channel.h"

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
// All but purge_auto, in the order of the manual.
std::span<const MethodRow> method_rows();
const MethodRow& method_row(FirmwareMethod method);  // of any but purge_auto
std::string_view method_name(FirmwareMethod method);
// Error(usage) for a name that is none.
FirmwareMethod method_of_name(std::string_view name);

// Whether these bytes of a command, of any method, make a disk erase itself.
bool erases(CommandSet command_set, ByteView command);

}  // namespace qcbak::wipe
