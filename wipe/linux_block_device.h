// A disk of this machine.
#pragma once

#include <sys/types.h>

#include "base/unique_fd.h"
#include "wipe/block_device.h"
#include "wipe/linux_commands.h"
#include "wipe/linux_disks.h"
#include "wipe/temperature_sensor.h"

namespace qcbak::wipe {

// Open exclusively (O_EXCL, flock) from the constructor on: nothing can mount it, nor build anything on it.
class LinuxBlockDevice final : public BlockDevice {
 public:
  // `system_paths` must not lie on it, besides "/", "/boot" and "/boot/efi". Error(refused) when it is in use, naming by what,
  // or read-only, or no block device; Error(busy) when another process has locked it.
  explicit LinuxBlockDevice(std::string path, std::vector<std::string> system_paths = {});

  std::string name() const override { return path_; }
  // Error(io) when the disk is gone: its number may be another's by then.
  Identity identity() const override;
  Geometry geometry() const override;
  Usage usage() const override;
  Attachment attachment() const;
  TemperatureSensor temperature_sensor() const { return TemperatureSensor(sysfs()); }

  Transfer read(std::uint64_t offset, MutableByteView into) override;
  Transfer write(std::uint64_t offset, ByteView from) override;
  void flush() override;
  int discard() override;
  CommandChannel* commands() override { return commands_.get(); }

 private:
  std::string sysfs() const;
  std::string path_;
  std::vector<std::string> system_paths_;
  dev_t device_ = 0;
  UniqueFd fd_;
  std::unique_ptr<LinuxCommands> commands_;
};

}  // namespace qcbak::wipe
