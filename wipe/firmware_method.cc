#include "wipe/firmware_method.h"

#include <algorithm>

#include "base/error.h"

namespace qcbak::wipe {
namespace {

using enum FirmwareMethod;

constexpr MethodRow kMethods[] = {
    {ata_sanitize_crypto, "ata-sanitize-crypto", CommandSet::ata, Category::purge, Kind::crypto, true},
    {ata_sanitize_block, "ata-sanitize-block", CommandSet::ata, Category::purge, Kind::block, true},
    {ata_sanitize_overwrite, "ata-sanitize-overwrite", CommandSet::ata, Category::purge, Kind::overwrite, true},
    {ata_secure_erase, "ata-secure-erase", CommandSet::ata, Category::clear, Kind::overwrite, false},
    {ata_secure_erase_enhanced, "ata-secure-erase-enhanced", CommandSet::ata, Category::purge, Kind::overwrite, false},
    {nvme_sanitize_crypto, "nvme-sanitize-crypto", CommandSet::nvme, Category::purge, Kind::crypto, true},
    {nvme_sanitize_block, "nvme-sanitize-block", CommandSet::nvme, Category::purge, Kind::block, true},
    {nvme_sanitize_overwrite, "nvme-sanitize-overwrite", CommandSet::nvme, Category::purge, Kind::overwrite, true},
    {nvme_format_user, "nvme-format-user", CommandSet::nvme, Category::clear, Kind::block, false},
    {nvme_format_crypto, "nvme-format-crypto", CommandSet::nvme, Category::clear, Kind::crypto, false},
    {scsi_sanitize_crypto, "scsi-sanitize-crypto", CommandSet::scsi, Category::purge, Kind::crypto, true},
    {scsi_sanitize_block, "scsi-sanitize-block", CommandSet::scsi, Category::purge, Kind::block, true},
    {scsi_sanitize_overwrite, "scsi-sanitize-overwrite", CommandSet::scsi, Category::purge, Kind::overwrite, true},
};

constexpr std::string_view kPurgeAuto = "purge-auto";

unsigned at(ByteView bytes, std::size_t index) {
  return index < bytes.size() ? std::to_integer<unsigned>(bytes[index]) : 0;
}

}  // namespace

std::span<const MethodRow> method_rows() { return kMethods; }

const MethodRow& method_row(FirmwareMethod method) {
  const auto found = std::ranges::find(kMethods, method, &MethodRow::method);
  check(found != std::end(kMethods), "every method that a disk can be told has a row");
  return *found;
}

std::string_view method_name(FirmwareMethod method) {
  return method == purge_auto ? kPurgeAuto : method_row(method).name;
}

FirmwareMethod method_of_name(std::string_view name) {
  if (name == kPurgeAuto) return purge_auto;
  const auto found = std::ranges::find(kMethods, name, &MethodRow::name);
  if (found == std::end(kMethods))
    throw Error(ErrorCode::usage, "there is no firmware method \"" + printable(name) + "\"");
  return found->method;
}

bool erases(CommandSet command_set, ByteView command) {
  constexpr std::size_t kAtaFeature = 4, kAtaCommand = 14;
  switch (command_set) {
    case CommandSet::ata:
      return at(command, kAtaCommand) == 0xf4 || (at(command, kAtaCommand) == 0xb4 && at(command, kAtaFeature) != 0);
    case CommandSet::nvme: return at(command, 0) == 0x84 || at(command, 0) == 0x80;
    case CommandSet::scsi: return at(command, 0) == 0x48;
  }
  return false;
}

}  // namespace qcbak::wipe
