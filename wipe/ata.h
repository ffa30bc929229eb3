// ATA commands that erase or hide, within SCSI's ATA PASS-THROUGH(16), and what their answers mean. Everything that a disk
// sent is taken for untrusted bytes.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "wipe/command_channel.h"
#include "wipe/scsi.h"

namespace qcbak::wipe {

inline constexpr std::size_t kAtaSectorBytes = 512;

enum class AtaProtocol : std::uint8_t { no_data = 3, from_disk = 4, to_disk = 5 };  // SAT-4 table 150
struct AtaCommand {
  std::uint8_t command = 0;
  AtaProtocol protocol = AtaProtocol::no_data;
  bool is_extended = false;  // 48-bit
  std::uint16_t feature = 0;
  std::uint16_t count = 0;
  std::uint64_t lba = 0;
  std::uint8_t device = 0;
};
// Asks for the registers to be returned, but where a sector is. `to_disk`: one sector, for a command that sends one.
CommandRequest ata_request(const AtaCommand& command, Bytes to_disk = {}, std::int64_t timeout_ns = 30'000'000'000);

// What the disk's registers held after the command.
struct AtaRegisters {
  std::uint8_t status = 0;
  std::uint8_t error = 0;
  std::uint64_t lba = 0;
  std::uint16_t count = 0;
  bool is_whole = true;  // false: of fixed format, which has no room for the upper halves
};
// SAT-4 §12.2.2.6 (descriptor 09h) and §12.2.2.7 (fixed format). Nothing when these sense data hold none.
std::optional<AtaRegisters> parse_ata_registers(ByteView bytes);
// Nothing of the disk, or registers that cannot be read: unknown.
Reply ata_reply(const CommandResult& result);

// ACS-4 §7.13. Sizes are in sectors.
struct AtaIdentity {
  std::string serial;
  std::string firmware;
  std::string model;
  std::uint64_t sectors = 0;  // that can be addressed now
  std::uint32_t sector_bytes = 512;
  bool has_48_bit = false;
  bool sanitizes = false;
  bool sanitizes_by_crypto = false;
  bool sanitizes_by_block = false;
  bool sanitizes_by_overwrite = false;
  bool has_security = false;
  bool security_enabled = false;
  bool security_locked = false;
  bool security_frozen = false;
  bool security_expired = false;  // no more attempts at a password until the power was off
  bool erases_enhanced = false;
  std::optional<std::uint32_t> erase_minutes;
  std::optional<std::uint32_t> enhanced_erase_minutes;
  bool has_hpa = false;
  bool has_dco = false;
  bool has_amac = false;
};
std::optional<AtaIdentity> parse_ata_identity(ByteView sector);
// The last address that the drive can be configured for. Nothing when the sector is none of DCO.
std::optional<std::uint64_t> parse_dco_last_lba(ByteView sector);

// Of a sector whose last byte makes the sum of all of them 0.
bool ata_checksum_holds(ByteView sector);

struct AtaSanitizeStatus {
  SanitizeState state = SanitizeState::idle;
  std::uint16_t progress = 0;  // of 65536
};
// Of the answer to ata_sanitize_status(). Nothing when it does not tell.
std::optional<AtaSanitizeStatus> parse_ata_sanitize_status(const CommandResult& result);

CommandRequest ata_identify();
enum class AtaSanitize { crypto_scramble, block_erase, overwrite };
CommandRequest ata_sanitize(AtaSanitize action);  // returns at once, and the disk goes on
CommandRequest ata_sanitize_status();

// Of every password that is ever set here: 5 letters, and zeros to 32 bytes.
inline constexpr std::string_view kAtaPassword = "qcbak";
enum class AtaErase { normal, enhanced };
CommandRequest ata_set_password();  // the user's, security level high
CommandRequest ata_unlock();
CommandRequest ata_disable_password();
CommandRequest ata_erase_prepare();
CommandRequest ata_erase_unit(AtaErase erase, std::int64_t timeout_ns);  // returns when the disk is done

CommandRequest ata_smart_read_data();
CommandRequest ata_smart_return_status();

CommandRequest ata_read_native_max(const AtaIdentity& identity);
CommandRequest ata_set_max(const AtaIdentity& identity, std::uint64_t last_lba);  // survives a loss of power
CommandRequest ata_dco_identify();
CommandRequest ata_dco_restore();
CommandRequest ata_get_native_max_address();                            // AMAC
CommandRequest ata_set_accessible_max_address(std::uint64_t last_lba);  // AMAC

}  // namespace qcbak::wipe
