// What a disk tells of its own health: facts for the record, and no part of the verdict. docs/sanitisation.md "Health".
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "wipe/command_channel.h"

namespace qcbak::wipe {

inline constexpr std::uint64_t kTemperatureLimit_c = 150;  // above it, and below 0, nothing is taken for a temperature

// What a disk does not tell is missing.
struct Health {
  std::optional<std::uint64_t> temperature_c;
  std::optional<std::uint64_t> failing;                // 1: the disk says that it is about to fail; 0: that it is not
  std::optional<std::uint64_t> reallocated_sectors;    // ATA: the attributes' raw values
  std::optional<std::uint64_t> pending_sectors;        // likewise
  std::optional<std::uint64_t> uncorrectable_sectors;  // likewise
  std::optional<std::uint64_t> critical_warning;       // NVMe: the bits of the log's first byte
  std::optional<std::uint64_t> available_spare_percent;
  std::optional<std::uint64_t> used_percent;  // of its life, as the disk reckons; it may go beyond 100
  std::optional<std::uint64_t> media_errors;
  std::optional<std::uint64_t> exception;  // SCSI: additional sense code × 256 + its qualifier
  friend bool operator==(const Health&, const Health&) = default;
};

// Each part of it: its key in the journal, its name in the dossier, the most it can be (more counts as that, but for what is
// nonsense then).
struct HealthFact {
  std::uint64_t key;
  std::string_view name;
  std::optional<std::uint64_t> Health::*value;
  std::uint64_t most;
};
std::span<const HealthFact> health_facts();  // ascending by key

// How warm a disk was while it was overwritten, and how often it rested for it.
inline constexpr std::uint64_t kRestLimit = 1U << 30;  // each takes time
struct Heat {
  std::uint64_t rests = 0;
  std::uint64_t highest_c = 0;
  friend bool operator==(const Heat&, const Heat&) = default;
};
// Of two parts of a job; nothing where neither says anything.
std::optional<Heat> sum(const std::optional<Heat>& one, const std::optional<Heat>& other);

// Deterministic CBOR: a map of what is known.
Bytes health_bytes(const Health& health);
Health parse_health(ByteView bytes);  // Error(damaged)

// What disks answer; missing is what these bytes do not tell.
Health parse_nvme_health(ByteView page);                                   // NVMe 1.4 §5.14.1.2, log page 02
Health parse_ata_attributes(ByteView sector);                              // SMART READ DATA
Health parse_ata_prediction(const CommandResult& result);                  // of SMART RETURN STATUS: ACS-4 §7.48.8
Health parse_scsi_temperature(ByteView page);                              // SPC-5 §7.3.21, log page 0D
Health parse_scsi_exceptions(ByteView page);                               // SPC-5 §7.3.8, log page 2F
std::optional<std::uint64_t> parse_sensor(std::string_view millidegrees);  // temp1_input of the kernel's hwmon

// Asks the disk. What it does not answer, or refuses, is missing: this fails for no disk.
Health health_of(CommandChannel& channel);

}  // namespace qcbak::wipe
