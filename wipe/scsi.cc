#include "wipe/scsi.h"

#include <algorithm>

namespace qcbak::wipe {
namespace {

constexpr std::int64_t kShortTimeoutNs = 30'000'000'000;
constexpr std::uint8_t kGood = 0x00;
constexpr std::uint8_t kCheckCondition = 0x02;
constexpr std::uint16_t kDriverSense = 0x08;  // the kernel's: "there is sense data", no fault
constexpr std::uint8_t kNoSense = 0x0;
constexpr std::uint8_t kRecoveredError = 0x1;

constexpr std::size_t kFixedHeader = 8;
constexpr std::size_t kFixedWithCode = 14;
constexpr std::size_t kFixedWithSpecific = 18;
constexpr std::uint8_t kSpecificDescriptor = 0x02;
constexpr std::size_t kSpecificDescriptorSize = 8;
constexpr unsigned kSpecificValid = 0x80;

unsigned at(ByteView bytes, std::size_t index) { return std::to_integer<unsigned>(bytes[index]); }

std::uint8_t byte_at(ByteView bytes, std::size_t index) { return std::to_integer<std::uint8_t>(bytes[index]); }

// SPC-5 §4.4.2.4: the field is an indication of progress for the keys NO SENSE and NOT READY.
std::optional<std::uint16_t> progress_of(std::uint8_t key, ByteView specific) {
  if ((at(specific, 0) & kSpecificValid) == 0 || (key != 0x0 && key != 0x2)) return std::nullopt;
  return static_cast<std::uint16_t>(at(specific, 1) << 8 | at(specific, 2));
}

std::optional<Sense> parse_fixed(ByteView bytes, bool is_deferred) {
  if (bytes.size() < kFixedHeader) return std::nullopt;
  bytes = bytes.first(std::min(bytes.size(), kFixedHeader + at(bytes, 7)));
  Sense sense;
  sense.is_fixed = true;
  sense.is_deferred = is_deferred;
  sense.key = byte_at(bytes, 2) & 0x0f;
  if (bytes.size() >= kFixedWithCode) {
    sense.code = byte_at(bytes, 12);
    sense.qualifier = byte_at(bytes, 13);
  }
  if (bytes.size() >= kFixedWithSpecific) sense.progress = progress_of(sense.key, bytes.subspan(15, 3));
  return sense;
}

std::optional<Sense> parse_with_descriptors(ByteView bytes, bool is_deferred) {
  if (bytes.size() < kFixedHeader) return std::nullopt;
  Sense sense;
  sense.is_deferred = is_deferred;
  sense.key = byte_at(bytes, 1) & 0x0f;
  sense.code = byte_at(bytes, 2);
  sense.qualifier = byte_at(bytes, 3);
  const std::optional<ByteView> specific = sense_descriptor(bytes, kSpecificDescriptor);
  if (specific && specific->size() >= kSpecificDescriptorSize)
    sense.progress = progress_of(sense.key, specific->subspan(4, 3));
  return sense;
}

Bytes command(std::initializer_list<unsigned> values) {
  Bytes bytes;
  for (const unsigned value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

// SBC-4 table 115: one pass, of four zero bytes.
const std::initializer_list<unsigned> kOverwriteParameters = {0x01, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00};

}  // namespace

std::optional<Sense> parse_sense(ByteView bytes) {
  if (bytes.empty()) return std::nullopt;
  bytes = bytes.first(std::min(bytes.size(), kSenseLimit));
  switch (at(bytes, 0) & 0x7f) {
    case 0x70: return parse_fixed(bytes, false);
    case 0x71: return parse_fixed(bytes, true);
    case 0x72: return parse_with_descriptors(bytes, false);
    case 0x73: return parse_with_descriptors(bytes, true);
    default: return std::nullopt;
  }
}

std::optional<ByteView> sense_descriptor(ByteView bytes, std::uint8_t type) {
  if (bytes.size() < kFixedHeader || ((at(bytes, 0) & 0x7f) != 0x72 && (at(bytes, 0) & 0x7f) != 0x73))
    return std::nullopt;
  ByteView rest = bytes.first(std::min({bytes.size(), kSenseLimit, kFixedHeader + at(bytes, 7)})).subspan(kFixedHeader);
  while (rest.size() >= 2) {
    const std::size_t size = 2 + at(rest, 1);
    if (size > rest.size()) return std::nullopt;
    if (byte_at(rest, 0) == type) return rest.first(size);
    rest = rest.subspan(size);
  }
  return std::nullopt;
}

Reply scsi_reply(const CommandResult& result) {
  if (result.error != 0 || result.host_status != 0) return Reply::unknown;
  if (result.driver_status != 0 && result.driver_status != kDriverSense) return Reply::unknown;
  if (result.status == kGood) return Reply::done;
  if (result.status != kCheckCondition) return Reply::refused;
  const std::optional<Sense> sense = parse_sense(result.sense);
  if (!sense || sense->is_deferred) return Reply::unknown;
  return sense->key == kNoSense || sense->key == kRecoveredError ? Reply::done : Reply::refused;
}

CommandRequest scsi_sanitize(ScsiSanitize action) {
  constexpr unsigned kImmediately = 0x80;
  const bool overwrites = action == ScsiSanitize::overwrite;
  const Bytes parameters = overwrites ? command(kOverwriteParameters) : Bytes{};
  return {command({0x48, kImmediately | static_cast<unsigned>(action), 0, 0, 0, 0, 0, 0,
                   static_cast<unsigned>(parameters.size()), 0}),
          parameters, 0, kShortTimeoutNs};
}

CommandRequest scsi_request_sense() {
  return {command({0x03, 0x01, 0, 0, kSenseLimit, 0}), {}, kSenseLimit, kShortTimeoutNs};
}

CommandRequest scsi_test_unit_ready() { return {command({0x00, 0, 0, 0, 0, 0}), {}, 0, kShortTimeoutNs}; }

CommandRequest scsi_log_sense(std::uint8_t page) {
  constexpr unsigned kNow = 0x40;
  constexpr unsigned kSize = 252;
  return {command({0x4d, 0, kNow | page, 0, 0, 0, 0, 0, kSize, 0}), {}, kSize, kShortTimeoutNs};
}

CommandRequest scsi_report_supported(ScsiSanitize action) {
  constexpr unsigned kSize = 64;
  return {command({0xa3, 0x0c, 0x03, 0x48, 0, static_cast<unsigned>(action), 0, 0, 0, kSize, 0, 0}),
          {},
          kSize,
          kShortTimeoutNs};
}

std::optional<bool> parse_supported(ByteView report) {
  if (report.size() < 4) return std::nullopt;
  const unsigned support = at(report, 1) & 0x07;
  if (support == 0x03) return true;
  if (support == 0x01 || support == 0x05) return false;  // not at all; not as the standard has it
  return std::nullopt;
}

std::optional<ScsiSanitizeStatus> parse_scsi_sanitize_status(ByteView bytes) {
  const std::optional<Sense> sense = parse_sense(bytes);
  if (!sense) return std::nullopt;
  if (sense->code == 0x04 && sense->qualifier == 0x1b)
    return ScsiSanitizeStatus{SanitizeState::running, sense->progress};
  if (sense->code == 0x31 && sense->qualifier == 0x03) return ScsiSanitizeStatus{SanitizeState::failed, {}};
  if (sense->key == kNoSense && sense->code == 0 && sense->qualifier == 0)
    return ScsiSanitizeStatus{SanitizeState::idle, {}};
  return std::nullopt;
}

}  // namespace qcbak::wipe
