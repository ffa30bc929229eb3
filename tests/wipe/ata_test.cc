#include "wipe/ata.h"

#include <gtest/gtest.h>

namespace qcbak::wipe {
namespace {

AtaIdentity with_48_bit() {
  AtaIdentity identity;
  identity.has_48_bit = true;
  return identity;
}

// SAT-4 §12.2.2.3: operation, protocol and EXT, transfer, feature, count, address (31:24, 7:0, 39:32, 15:8, 47:40, 23:16),
// device, command, control.
TEST(AtaCommands, AreTheseBytes) {
  EXPECT_EQ(to_hex(ata_identify().command),
            "85080e00000001000000000000"
            "00ec00");
  EXPECT_EQ(to_hex(ata_sanitize_status().command),
            "85072000000000000000000000"
            "40b400");
  EXPECT_EQ(to_hex(ata_sanitize(AtaSanitize::crypto_scramble).command), "8507200011000043700079007240b400");
  EXPECT_EQ(to_hex(ata_sanitize(AtaSanitize::block_erase).command), "8507200012000042720045006b40b400");
  EXPECT_EQ(to_hex(ata_sanitize(AtaSanitize::overwrite).command),
            "850720001400010000570"
            "04f0040b400");
  EXPECT_EQ(to_hex(ata_set_password().command),
            "850a2600000001000000000000"
            "00f100");
  EXPECT_EQ(to_hex(ata_erase_prepare().command),
            "85062000000000000000000000"
            "00f300");
  EXPECT_EQ(to_hex(ata_read_native_max(with_48_bit()).command),
            "85072000000000000000000000"
            "402700");
  EXPECT_EQ(to_hex(ata_set_max(with_48_bit(), 0x123456789abc).command),
            "8507200000000156bc349a127840"
            "3700");
  EXPECT_EQ(to_hex(ata_set_max({}, 0x0abcdef1).command),
            "85062000000001"
            "00f100de00bc4a"
            "f900");
  EXPECT_EQ(to_hex(ata_dco_identify().command),
            "85080e00c20001000000000000"
            "00b100");
  EXPECT_EQ(to_hex(ata_dco_restore().command),
            "85062000c00000000000000000"
            "00b100");
}

TEST(AtaCommands, ThePasswordIsTheOneThatIsPrinted) {
  const CommandRequest erase = ata_erase_unit(AtaErase::enhanced, 1);
  ASSERT_EQ(erase.to_disk.size(), 512);
  EXPECT_EQ(to_hex(ByteView(erase.to_disk).first(8)),
            "020071636261"
            "6b00");
  EXPECT_EQ(to_hex(ByteView(ata_erase_unit(AtaErase::normal, 1).to_disk).first(8)),
            "000071636261"
            "6b00");
}

// Count 0x1234, address 0x0605'0403'0201, status 0x50.
constexpr std::size_t kStatusByte = 21;
const Bytes kDescriptor = from_hex(
    "7201001d0000000e"
    "090c0100"
    "1234"
    "0401"
    "0502"
    "0603"
    "4050");
// The same as far as fixed format has room, and an error.
const Bytes kFixed = from_hex(
    "f0000b045140340a"
    "00010203"
    "001d0000"
    "0000");

TEST(AtaRegisters, OfBothFormats) {
  const AtaRegisters whole = parse_ata_registers(kDescriptor).value();
  EXPECT_EQ(whole.status, 0x50);
  EXPECT_EQ(whole.count, 0x1234);
  EXPECT_EQ(whole.lba, 0x060504030201);
  EXPECT_TRUE(whole.is_whole);
  const AtaRegisters part = parse_ata_registers(kFixed).value();
  EXPECT_EQ(part.status, 0x51);
  EXPECT_EQ(part.error, 0x04);
  EXPECT_EQ(part.count, 0x34);
  EXPECT_EQ(part.lba, 0x030201);
  EXPECT_FALSE(part.is_whole);
}

TEST(AtaRegisters, OtherSenseHasNone) {
  EXPECT_FALSE(parse_ata_registers({}));
  EXPECT_FALSE(
      parse_ata_registers(from_hex("70000500"
                                   "0000000a"
                                   "00000000"
                                   "20000000"
                                   "0000")))
      << "an address, not registers";
  for (std::size_t size = 0; size < kDescriptor.size(); ++size)
    EXPECT_FALSE(parse_ata_registers(ByteView(kDescriptor).first(size))) << size;
}

CommandResult answer(Bytes sense, std::uint8_t status = 2) {
  CommandResult result;
  result.status = status;
  result.sense = std::move(sense);
  return result;
}

TEST(AtaReply, TheRegistersSayWhatBecameOfIt) {
  EXPECT_EQ(ata_reply(answer(kDescriptor)), Reply::done);
  EXPECT_EQ(ata_reply(answer(kFixed)), Reply::refused);
  Bytes aborted = kDescriptor;
  aborted[kStatusByte] = std::byte{0x51};
  EXPECT_EQ(ata_reply(answer(aborted, 0)), Reply::refused) << "though the status is GOOD";
  aborted[kStatusByte] = std::byte{0x70};
  EXPECT_EQ(ata_reply(answer(aborted)), Reply::refused) << "device fault";
  aborted[kStatusByte] = std::byte{0xd0};
  EXPECT_EQ(ata_reply(answer(aborted)), Reply::unknown) << "busy";
  EXPECT_EQ(ata_reply(answer({}, 0)), Reply::unknown) << "GOOD without registers";
  EXPECT_EQ(ata_reply(answer(from_hex("720b000000000000"))), Reply::refused);
}

Bytes identify_sector() {
  Bytes sector(512);
  const auto word = [&](std::size_t index, std::uint16_t value) { store_le(&sector[2 * index], value); };
  word(10, 0x4142), word(11, 0x4320);
  for (std::size_t i = 12; i < 20; ++i) word(i, 0x2020);
  word(59, 0xf000), word(60, 0x5678), word(61, 0x0123);
  word(82, 0x0402), word(83, 0x4c00);
  word(89, 2), word(90, 0x8100);
  word(100, 0x1111), word(101, 0x2222), word(102, 0x0001);
  word(106, 0x5000), word(117, 2048);
  word(119, 0x4100), word(128, 0x0021);
  return sector;
}

TEST(AtaIdentity, OfASector) {
  const AtaIdentity identity = parse_ata_identity(identify_sector()).value();
  EXPECT_EQ(identity.serial, "ABC");
  EXPECT_EQ(identity.sectors, 0x000122221111);
  EXPECT_EQ(identity.sector_bytes, 4096);
  EXPECT_TRUE(identity.sanitizes_by_crypto && identity.sanitizes_by_block && identity.sanitizes_by_overwrite);
  EXPECT_TRUE(identity.has_hpa && identity.has_dco && identity.has_amac && identity.has_security &&
              identity.erases_enhanced);
  EXPECT_FALSE(identity.security_enabled || identity.security_locked || identity.security_frozen);
  EXPECT_EQ(identity.erase_minutes, 4);
  EXPECT_EQ(identity.enhanced_erase_minutes, 512) << "in fifteen bits";
}

TEST(AtaIdentity, WithoutTheFeatureSetItsPartsDoNotCount) {
  Bytes sector = identify_sector();
  store_le(&sector[118], std::uint16_t{0xe000});
  EXPECT_FALSE(parse_ata_identity(sector)->sanitizes_by_block);
  store_le(&sector[166], std::uint16_t{0xcc00});  // word 83 says that it is none
  EXPECT_EQ(parse_ata_identity(sector)->sectors, 0x01235678);
  EXPECT_FALSE(parse_ata_identity(sector)->has_dco);
}

TEST(AtaIdentity, ASectorThatIsNoneIsRefused) {
  EXPECT_FALSE(parse_ata_identity(Bytes(512))) << "no sectors";
  EXPECT_FALSE(parse_ata_identity(Bytes(511)));
  Bytes sector = identify_sector();
  sector[510] = std::byte{0xa5};
  EXPECT_FALSE(parse_ata_identity(sector)) << "a checksum that does not hold";
  sector = identify_sector();
  sector[1] = std::byte{0x80};
  EXPECT_FALSE(parse_ata_identity(sector)) << "a packet device";
}

TEST(AtaSanitizeStatus, OfEachAnswer) {
  const auto status = [](std::uint16_t count, std::uint8_t ata_status, std::uint8_t reason) {
    Bytes sense = kDescriptor;
    sense[12] = static_cast<std::byte>(count >> 8);
    sense[13] = static_cast<std::byte>(count & 0xff);
    sense[15] = static_cast<std::byte>(reason);
    sense[kStatusByte] = static_cast<std::byte>(ata_status);
    return parse_ata_sanitize_status(answer(sense));
  };
  EXPECT_EQ(status(0x8000, 0x50, 1)->state, SanitizeState::succeeded);
  EXPECT_EQ(status(0x4000, 0x50, 1)->state, SanitizeState::running);
  EXPECT_EQ(status(0xc000, 0x50, 1)->state, SanitizeState::running) << "both: not yet";
  EXPECT_EQ(status(0xa000, 0x50, 1)->state, SanitizeState::frozen);
  EXPECT_EQ(status(0x0000, 0x50, 1)->state, SanitizeState::idle);
  EXPECT_EQ(status(0x8000, 0x51, 1)->state, SanitizeState::failed);
  EXPECT_FALSE(status(0x8000, 0x51, 2));
  EXPECT_EQ(status(0x4000, 0x50, 1)->progress, 0x0201);
  EXPECT_FALSE(parse_ata_sanitize_status(answer(kFixed))) << "not whole";
}

TEST(Dco, OnlyASectorWithItsChecksumCounts) {
  Bytes sector(512);
  store_le(&sector[6], std::uint64_t{999});
  EXPECT_FALSE(parse_dco_last_lba(sector));
  unsigned sum = 0xa5;
  sector[510] = std::byte{0xa5};
  for (std::size_t i = 0; i < 510; ++i) sum += std::to_integer<unsigned>(sector[i]);
  sector[511] = static_cast<std::byte>(256 - sum % 256);
  EXPECT_EQ(parse_dco_last_lba(sector), 999);
}

}  // namespace
}  // namespace qcbak::wipe
