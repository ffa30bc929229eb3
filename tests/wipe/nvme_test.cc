#include "wipe/nvme.h"

#include <gtest/gtest.h>

namespace qcbak::wipe {
namespace {

std::uint32_t dword(const CommandRequest& request, std::size_t at) {
  return load_le<std::uint32_t>(&request.command[at]);
}

TEST(NvmeCommands, AreTheseBytes) {
  const CommandRequest sanitize = nvme_sanitize(NvmeSanitize::overwrite, AfterSanitize::kept);
  EXPECT_EQ(sanitize.command.size(), 64);
  EXPECT_EQ(sanitize.command[0], std::byte{0x84});
  EXPECT_EQ(dword(sanitize, 4), 0) << "of the controller, not of a namespace";
  EXPECT_EQ(dword(sanitize, 40), 0x213) << "one pass";
  EXPECT_EQ(dword(nvme_sanitize(NvmeSanitize::block_erase, AfterSanitize::kept), 40), 0x202);
  EXPECT_EQ(dword(nvme_sanitize(NvmeSanitize::crypto_erase, AfterSanitize::deallocated), 40), 0x004);
  const CommandRequest format = nvme_format(7, 0x132, NvmeFormat::crypto, 1);
  EXPECT_EQ(format.command[0], std::byte{0x80});
  EXPECT_EQ(dword(format, 4), 7);
  EXPECT_EQ(dword(format, 40), 0x532);
  EXPECT_EQ(dword(nvme_get_sanitize_log(), 40), 0x007f0081);
  EXPECT_EQ(dword(nvme_get_sanitize_log(), 4), 0xffffffff);
  EXPECT_EQ(dword(nvme_identify_controller(), 40), 1);
  EXPECT_EQ(dword(nvme_list_namespaces(), 40), 2);
  EXPECT_EQ(dword(nvme_identify_namespace(3), 4), 3);
}

TEST(NvmeReply, OnlyTheDisksOwnAnswerCounts) {
  const auto reply = [](std::uint16_t status) {
    CommandResult result;
    result.nvme_status = status;
    return nvme_reply(result);
  };
  EXPECT_EQ(reply(0), Reply::done);
  EXPECT_EQ(reply(0x4001), Reply::refused) << "invalid opcode, do not retry";
  EXPECT_EQ(reply(0x1d), Reply::refused) << "sanitising";
  EXPECT_EQ(reply(0x371), Reply::unknown) << "the host cancelled it";
  EXPECT_EQ(reply(0x0007), Reply::unknown) << "aborted on request";
  EXPECT_EQ(reply(0x0107), Reply::refused);
  CommandResult system;
  system.error = 5;
  EXPECT_EQ(nvme_reply(system), Reply::unknown);
}

TEST(NvmeSanitizeLog, OfEachState) {
  Bytes page(512);
  const SanitizeState states[] = {SanitizeState::idle, SanitizeState::succeeded, SanitizeState::running,
                                  SanitizeState::failed, SanitizeState::succeeded};
  for (std::uint16_t status = 0; status < 5; ++status) {
    store_le(&page[2], static_cast<std::uint16_t>(status | 0x1f8));  // passes and global-erased are beside it
    EXPECT_EQ(parse_nvme_sanitize_log(page)->state, states[status]);
  }
  store_le(&page[2], std::uint16_t{5});
  EXPECT_FALSE(parse_nvme_sanitize_log(page));
  page.pop_back();
  EXPECT_FALSE(parse_nvme_sanitize_log(page));
}

TEST(NvmeSanitizeLog, EstimatesAreSecondsOrNone) {
  Bytes page(512);
  store_le(&page[8], std::uint32_t{100});
  store_le(&page[12], std::uint32_t{0xffffffff});
  const NvmeSanitizeLog log = parse_nvme_sanitize_log(page).value();
  EXPECT_EQ(log.overwrite_s, 100);
  EXPECT_FALSE(log.block_s);
  EXPECT_EQ(log.crypto_s, 0);
}

TEST(NvmeIdentify, FormatIsKeptAsItIs) {
  Bytes page(4096);
  page[25] = std::byte{3};
  page[26] = std::byte{0x12};
  page[29] = std::byte{0x09};
  EXPECT_EQ(parse_nvme_format(page), 0x132);
  page[26] = std::byte{0x04};
  EXPECT_FALSE(parse_nvme_format(page)) << "a format that there is not";
  page[25] = std::byte{16};
  EXPECT_FALSE(parse_nvme_format(page));
}

TEST(NvmeIdentify, NamespacesAscend) {
  Bytes page(4096);
  store_le(&page[0], std::uint32_t{1});
  store_le(&page[4], std::uint32_t{5});
  EXPECT_EQ(parse_nvme_namespaces(page)->size(), 2);
  store_le(&page[8], std::uint32_t{5});
  EXPECT_FALSE(parse_nvme_namespaces(page));
  EXPECT_FALSE(parse_nvme_namespaces(ByteView(page).first(4095)));
}

TEST(NvmeIdentify, CapabilitiesAreBits) {
  Bytes page(4096);
  EXPECT_FALSE(parse_nvme_controller(page)->formats);
  page[256] = std::byte{2};
  page[524] = std::byte{4};
  store_le(&page[328], std::uint32_t{0x2000'0002});
  const NvmeController controller = parse_nvme_controller(page).value();
  EXPECT_TRUE(controller.formats && controller.formats_by_crypto && controller.sanitizes_by_block);
  EXPECT_FALSE(controller.sanitizes_by_crypto || controller.sanitizes_by_overwrite);
  EXPECT_TRUE(controller.always_deallocates);
}

}  // namespace
}  // namespace qcbak::wipe
