#include "wipe/scsi.h"

#include <gtest/gtest.h>

namespace qcbak::wipe {
namespace {

// SPC-5 §4.4: not ready, 04/1B, 0x4000 of 65536 done, in both formats.
const Bytes kRunningDescriptor = from_hex(
    "7202041b0000000802060000"
    "80400000");
const Bytes kRunningFixed = from_hex(
    "70000200"
    "0000000a"
    "00000000"
    "041b0080"
    "4000");

TEST(Sense, BothFormatsSayTheSame) {
  for (const Bytes& bytes : {kRunningDescriptor, kRunningFixed}) {
    const Sense sense = parse_sense(bytes).value();
    EXPECT_EQ(sense.key, 2);
    EXPECT_EQ(sense.code, 0x04);
    EXPECT_EQ(sense.qualifier, 0x1b);
    EXPECT_EQ(sense.progress, 0x4000);
    EXPECT_FALSE(sense.is_deferred);
    EXPECT_EQ(parse_scsi_sanitize_status(bytes)->state, SanitizeState::running);
  }
  EXPECT_TRUE(parse_sense(kRunningFixed)->is_fixed);
}

TEST(Sense, EveryTruncationIsHeld) {
  for (const Bytes& bytes : {kRunningDescriptor, kRunningFixed})
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const std::optional<Sense> sense = parse_sense(ByteView(bytes).first(size));
      EXPECT_EQ(sense.has_value(), size >= 8) << size;
      EXPECT_FALSE(sense && sense->progress) << size;
    }
}

TEST(Sense, TheLengthWithinCounts) {
  Bytes bytes = kRunningFixed;
  bytes[7] = std::byte{6};  // ends after the codes
  EXPECT_EQ(parse_sense(bytes)->code, 0x04);
  EXPECT_FALSE(parse_sense(bytes)->progress);
  bytes[7] = std::byte{4};  // ends before them
  EXPECT_EQ(parse_sense(bytes)->code, 0);
}

TEST(Sense, ADescriptorThatRunsOverTheEndIsNone) {
  Bytes bytes = kRunningDescriptor;
  bytes[9] = std::byte{7};
  EXPECT_FALSE(sense_descriptor(bytes, 0x02));
  EXPECT_FALSE(parse_sense(from_hex("0000000000000000")));
  EXPECT_FALSE(sense_descriptor(kRunningFixed, 0x02));
}

CommandResult answer(std::uint8_t status, Bytes sense = {}) {
  CommandResult result;
  result.status = status;
  result.sense = std::move(sense);
  return result;
}

TEST(ScsiReply, OnlyTheDisksOwnAnswerCounts) {
  EXPECT_EQ(scsi_reply(answer(0)), Reply::done);
  EXPECT_EQ(scsi_reply(answer(2, kRunningFixed)), Reply::refused);
  EXPECT_EQ(scsi_reply(answer(2)), Reply::unknown) << "a check condition without sense";
  EXPECT_EQ(scsi_reply(answer(8)), Reply::refused) << "busy";
  EXPECT_EQ(scsi_reply(answer(0x18)), Reply::refused) << "reservation conflict";
  EXPECT_EQ(scsi_reply(answer(2, from_hex("7201001d00000000"))), Reply::done) << "recovered error";
  EXPECT_EQ(scsi_reply(answer(2, from_hex("7303000000000000"))), Reply::unknown) << "of an earlier command";
  CommandResult host = answer(0);
  host.host_status = 7;
  EXPECT_EQ(scsi_reply(host), Reply::unknown);
  CommandResult driver = answer(0);
  driver.driver_status = 6;
  EXPECT_EQ(scsi_reply(driver), Reply::unknown);
  driver.driver_status = 8;
  EXPECT_EQ(scsi_reply(driver), Reply::done);
  CommandResult system = answer(0);
  system.error = 5;
  EXPECT_EQ(scsi_reply(system), Reply::unknown);
}

TEST(ScsiSanitizeStatus, OfEachAnswer) {
  EXPECT_EQ(parse_scsi_sanitize_status(from_hex("7203310300000000"))->state, SanitizeState::failed);
  EXPECT_EQ(parse_scsi_sanitize_status(from_hex("7200000000000000"))->state, SanitizeState::idle);
  EXPECT_FALSE(parse_scsi_sanitize_status(from_hex("7206290000000000"))) << "a reset is none";
}

TEST(ScsiCommands, AreTheseBytes) {
  EXPECT_EQ(to_hex(scsi_sanitize(ScsiSanitize::block_erase).command), "48820000000000000000");
  EXPECT_EQ(to_hex(scsi_sanitize(ScsiSanitize::crypto_erase).command), "48830000000000000000");
  const CommandRequest overwrite = scsi_sanitize(ScsiSanitize::overwrite);
  EXPECT_EQ(to_hex(overwrite.command), "48810000000000000800");
  EXPECT_EQ(to_hex(overwrite.to_disk), "0100000400000000");
  EXPECT_EQ(to_hex(scsi_request_sense().command), "03010000fc00");
  EXPECT_EQ(to_hex(scsi_report_supported(ScsiSanitize::block_erase).command), "a30c03480002000000400000");
}

TEST(ScsiSupport, OnlyTheStandardsOwnIsSupport) {
  EXPECT_EQ(parse_supported(from_hex("00030000")), true);
  EXPECT_EQ(parse_supported(from_hex("00010000")), false);
  EXPECT_EQ(parse_supported(from_hex("00050000")), false);
  EXPECT_EQ(parse_supported(from_hex("00000000")), std::nullopt);
  EXPECT_EQ(parse_supported(from_hex("000300")), std::nullopt);
}

}  // namespace
}  // namespace qcbak::wipe
