#include "wipe/health.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/cbor.h"
#include "base/error.h"
#include "wipe/ata.h"
#include "wipe/nvme.h"
#include "wipe/scsi.h"

namespace qcbak::wipe {
namespace {

constexpr std::uint64_t kCountLimit = (1ULL << 53) - 1;  // what the dossier's numbers hold
constexpr std::array<HealthFact, 10> kFacts{{
    {1, "temperature_c", &Health::temperature_c, kTemperatureLimit_c},
    {2, "failing", &Health::failing, 1},
    {3, "reallocated_sectors", &Health::reallocated_sectors, kCountLimit},
    {4, "pending_sectors", &Health::pending_sectors, kCountLimit},
    {5, "uncorrectable_sectors", &Health::uncorrectable_sectors, kCountLimit},
    {6, "critical_warning", &Health::critical_warning, 0xff},
    {7, "available_spare_percent", &Health::available_spare_percent, 100},
    {8, "used_percent", &Health::used_percent, 0xff},
    {9, "media_errors", &Health::media_errors, kCountLimit},
    {10, "exception", &Health::exception, 0xffff},
}};

std::uint64_t byte_at(ByteView bytes, std::size_t index) { return std::to_integer<std::uint64_t>(bytes[index]); }

std::uint64_t pair_at(ByteView bytes, std::size_t index) {
  return byte_at(bytes, index) << 8 | byte_at(bytes, index + 1);
}

std::optional<std::uint64_t> temperature(std::int64_t celsius) {
  const bool is_one = celsius >= 0 && celsius <= static_cast<std::int64_t>(kTemperatureLimit_c);
  return is_one ? std::optional(static_cast<std::uint64_t>(celsius)) : std::nullopt;
}

// What the one has is kept.
Health both(Health one, const Health& other) {
  for (const HealthFact& fact : kFacts)
    if (!(one.*fact.value)) one.*fact.value = other.*fact.value;
  return one;
}

// An attribute of SMART READ DATA: number, flags, two values, six bytes that are the manufacturer's own, one that is reserved.
constexpr std::size_t kAttributesAt = 2;
constexpr std::size_t kAttributes = 30;
constexpr std::size_t kAttributeBytes = 12;
constexpr std::size_t kRawAt = 5;
constexpr std::size_t kRawBytes = 6;

std::optional<std::uint64_t> raw_attribute(ByteView sector, std::uint64_t number) {
  for (std::size_t i = 0; i < kAttributes; ++i) {
    const std::size_t at = kAttributesAt + i * kAttributeBytes;
    if (byte_at(sector, at) != number) continue;
    std::uint64_t raw = 0;
    for (std::size_t j = kRawBytes; j > 0; --j) raw = raw << 8 | byte_at(sector, at + kRawAt + j - 1);
    return raw;
  }
  return std::nullopt;
}

// The lowest byte; in the others many disks keep the lowest and the highest that they saw.
std::optional<std::uint64_t> attribute_temperature(ByteView sector) {
  std::optional<std::uint64_t> raw = raw_attribute(sector, 194);
  if (!raw) raw = raw_attribute(sector, 190);
  return raw ? temperature(static_cast<std::int64_t>(*raw & 0xff)) : std::nullopt;
}

// SPC-5 §7.3.2: a header of four bytes, and parameters with one of four. The data of parameter 0, when the page is of this
// kind; the disk may have had more to say than was asked for.
std::optional<ByteView> first_parameter(ByteView page, std::uint64_t code) {
  constexpr std::size_t kHeader = 4;
  if (page.size() < 2 * kHeader || (byte_at(page, 0) & 0x7f) != code || byte_at(page, 1) != 0) return std::nullopt;
  const std::uint64_t size = std::min<std::uint64_t>(pair_at(page, 2), page.size() - kHeader);
  if (size < kHeader || pair_at(page, kHeader) != 0) return std::nullopt;
  const std::uint64_t data = byte_at(page, kHeader + 3);
  if (data > size - kHeader) return std::nullopt;
  return page.subspan(2 * kHeader, data);
}

std::optional<std::uint64_t> scsi_temperature(std::uint64_t byte) {
  constexpr std::uint64_t kNotKnown = 0xff;
  return byte == kNotKnown ? std::nullopt : temperature(static_cast<std::int64_t>(byte));
}

// What came with the command, when the disk did it.
Bytes data_of(CommandChannel& channel, const CommandRequest& request) {
  const CommandResult result = channel.send(request);
  const Reply reply = channel.command_set() == CommandSet::nvme ? nvme_reply(result) : scsi_reply(result);
  return reply == Reply::done ? result.from_disk : Bytes();
}

}  // namespace

std::span<const HealthFact> health_facts() { return kFacts; }

std::optional<Heat> sum(const std::optional<Heat>& one, const std::optional<Heat>& other) {
  if (!one || !other) return one ? one : other;
  return Heat{one->rests + other->rests, std::max(one->highest_c, other->highest_c)};
}

Bytes health_bytes(const Health& health) {
  Bytes bytes;
  cbor::Writer writer(bytes);
  const auto known =
      std::ranges::count_if(kFacts, [&](const HealthFact& fact) { return (health.*fact.value).has_value(); });
  writer.map(static_cast<std::uint64_t>(known));
  for (const HealthFact& fact : kFacts)
    if (const auto& value = health.*fact.value) writer.uint(fact.key).uint(*value);
  return bytes;
}

Health parse_health(ByteView bytes) {
  Health health;
  cbor::Reader reader(bytes);
  for (cbor::MapReader map(reader); map.next();) {
    const auto fact = std::ranges::find(kFacts, map.key(), &HealthFact::key);
    if (fact == kFacts.end()) map.unknown();
    health.*fact->value = reader.uint_at_most(fact->most);
  }
  reader.finish();
  return health;
}

Health parse_nvme_health(ByteView page) {
  constexpr std::int64_t kKelvin = 273;
  constexpr std::size_t kMediaErrorsAt = 160;
  Health health;
  if (page.size() != kNvmeHealthLogBytes) return health;
  health.critical_warning = byte_at(page, 0);
  health.temperature_c = temperature(load_le<std::uint16_t>(&page[1]) - kKelvin);
  if (byte_at(page, 3) <= 100) health.available_spare_percent = byte_at(page, 3);
  health.used_percent = byte_at(page, 5);
  const auto errors = load_le<std::uint64_t>(&page[kMediaErrorsAt]);
  const auto upper = load_le<std::uint64_t>(&page[kMediaErrorsAt + 8]);
  health.media_errors = upper != 0 ? kCountLimit : std::min(errors, kCountLimit);
  return health;
}

Health parse_ata_attributes(ByteView sector) {
  if (sector.size() != kAtaSectorBytes || !ata_checksum_holds(sector)) return {};
  Health health;
  health.temperature_c = attribute_temperature(sector);
  health.reallocated_sectors = raw_attribute(sector, 5);
  health.pending_sectors = raw_attribute(sector, 197);
  health.uncorrectable_sectors = raw_attribute(sector, 198);
  return health;
}

Health parse_ata_prediction(const CommandResult& result) {
  const std::optional<AtaRegisters> registers = parse_ata_registers(result.sense);
  if (ata_reply(result) != Reply::done || !registers) return {};
  Health health;
  const std::uint64_t key = registers->lba >> 8 & 0xffff;
  if (key == 0xc24f) health.failing = 0;  // the key that the command was given comes back …
  if (key == 0x2cf4) health.failing = 1;  // … or turned round, when an attribute is beyond its threshold
  return health;
}

Health parse_scsi_temperature(ByteView page) {
  const std::optional<ByteView> data = first_parameter(page, 0x0d);
  Health health;
  if (data && data->size() >= 2) health.temperature_c = scsi_temperature(byte_at(*data, 1));
  return health;
}

Health parse_scsi_exceptions(ByteView page) {
  constexpr std::uint64_t kFailurePredicted = 0x5d;
  const std::optional<ByteView> data = first_parameter(page, 0x2f);
  Health health;
  if (!data || data->size() < 3) return health;
  health.exception = pair_at(*data, 0);
  health.failing = byte_at(*data, 0) == kFailurePredicted ? 1 : 0;
  health.temperature_c = scsi_temperature(byte_at(*data, 2));
  return health;
}

std::optional<std::uint64_t> parse_sensor(std::string_view millidegrees) {
  if (millidegrees.ends_with('\n')) millidegrees.remove_suffix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(millidegrees.data(), millidegrees.data() + millidegrees.size(), value);
  if (error != std::errc() || end != millidegrees.data() + millidegrees.size()) return std::nullopt;
  return value < 0 ? std::nullopt : temperature(value / 1000);
}

Health health_of(CommandChannel& channel) {
  switch (channel.command_set()) {
    case CommandSet::nvme: return parse_nvme_health(data_of(channel, nvme_get_health_log()));
    case CommandSet::ata: {
      const Health attributes = parse_ata_attributes(data_of(channel, ata_smart_read_data()));
      return both(attributes, parse_ata_prediction(channel.send(ata_smart_return_status())));
    }
    case CommandSet::scsi: break;
  }
  const Health warmth = parse_scsi_temperature(data_of(channel, scsi_log_sense(0x0d)));
  return both(warmth, parse_scsi_exceptions(data_of(channel, scsi_log_sense(0x2f))));
}

}  // namespace qcbak::wipe
