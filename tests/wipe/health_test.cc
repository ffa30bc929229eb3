#include "wipe/health.h"

#include <gmock/gmock.h>

#include <deque>

#include "base/error.h"
#include "wipe/ata.h"
#include "wipe/nvme.h"

namespace qcbak::wipe {
namespace {

Bytes bytes_of(std::initializer_list<unsigned> values) {
  Bytes bytes;
  for (const unsigned value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

void put(Bytes& bytes, std::size_t at, std::initializer_list<unsigned> values) {
  for (const unsigned value : values) bytes.at(at++) = static_cast<std::byte>(value);
}

void seal(Bytes& sector) {
  unsigned sum = 0;
  sector.back() = std::byte{0};
  for (const std::byte byte : sector) sum += std::to_integer<unsigned>(byte);
  sector.back() = static_cast<std::byte>(256 - sum % 256);
}

Bytes nvme_log() {
  Bytes page(kNvmeHealthLogBytes);
  put(page, 0, {0x09, 0x3a, 0x01, 97, 10, 130});  // 0x013a K = 314 K
  put(page, 160, {0x44, 0x33, 0x22, 0x11});
  return page;
}

// Attributes 5, 190, 194, 197, 198, at the first, third … place of the table.
Bytes ata_sector() {
  Bytes sector(kAtaSectorBytes);
  put(sector, 2, {5, 0x33, 0, 100, 100, 0x02, 0x01, 0, 0, 0, 0});
  put(sector, 26, {194, 0x22, 0, 60, 40, 38, 0, 17, 0, 52, 0});
  put(sector, 50, {190, 0x22, 0, 60, 40, 44, 0, 0, 0, 0, 0});
  put(sector, 74, {197, 0x12, 0, 100, 100, 7, 0, 0, 0, 0, 0});
  put(sector, 350, {198, 0x10, 0, 100, 100, 0, 0, 0, 0, 0, 1});  // the last place
  seal(sector);
  return sector;
}

// Sense data with the registers that an ATA disk left.
CommandResult registers(unsigned lba_mid, unsigned lba_high, unsigned status = 0x50) {
  CommandResult result;
  result.status = 2;
  result.sense =
      bytes_of({0x72, 0x01, 0, 0x1d, 0, 0, 0, 14, 9, 12, 0, 0, 0, 0, 0, 0, 0, lba_mid, 0, lba_high, 0, status});
  return result;
}

TEST(Health, NvmeLogTellsOfWearAndWarmth) {
  const Health health = parse_nvme_health(nvme_log());
  EXPECT_EQ(health.critical_warning, 9);
  EXPECT_EQ(health.temperature_c, 41);
  EXPECT_EQ(health.available_spare_percent, 97);
  EXPECT_EQ(health.used_percent, 130);
  EXPECT_EQ(health.media_errors, 0x11223344);
  EXPECT_FALSE(health.failing);
}

TEST(Health, NvmeNonsenseIsMissing) {
  Bytes page = nvme_log();
  put(page, 1, {0, 0, 101});  // 0 K: the disk has no sensor
  put(page, 168, {1});
  const Health health = parse_nvme_health(page);
  EXPECT_FALSE(health.temperature_c);
  EXPECT_FALSE(health.available_spare_percent);
  EXPECT_EQ(health.media_errors, (1ULL << 53) - 1);
  put(page, 1, {0xff, 0xff});
  EXPECT_FALSE(parse_nvme_health(page).temperature_c);
  page.pop_back();
  EXPECT_EQ(parse_nvme_health(page), Health{});
  EXPECT_EQ(parse_nvme_health({}), Health{});
}

TEST(Health, AtaAttributesAreFoundByTheirNumbers) {
  Bytes sector = ata_sector();
  Health expected;
  expected.temperature_c = 38;
  expected.reallocated_sectors = 0x0102;
  expected.pending_sectors = 7;
  expected.uncorrectable_sectors = 1ULL << 40;
  EXPECT_EQ(parse_ata_attributes(sector), expected);
  put(sector, 26, {193});
  seal(sector);
  EXPECT_EQ(parse_ata_attributes(sector).temperature_c, 44) << "of attribute 190, where there is no 194";
}

TEST(Health, AnAtaSectorThatIsNotWholeTellsNothing) {
  Bytes sector = ata_sector();
  put(sector, 400, {1});
  EXPECT_EQ(parse_ata_attributes(sector), Health{});
  sector = ata_sector();
  sector.pop_back();
  EXPECT_EQ(parse_ata_attributes(sector), Health{});
  EXPECT_EQ(parse_ata_attributes(Bytes(kAtaSectorBytes)), Health{}) << "no attribute at all";
}

TEST(Health, AtaPredictionIsInTheRegisters) {
  EXPECT_EQ(parse_ata_prediction(registers(0x4f, 0xc2)).failing, 0);
  EXPECT_EQ(parse_ata_prediction(registers(0xf4, 0x2c)).failing, 1);
  EXPECT_FALSE(parse_ata_prediction(registers(0x4f, 0x2c)).failing);
  EXPECT_FALSE(parse_ata_prediction(registers(0xf4, 0x2c, 0x51)).failing) << "the command was aborted";
  EXPECT_FALSE(parse_ata_prediction(CommandResult{}).failing) << "no registers came";
}

TEST(Health, ScsiPagesTellOfWarmthAndExceptions) {
  const Bytes warm = bytes_of({0x8d, 0, 0, 12, 0, 0, 3, 2, 0, 35, 0, 1, 3, 2, 0, 70});
  EXPECT_EQ(parse_scsi_temperature(warm).temperature_c, 35);
  const Bytes failing = bytes_of({0x2f, 0, 0, 8, 0, 0, 3, 4, 0x5d, 0x10, 33, 0});
  const Health health = parse_scsi_exceptions(failing);
  EXPECT_EQ(health.failing, 1);
  EXPECT_EQ(health.exception, 0x5d10);
  EXPECT_EQ(health.temperature_c, 33);
  const Bytes well = bytes_of({0x2f, 0, 0, 7, 0, 0, 3, 3, 0, 0, 0xff});
  EXPECT_EQ(parse_scsi_exceptions(well).failing, 0);
  EXPECT_EQ(parse_scsi_exceptions(well).exception, 0);
  EXPECT_FALSE(parse_scsi_exceptions(well).temperature_c);
}

TEST(Health, ScsiPagesOfAnotherKindOrTornTellNothing) {
  const Bytes warm = bytes_of({0x0d, 0, 0, 6, 0, 0, 3, 2, 0, 35});
  for (std::size_t size = 0; size < warm.size(); ++size)
    EXPECT_EQ(parse_scsi_temperature(ByteView(warm).first(size)), Health{}) << size;
  EXPECT_EQ(parse_scsi_exceptions(warm), Health{});
  for (const auto& [at, value] : std::initializer_list<std::pair<std::size_t, unsigned>>{
           {0, 0x4d}, {1, 1}, {3, 3}, {3, 5}, {5, 1}, {7, 1}, {7, 3}, {9, 0xff}, {9, 151}}) {
    Bytes other = warm;
    put(other, at, {value});
    EXPECT_EQ(parse_scsi_temperature(other), Health{}) << at;
  }
}

TEST(Health, SensorsCountInThousandths) {
  EXPECT_EQ(parse_sensor("41850\n"), 41);
  EXPECT_EQ(parse_sensor("0"), 0);
  EXPECT_EQ(parse_sensor("150999"), 150);
  for (const char* const other : {"", "\n", "-1000\n", "151000\n", "41 ", "41.5", "0x20", "9223372036854775808"})
    EXPECT_EQ(parse_sensor(other), std::nullopt) << other;
}

// Every fact has a value of its own, and the most it can be.
Health full() {
  Health health;
  std::uint64_t salt = 0;
  for (const HealthFact& fact : health_facts()) health.*fact.value = std::min(fact.most, ++salt);
  return health;
}

TEST(Health, IsKeptWhole) {
  EXPECT_EQ(parse_health(health_bytes(full())), full());
  EXPECT_EQ(parse_health(health_bytes({})), Health{});
  EXPECT_EQ(health_bytes({}), bytes_of({0xa0}));
  for (const HealthFact& fact : health_facts()) {
    Health one;
    one.*fact.value = fact.most;
    EXPECT_EQ(parse_health(health_bytes(one)), one) << fact.name;
    ++*(one.*fact.value);
    EXPECT_THROW(parse_health(health_bytes(one)), Error) << fact.name;
  }
  const Bytes whole = health_bytes(full());
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_THROW(parse_health(ByteView(whole).first(size)), Error) << size;
  EXPECT_THROW(parse_health(bytes_of({0xa1, 0x0b, 0x00})), Error) << "no fact has this key";
}

TEST(Health, HeatOfPartsIsAddedUp) {
  EXPECT_EQ(sum(std::nullopt, std::nullopt), std::nullopt);
  EXPECT_EQ(sum(Heat{1, 40}, std::nullopt), (Heat{1, 40}));
  EXPECT_EQ(sum(std::nullopt, Heat{2, 30}), (Heat{2, 30}));
  EXPECT_EQ(sum(Heat{1, 61}, Heat{2, 30}), (Heat{3, 61}));
}

// Gives one answer after the other, and notes what it was asked.
class ScriptedChannel final : public CommandChannel {
 public:
  ScriptedChannel(CommandSet set, std::deque<CommandResult> answers) : set_(set), answers_(std::move(answers)) {}
  CommandSet command_set() const override { return set_; }
  std::uint32_t nvme_namespace() const override { return 1; }
  CommandResult send(const CommandRequest& request) override {
    asked.push_back(to_hex(request.command));
    CommandResult answer = answers_.front();
    answers_.pop_front();
    return answer;
  }
  void rescan() override {}
  std::vector<std::string> asked;

 private:
  CommandSet set_;
  std::deque<CommandResult> answers_;
};

CommandResult data(Bytes bytes) {
  CommandResult result;
  result.from_disk = std::move(bytes);
  return result;
}

TEST(Health, AsksAnAtaDiskForItsAttributesAndItsPrediction) {
  ScriptedChannel channel(CommandSet::ata, {data(ata_sector()), registers(0xf4, 0x2c)});
  const Health health = health_of(channel);
  EXPECT_EQ(health.pending_sectors, 7);
  EXPECT_EQ(health.failing, 1);
  EXPECT_THAT(channel.asked, testing::ElementsAre("85080e00d00001000000"
                                                  "4f00c200b000",
                                                  "85062000da0000000000"
                                                  "4f00c200b000"));
}

TEST(Health, AsksAnNvmeDiskForItsLog) {
  ScriptedChannel channel(CommandSet::nvme, {data(nvme_log())});
  EXPECT_EQ(health_of(channel).temperature_c, 41);
  ASSERT_EQ(channel.asked.size(), 1U);
  EXPECT_EQ(channel.asked[0].substr(0, 16), "02000000ffffffff");
  EXPECT_EQ(channel.asked[0].substr(80, 8), "02007f00");
}

TEST(Health, AsksAScsiDiskForTwoPages) {
  ScriptedChannel channel(CommandSet::scsi, {data(bytes_of({0x0d, 0, 0, 6, 0, 0, 3, 2, 0, 35})),
                                             data(bytes_of({0x2f, 0, 0, 8, 0, 0, 3, 4, 0, 0, 33, 0}))});
  const Health health = health_of(channel);
  EXPECT_EQ(health.temperature_c, 35) << "the page of temperatures comes first";
  EXPECT_EQ(health.exception, 0);
  EXPECT_THAT(channel.asked, testing::ElementsAre("4d004d0000000000fc00", "4d006f0000000000fc00"));
}

TEST(Health, WhatDoesNotAnswerHasNone) {
  CommandResult lost;
  lost.error = EIO;
  lost.from_disk = nvme_log();
  CommandResult refused;
  refused.status = 2;
  refused.nvme_status = 0x4002;
  refused.sense = bytes_of({0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0});
  refused.from_disk = ata_sector();
  for (const CommandSet set : {CommandSet::ata, CommandSet::scsi, CommandSet::nvme})
    for (const CommandResult& answer : {lost, refused, CommandResult{}}) {
      ScriptedChannel channel(set, {answer, answer});
      EXPECT_EQ(health_of(channel), Health{});
    }
}

}  // namespace
}  // namespace qcbak::wipe
