// Commands to a disk's firmware by the kernel's raw ioctls: SG_IO and NVME_IOCTL_ADMIN_CMD.
#pragma once

#include <linux/nvme_ioctl.h>
#include <scsi/sg.h>

#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "wipe/command_channel.h"

namespace qcbak::wipe {

// What the kernel is given. The memory outlives the call: `data` is as large as what the request sends or expects.
sg_io_hdr_t sg_header(const CommandRequest& request, MutableByteView data, MutableByteView sense);
nvme_admin_cmd nvme_command(const CommandRequest& request, MutableByteView data);
// What it gave back; `error` is 0 or the errno of the call.
CommandResult sg_result(const sg_io_hdr_t& header, ByteView data, ByteView sense, int error);
// `returned` by the ioctl: the disk's status when it is positive.
CommandResult nvme_result(const nvme_admin_cmd& command, ByteView data, int returned, int error);

class LinuxCommands final : public CommandChannel {
 public:
  // Of the disk that is open as `fd`, which outlives it; `sysfs` is its directory. Null when it takes no commands.
  static std::unique_ptr<LinuxCommands> of(int fd, std::string sysfs);

  CommandSet command_set() const override { return command_set_; }
  std::uint32_t nvme_namespace() const override { return nvme_namespace_; }
  CommandResult send(const CommandRequest& request) override;
  void rescan() override;

 private:
  LinuxCommands(int fd, std::string sysfs, CommandSet command_set, std::uint32_t nvme_namespace);
  std::string rescan_path() const;
  int fd_;
  std::string sysfs_;
  CommandSet command_set_;
  std::uint32_t nvme_namespace_;
  UniqueFd rescan_;  // empty where there is nothing of the kind
};

}  // namespace qcbak::wipe
