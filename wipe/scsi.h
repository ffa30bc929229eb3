// SCSI commands that erase, and what their answers mean. Everything that a disk sent is taken for untrusted bytes.
#pragma once

#include <optional>

#include "wipe/command_channel.h"

namespace qcbak::wipe {

inline constexpr std::size_t kSenseLimit = 252;  // SPC-5 §4.4: 8 bytes and what byte 7 counts

struct Sense {
  bool is_fixed = false;
  bool is_deferred = false;  // of an earlier command
  std::uint8_t key = 0;
  std::uint8_t code = 0;                  // additional sense code
  std::uint8_t qualifier = 0;             // of the code
  std::optional<std::uint16_t> progress;  // of 65536
};
// SPC-5 §4.4. Nothing when the bytes are no sense data.
std::optional<Sense> parse_sense(ByteView bytes);
// Of descriptor format: the first descriptor of the type, with its two bytes of header, when it is whole.
std::optional<ByteView> sense_descriptor(ByteView bytes, std::uint8_t type);

// The answer of the transport, before any meaning of the command's own: a status with a failed host or driver is unknown.
Reply scsi_reply(const CommandResult& result);

enum class ScsiSanitize : std::uint8_t { overwrite = 0x01, block_erase = 0x02, crypto_erase = 0x03 };
CommandRequest scsi_sanitize(ScsiSanitize action);  // SBC-4 §5.32; returns at once, and the disk goes on
CommandRequest scsi_request_sense();
CommandRequest scsi_test_unit_ready();
CommandRequest scsi_log_sense(std::uint8_t page);  // SPC-5 §6.8: the values of now
CommandRequest scsi_report_supported(ScsiSanitize action);  // SPC-5 §6.36: one operation code with service action
// Of what that command gave: supported in conformance with the standard. Nothing when it does not say.
std::optional<bool> parse_supported(ByteView report);

enum class SanitizeState { idle, running, succeeded, failed, frozen };
// Of the answer to REQUEST SENSE: idle when there is nothing to report, which an erasure that has ended leaves behind.
struct ScsiSanitizeStatus {
  SanitizeState state = SanitizeState::idle;
  std::optional<std::uint16_t> progress;
};
std::optional<ScsiSanitizeStatus> parse_scsi_sanitize_status(ByteView sense);

}  // namespace qcbak::wipe
