#include "wipe/ata.h"

#include <algorithm>

#include "base/error.h"

namespace qcbak::wipe {
namespace {

constexpr unsigned kAtaPassThrough16 = 0x85;
constexpr std::uint8_t kAtaReturnDescriptor = 0x09;
constexpr std::size_t kAtaReturnDescriptorSize = 14;
constexpr std::size_t kFixedWithRegisters = 12;

constexpr unsigned kStatusError = 0x01;
constexpr unsigned kStatusFault = 0x20;
constexpr unsigned kStatusBusy = 0x80;
constexpr std::uint8_t kLbaMode = 0x40;
constexpr std::uint64_t kLbaLimit = std::uint64_t{1} << 48;
constexpr std::uint64_t kSmartKey = 0xc24f00;  // ACS-4 §7.48: in the address of each SMART command

unsigned byte_at(ByteView bytes, std::size_t index) { return std::to_integer<unsigned>(bytes[index]); }

std::uint16_t word(ByteView sector, std::size_t index) { return load_le<std::uint16_t>(&sector[2 * index]); }

bool bit(std::uint16_t word, unsigned number) { return (word >> number & 1) != 0; }

// ACS-4: several words count only when bit 14 of them is one and bit 15 is zero.
bool is_valid(std::uint16_t word) { return word >> 14 == 1; }

// ATA texts have the two bytes of each word the wrong way round.
std::string text_of(ByteView sector, std::size_t first_word, std::size_t words) {
  std::string text;
  for (std::size_t i = first_word; i < first_word + words; ++i) {
    text.push_back(static_cast<char>(byte_at(sector, 2 * i + 1)));
    text.push_back(static_cast<char>(byte_at(sector, 2 * i)));
  }
  const std::size_t first = text.find_first_not_of(' ');
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(' ') + 1 - first);
}

// ACS-4 §7.13.6.33: in units of two minutes, in 8 bits or, when bit 15 says so, in 15.
std::optional<std::uint32_t> minutes_of(std::uint16_t word) {
  const std::uint32_t units = bit(word, 15) ? word & 0x7fffU : word & 0xffU;
  return units == 0 ? std::nullopt : std::optional(2 * units);
}

std::uint64_t sectors_of(ByteView sector, bool has_48_bit) {
  const std::uint64_t small = word(sector, 60) | std::uint64_t{word(sector, 61)} << 16;
  if (!has_48_bit) return small;
  const auto large = load_le<std::uint64_t>(&sector[200]);
  return large == 0 || large > kLbaLimit ? small : large;
}

std::uint32_t sector_bytes_of(ByteView sector) {
  const std::uint16_t sizes = word(sector, 106);
  if (!is_valid(sizes) || !bit(sizes, 12)) return kAtaSectorBytes;
  return 2 * (word(sector, 117) | std::uint32_t{word(sector, 118)} << 16);
}

AtaRegisters from_descriptor(ByteView d) {
  AtaRegisters registers;
  registers.error = static_cast<std::uint8_t>(byte_at(d, 3));
  registers.count = static_cast<std::uint16_t>(byte_at(d, 4) << 8 | byte_at(d, 5));
  constexpr std::size_t kLbaBytes[] = {7, 9, 11, 6, 8, 10};  // from the lowest to the highest
  for (std::size_t i = 0; i < std::size(kLbaBytes); ++i)
    registers.lba |= std::uint64_t{byte_at(d, kLbaBytes[i])} << (8 * i);
  registers.status = static_cast<std::uint8_t>(byte_at(d, 13));
  return registers;
}

AtaRegisters from_fixed(ByteView bytes) {
  AtaRegisters registers;
  registers.error = static_cast<std::uint8_t>(byte_at(bytes, 3));
  registers.status = static_cast<std::uint8_t>(byte_at(bytes, 4));
  registers.count = static_cast<std::uint16_t>(byte_at(bytes, 6));
  for (std::size_t i = 0; i < 3; ++i) registers.lba |= std::uint64_t{byte_at(bytes, 9 + i)} << (8 * i);
  registers.is_whole = false;
  return registers;
}

CommandRequest no_data(std::uint8_t command, std::uint16_t feature = 0) {
  return ata_request({.command = command, .feature = feature});
}

Bytes password_sector(std::uint16_t control) {
  Bytes sector(kAtaSectorBytes);
  store_le(sector.data(), control);
  std::ranges::copy(as_bytes(kAtaPassword), sector.begin() + 2);
  return sector;
}

CommandRequest with_password(std::uint8_t command, std::uint16_t control, std::int64_t timeout_ns = 30'000'000'000) {
  return ata_request({.command = command, .protocol = AtaProtocol::to_disk, .count = 1}, password_sector(control),
                     timeout_ns);
}

}  // namespace

bool ata_checksum_holds(ByteView sector) {
  unsigned sum = 0;
  for (const std::byte byte : sector) sum += std::to_integer<unsigned>(byte);
  return sum % 256 == 0;
}

CommandRequest ata_request(const AtaCommand& c, Bytes to_disk, std::int64_t timeout_ns) {
  constexpr unsigned kReturnRegisters = 0x20;
  constexpr unsigned kDataFromDisk = 0x0e;  // T_DIR, BYT_BLOK, T_LENGTH 2: as many sectors as the count says
  constexpr unsigned kDataToDisk = 0x06;
  check((c.protocol == AtaProtocol::to_disk) == !to_disk.empty(), "a command that sends data has some");
  // A sector proves itself by its checksum, and some translators drop it when the registers are asked for too.
  unsigned transfer = kReturnRegisters;
  if (c.protocol == AtaProtocol::from_disk) transfer = kDataFromDisk;
  if (c.protocol == AtaProtocol::to_disk) transfer |= kDataToDisk;
  const auto lba = [&](unsigned byte) { return static_cast<unsigned>(c.lba >> (8 * byte) & 0xff); };
  const unsigned upper = c.is_extended ? 0xff : 0;
  const unsigned device = c.device | (c.is_extended ? 0U : static_cast<unsigned>(c.lba >> 24 & 0x0f));
  const unsigned values[] = {kAtaPassThrough16,
                             static_cast<unsigned>(c.protocol) << 1 | (c.is_extended ? 1U : 0U),
                             transfer,
                             c.feature >> 8 & upper,
                             c.feature & 0xffU,
                             c.count >> 8 & upper,
                             c.count & 0xffU,
                             lba(3) & upper,
                             lba(0),
                             lba(4) & upper,
                             lba(1),
                             lba(5) & upper,
                             lba(2),
                             device,
                             c.command,
                             0};
  CommandRequest request;
  for (const unsigned value : values) request.command.push_back(static_cast<std::byte>(value));
  request.to_disk = std::move(to_disk);
  request.from_disk_bytes = c.protocol == AtaProtocol::from_disk ? kAtaSectorBytes : 0;
  request.timeout_ns = timeout_ns;
  return request;
}

std::optional<AtaRegisters> parse_ata_registers(ByteView bytes) {
  if (const std::optional<ByteView> found = sense_descriptor(bytes, kAtaReturnDescriptor))
    return found->size() >= kAtaReturnDescriptorSize ? std::optional(from_descriptor(*found)) : std::nullopt;
  const std::optional<Sense> sense = parse_sense(bytes);
  // Only "ATA pass-through information available" has registers where fixed format otherwise has an address.
  if (!sense || !sense->is_fixed || sense->code != 0x00 || sense->qualifier != 0x1d) return std::nullopt;
  return bytes.size() >= kFixedWithRegisters ? std::optional(from_fixed(bytes)) : std::nullopt;
}

Reply ata_reply(const CommandResult& result) {
  const Reply transport = scsi_reply(result);
  if (transport == Reply::unknown) return Reply::unknown;
  const std::optional<AtaRegisters> registers = parse_ata_registers(result.sense);
  if (!registers) return transport == Reply::refused ? Reply::refused : Reply::unknown;
  if ((registers->status & kStatusBusy) != 0) return Reply::unknown;
  return (registers->status & (kStatusError | kStatusFault)) != 0 ? Reply::refused : Reply::done;
}

std::optional<AtaIdentity> parse_ata_identity(ByteView sector) {
  constexpr unsigned kChecksumHere = 0xa5;
  if (sector.size() != kAtaSectorBytes || bit(word(sector, 0), 15)) return std::nullopt;
  if (byte_at(sector, 510) == kChecksumHere && !ata_checksum_holds(sector)) return std::nullopt;
  AtaIdentity identity;
  identity.serial = text_of(sector, 10, 10);
  identity.firmware = text_of(sector, 23, 4);
  identity.model = text_of(sector, 27, 20);
  const bool has_features = is_valid(word(sector, 83));
  identity.has_48_bit = has_features && bit(word(sector, 83), 10);
  identity.sectors = sectors_of(sector, identity.has_48_bit);
  identity.sector_bytes = sector_bytes_of(sector);
  if (identity.sectors == 0 || identity.sector_bytes < kAtaSectorBytes || identity.sector_bytes > 65536)
    return std::nullopt;
  const std::uint16_t sanitize = word(sector, 59);
  identity.sanitizes = bit(sanitize, 12);
  identity.sanitizes_by_crypto = identity.sanitizes && bit(sanitize, 13);
  identity.sanitizes_by_overwrite = identity.sanitizes && bit(sanitize, 14);
  identity.sanitizes_by_block = identity.sanitizes && bit(sanitize, 15);
  const std::uint16_t security = word(sector, 128);
  identity.has_security = bit(security, 0);
  identity.security_enabled = bit(security, 1);
  identity.security_locked = bit(security, 2);
  identity.security_frozen = bit(security, 3);
  identity.security_expired = bit(security, 4);
  identity.erases_enhanced = identity.has_security && bit(security, 5);
  identity.erase_minutes = minutes_of(word(sector, 89));
  identity.enhanced_erase_minutes = minutes_of(word(sector, 90));
  identity.has_hpa = has_features && bit(word(sector, 82), 10);
  identity.has_dco = has_features && bit(word(sector, 83), 11);
  identity.has_amac = is_valid(word(sector, 119)) && bit(word(sector, 119), 8);
  return identity;
}

std::optional<std::uint64_t> parse_dco_last_lba(ByteView sector) {
  constexpr unsigned kChecksumHere = 0xa5;
  if (sector.size() != kAtaSectorBytes || byte_at(sector, 510) != kChecksumHere || !ata_checksum_holds(sector))
    return std::nullopt;
  const auto last = load_le<std::uint64_t>(&sector[6]);
  return last == 0 || last >= kLbaLimit ? std::nullopt : std::optional(last);
}

std::optional<AtaSanitizeStatus> parse_ata_sanitize_status(const CommandResult& result) {
  const Reply reply = ata_reply(result);
  const std::optional<AtaRegisters> registers = parse_ata_registers(result.sense);
  if (reply == Reply::unknown || !registers || !registers->is_whole) return std::nullopt;
  constexpr unsigned kLastFailed = 1;  // ACS-4 table 98: the reason, in the lowest byte of the address
  if (reply == Reply::refused) {
    if ((registers->lba & 0xff) != kLastFailed) return std::nullopt;
    return AtaSanitizeStatus{SanitizeState::failed, 0};
  }
  const auto progress = static_cast<std::uint16_t>(registers->lba & 0xffff);
  if (bit(registers->count, 14)) return AtaSanitizeStatus{SanitizeState::running, progress};
  if (bit(registers->count, 13)) return AtaSanitizeStatus{SanitizeState::frozen, 0};
  return AtaSanitizeStatus{bit(registers->count, 15) ? SanitizeState::succeeded : SanitizeState::idle, progress};
}

CommandRequest ata_identify() { return ata_request({.command = 0xec, .protocol = AtaProtocol::from_disk, .count = 1}); }

CommandRequest ata_sanitize(AtaSanitize action) {
  // The addresses are keys, in ASCII: "Cryp", "BkEr", and "OW" before a pattern of zeros.
  AtaCommand command{.command = 0xb4, .is_extended = true, .device = kLbaMode};
  switch (action) {
    case AtaSanitize::crypto_scramble: command.feature = 0x0011, command.lba = 0x43727970; break;
    case AtaSanitize::block_erase: command.feature = 0x0012, command.lba = 0x426b4572; break;
    case AtaSanitize::overwrite:
      command.feature = 0x0014, command.lba = 0x4f57'0000'0000;
      command.count = 1;  // 0 would be sixteen passes
      break;
  }
  return ata_request(command);
}

CommandRequest ata_sanitize_status() { return ata_request({.command = 0xb4, .is_extended = true, .device = kLbaMode}); }

CommandRequest ata_set_password() { return with_password(0xf1, 0); }
CommandRequest ata_unlock() { return with_password(0xf2, 0); }
CommandRequest ata_disable_password() { return with_password(0xf6, 0); }
CommandRequest ata_erase_prepare() { return no_data(0xf3); }
CommandRequest ata_erase_unit(AtaErase erase, std::int64_t timeout_ns) {
  constexpr std::uint16_t kEnhanced = 0x0002;
  return with_password(0xf4, erase == AtaErase::enhanced ? kEnhanced : 0, timeout_ns);
}

CommandRequest ata_smart_read_data() {
  return ata_request(
      {.command = 0xb0, .protocol = AtaProtocol::from_disk, .feature = 0xd0, .count = 1, .lba = kSmartKey});
}
CommandRequest ata_smart_return_status() { return ata_request({.command = 0xb0, .feature = 0xda, .lba = kSmartKey}); }

CommandRequest ata_read_native_max(const AtaIdentity& identity) {
  return ata_request({.command = static_cast<std::uint8_t>(identity.has_48_bit ? 0x27 : 0xf8),
                      .is_extended = identity.has_48_bit,
                      .device = kLbaMode});
}

CommandRequest ata_set_max(const AtaIdentity& identity, std::uint64_t last_lba) {
  constexpr std::uint16_t kSurvivesPowerLoss = 1;
  return ata_request({.command = static_cast<std::uint8_t>(identity.has_48_bit ? 0x37 : 0xf9),
                      .is_extended = identity.has_48_bit,
                      .count = kSurvivesPowerLoss,
                      .lba = last_lba,
                      .device = kLbaMode});
}

CommandRequest ata_dco_identify() {
  return ata_request({.command = 0xb1, .protocol = AtaProtocol::from_disk, .feature = 0xc2, .count = 1});
}
CommandRequest ata_dco_restore() { return no_data(0xb1, 0xc0); }

CommandRequest ata_get_native_max_address() {
  return ata_request({.command = 0x78, .is_extended = true, .device = kLbaMode});
}
CommandRequest ata_set_accessible_max_address(std::uint64_t last_lba) {
  return ata_request({.command = 0x78, .is_extended = true, .feature = 1, .lba = last_lba, .device = kLbaMode});
}

}  // namespace qcbak::wipe
