#include "wipe/linux_commands.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <cerrno>

#include "base/unique_fd.h"
#include "wipe/ata.h"
#include "wipe/nvme.h"

namespace qcbak::wipe {
namespace {

TEST(SgHeader, OfEachDirection) {
  std::array<std::byte, 252> sense{};
  Bytes data(512);
  const CommandRequest identify = ata_identify();
  const sg_io_hdr_t in = sg_header(identify, data, sense);
  EXPECT_EQ(in.interface_id, 'S');
  EXPECT_EQ(in.dxfer_direction, SG_DXFER_FROM_DEV);
  EXPECT_EQ(in.dxfer_len, 512);
  EXPECT_EQ(in.dxferp, data.data());
  EXPECT_EQ(in.cmd_len, 16);
  EXPECT_EQ(in.cmdp[0], 0x85);
  EXPECT_EQ(in.mx_sb_len, 252);
  EXPECT_EQ(in.timeout, 30000);
  const CommandRequest password = ata_set_password();
  EXPECT_EQ(sg_header(password, data, sense).dxfer_direction, SG_DXFER_TO_DEV);
  const CommandRequest status = ata_sanitize_status();
  const sg_io_hdr_t none = sg_header(status, {}, sense);
  EXPECT_EQ(none.dxfer_direction, SG_DXFER_NONE);
  EXPECT_EQ(none.dxferp, nullptr);
  EXPECT_EQ(none.dxfer_len, 0);
}

TEST(SgHeader, ATimeOfDaysFits) {
  std::array<std::byte, 252> sense{};
  Bytes data(512);
  const CommandRequest days = ata_erase_unit(AtaErase::normal, 14LL * 24 * 3600 * 1'000'000'000);
  EXPECT_EQ(sg_header(days, data, sense).timeout, 14U * 24 * 3600 * 1000);
  const CommandRequest more = ata_erase_unit(AtaErase::normal, 365LL * 24 * 3600 * 1'000'000'000);
  EXPECT_EQ(sg_header(more, data, sense).timeout, 2147483647U);
  const CommandRequest none = ata_erase_unit(AtaErase::normal, 0);
  EXPECT_EQ(sg_header(none, data, sense).timeout, 1) << "0 would be the kernel's own";
}

TEST(SgResult, HasAllThatCameAndNoMore) {
  sg_io_hdr_t header{};
  header.dxfer_direction = SG_DXFER_FROM_DEV;
  header.status = 2;
  header.host_status = 7;
  header.driver_status = 8;
  header.sb_len_wr = 18;
  header.resid = 500;
  const Bytes data(512, std::byte{1});
  const Bytes sense(252, std::byte{2});
  const CommandResult result = sg_result(header, data, sense, 0);
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.host_status, 7);
  EXPECT_EQ(result.driver_status, 8);
  EXPECT_EQ(result.sense.size(), 18);
  EXPECT_EQ(result.from_disk.size(), 12);
  header.resid = 513;
  EXPECT_TRUE(sg_result(header, data, sense, 0).from_disk.empty());
  header.resid = -1;
  EXPECT_TRUE(sg_result(header, data, sense, 0).from_disk.empty());
  EXPECT_EQ(sg_result(header, data, sense, EIO).error, EIO);
  EXPECT_TRUE(sg_result(header, data, sense, EIO).sense.empty());
}

TEST(NvmeCommand, IsTheSameCommand) {
  const CommandRequest request = nvme_sanitize(NvmeSanitize::overwrite, AfterSanitize::kept);
  const nvme_admin_cmd sanitize = nvme_command(request, {});
  EXPECT_EQ(sanitize.opcode, 0x84);
  EXPECT_EQ(sanitize.nsid, 0);
  EXPECT_EQ(sanitize.cdw10, 0x213);
  EXPECT_EQ(sanitize.addr, 0);
  EXPECT_EQ(sanitize.data_len, 0);
  EXPECT_EQ(sanitize.timeout_ms, 30000);
  Bytes page(512);
  const nvme_admin_cmd log = nvme_command(nvme_get_sanitize_log(), page);
  EXPECT_EQ(log.nsid, 0xffffffff);
  EXPECT_EQ(log.addr, reinterpret_cast<std::uintptr_t>(page.data()));
  EXPECT_EQ(log.data_len, 512);
}

TEST(NvmeResult, APositiveReturnIsTheDisksStatus) {
  nvme_admin_cmd command{};
  command.result = 9;
  const Bytes page(512);
  EXPECT_EQ(nvme_result(command, page, 0, 0).from_disk.size(), 512);
  EXPECT_EQ(nvme_result(command, page, 0, 0).nvme_result, 9);
  const CommandResult refused = nvme_result(command, page, 0x4001, 0);
  EXPECT_EQ(refused.nvme_status, 0x4001);
  EXPECT_TRUE(refused.from_disk.empty());
  EXPECT_EQ(nvme_result(command, page, -1, EINTR).error, EINTR);
}

TEST(LinuxCommands, AFileTakesNone) {
  const UniqueFd fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_EQ(LinuxCommands::of(fd.get(), "/sys/nothing"), nullptr);
}

}  // namespace
}  // namespace qcbak::wipe
