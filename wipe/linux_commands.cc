#include "wipe/linux_commands.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include "base/error.h"
#include "base/unique_fd.h"
#include "wipe/linux_usage.h"
#include "wipe/nvme.h"

namespace qcbak::wipe {
namespace {

constexpr std::size_t kDataLimit = 64U << 10;
constexpr int kLeastSgVersion = 30000;  // of which SG_IO is

// 0 would be the kernel's own time, which is short.
unsigned timeout_ms(std::int64_t timeout_ns) {
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  return static_cast<unsigned>(std::clamp<std::int64_t>(timeout_ns / 1'000'000, 1, kMost));
}

std::size_t data_size(const CommandRequest& request) {
  check(request.to_disk.empty() || request.from_disk_bytes == 0, "data go in one direction");
  return std::max(request.to_disk.size(), request.from_disk_bytes);
}

CommandResult send_scsi(int fd, const CommandRequest& request, MutableByteView data) {
  std::array<std::byte, 252> sense{};
  sg_io_hdr_t header = sg_header(request, data, sense);
  const int returned = ::ioctl(fd, SG_IO, &header);
  return sg_result(header, data, sense, returned < 0 ? errno : 0);
}

CommandResult send_nvme(int fd, const CommandRequest& request, MutableByteView data) {
  nvme_admin_cmd command = nvme_command(request, data);
  const int returned = ::ioctl(fd, NVME_IOCTL_ADMIN_CMD, &command);
  return nvme_result(command, data, returned, returned < 0 ? errno : 0);
}

}  // namespace

sg_io_hdr_t sg_header(const CommandRequest& request, MutableByteView data, MutableByteView sense) {
  sg_io_hdr_t header{};
  header.interface_id = 'S';
  header.dxfer_direction = SG_DXFER_NONE;
  if (!request.to_disk.empty()) header.dxfer_direction = SG_DXFER_TO_DEV;
  if (request.from_disk_bytes > 0) header.dxfer_direction = SG_DXFER_FROM_DEV;
  header.cmd_len = static_cast<unsigned char>(request.command.size());
  // The kernel reads the command and never writes it; its structure knows no const.
  header.cmdp = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(request.command.data()));
  header.dxfer_len = static_cast<unsigned>(data.size());
  header.dxferp = data.empty() ? nullptr : data.data();
  header.mx_sb_len = static_cast<unsigned char>(sense.size());
  header.sbp = reinterpret_cast<unsigned char*>(sense.data());
  header.timeout = timeout_ms(request.timeout_ns);
  return header;
}

CommandResult sg_result(const sg_io_hdr_t& header, ByteView data, ByteView sense, int error) {
  CommandResult result;
  result.error = error;
  if (error != 0) return result;
  result.status = header.status;
  result.host_status = header.host_status;
  result.driver_status = header.driver_status;
  result.sense = to_bytes(sense.first(std::min<std::size_t>(header.sb_len_wr, sense.size())));
  if (header.dxfer_direction != SG_DXFER_FROM_DEV) return result;
  const std::size_t missing = header.resid < 0 ? data.size() : static_cast<std::size_t>(header.resid);
  result.from_disk = to_bytes(data.first(data.size() - std::min(missing, data.size())));
  return result;
}

nvme_admin_cmd nvme_command(const CommandRequest& request, MutableByteView data) {
  check(request.command.size() == kNvmeCommandBytes, "an NVMe command has 64 bytes");
  const std::byte* const bytes = request.command.data();
  nvme_admin_cmd command{};
  command.opcode = std::to_integer<std::uint8_t>(bytes[0]);
  command.flags = std::to_integer<std::uint8_t>(bytes[1]);
  command.nsid = load_le<std::uint32_t>(bytes + kNvmeNamespaceAt);
  command.addr = reinterpret_cast<std::uintptr_t>(data.data());
  command.data_len = static_cast<std::uint32_t>(data.size());
  std::uint32_t* const dwords[] = {&command.cdw10, &command.cdw11, &command.cdw12,
                                   &command.cdw13, &command.cdw14, &command.cdw15};
  for (std::size_t i = 0; i < std::size(dwords); ++i) *dwords[i] = load_le<std::uint32_t>(bytes + kNvmeDword10 + 4 * i);
  command.timeout_ms = timeout_ms(request.timeout_ns);
  return command;
}

CommandResult nvme_result(const nvme_admin_cmd& command, ByteView data, int returned, int error) {
  CommandResult result;
  result.error = error;
  if (error != 0) return result;
  result.nvme_status = static_cast<std::uint16_t>(returned & 0x7fff);
  result.nvme_result = command.result;
  // The kernel does not say how much came: all of it, when the command was done.
  if (returned == 0) result.from_disk = to_bytes(data);
  return result;
}

LinuxCommands::LinuxCommands(int fd, std::string sysfs, CommandSet command_set, std::uint32_t nvme_namespace)
    : fd_(fd), sysfs_(std::move(sysfs)), command_set_(command_set), nvme_namespace_(nvme_namespace) {
  // Now, since later the process may not open any file.
  rescan_ = UniqueFd(::open(rescan_path().c_str(), O_WRONLY | O_CLOEXEC));
}

std::string LinuxCommands::rescan_path() const {
  return sysfs_ + (command_set_ == CommandSet::nvme ? "/device/rescan_controller" : "/device/rescan");
}

std::unique_ptr<LinuxCommands> LinuxCommands::of(int fd, std::string sysfs) {
  const auto make = [&](CommandSet set, std::uint32_t name_space) {
    return std::unique_ptr<LinuxCommands>(new LinuxCommands(fd, std::move(sysfs), set, name_space));
  };
  if (const int name_space = ::ioctl(fd, NVME_IOCTL_ID); name_space > 0)
    return make(CommandSet::nvme, static_cast<std::uint32_t>(name_space));
  int version = 0;
  if (::ioctl(fd, SG_GET_VERSION_NUM, &version) != 0 || version < kLeastSgVersion) return nullptr;
  // SAT-4 §8.1: what translates for an ATA disk gives this vendor. USB bridges give their own, and are left to SCSI.
  const bool is_ata = sysfs_value(sysfs + "/device/vendor") == "ATA";
  return make(is_ata ? CommandSet::ata : CommandSet::scsi, 0);
}

CommandResult LinuxCommands::send(const CommandRequest& request) {
  const std::size_t size = data_size(request);
  check(size <= kDataLimit, "a command's data are within their limit");
  PageBuffer buffer;
  if (size > 0) buffer = PageBuffer(size);
  const MutableByteView data = buffer.span().first(size);
  std::ranges::copy(request.to_disk, data.begin());
  return command_set_ == CommandSet::nvme ? send_nvme(fd_, request, data) : send_scsi(fd_, request, data);
}

void LinuxCommands::rescan() {
  if (!rescan_) throw Error(ErrorCode::io, rescan_path() + " cannot be opened");
  pwrite_full(rescan_.get(), as_bytes("1"), 0, rescan_path());
}

}  // namespace qcbak::wipe
