// What an ATA disk answers: sense data with registers, IDENTIFY DEVICE, DCO IDENTIFY. The bytes as each of them, and as a
// sector whose checksum holds.
#include <algorithm>

#include "base/error.h"
#include "wipe/ata.h"

namespace qcbak {
namespace {

Bytes sector_of(ByteView input) {
  Bytes sector(wipe::kAtaSectorBytes);
  std::copy_n(input.begin(), std::min(input.size(), sector.size() - 2), sector.begin());
  sector[510] = std::byte{0xa5};
  unsigned sum = 0;
  for (const std::byte byte : sector) sum += std::to_integer<unsigned>(byte);
  sector[511] = static_cast<std::byte>(256 - sum % 256);
  return sector;
}

void parse_sector(ByteView sector) {
  if (const std::optional<wipe::AtaIdentity> identity = wipe::parse_ata_identity(sector)) {
    check(identity->sectors > 0 && identity->sectors <= std::uint64_t{1} << 48, "a disk's sectors have addresses");
    check(identity->sector_bytes >= 512, "a sector has at least 512 bytes");
  }
  wipe::parse_dco_last_lba(sector);
}

}  // namespace
}  // namespace qcbak

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  const ByteView input = std::as_bytes(std::span(data, size));
  wipe::CommandResult result;
  result.status = 2;
  result.sense = to_bytes(input);
  const std::optional<wipe::AtaRegisters> registers = wipe::parse_ata_registers(input);
  check(wipe::ata_reply(result) != wipe::Reply::done || registers.has_value(),
        "nothing is done that no register shows");
  wipe::parse_ata_sanitize_status(result);
  parse_sector(input);
  parse_sector(sector_of(input));
  return 0;
}
