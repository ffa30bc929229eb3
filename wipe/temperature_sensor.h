// The temperature of a disk as the kernel's hwmon has it (drivers drivetemp and nvme).
#pragma once

#include <optional>
#include <string>

#include "base/unique_fd.h"

namespace qcbak::wipe {

// Open from the constructor on, so that it can be read when no file can be opened any more (wipe/sandbox.h).
class TemperatureSensor {
 public:
  explicit TemperatureSensor(
      const std::string& sysfs);  // the directory of the disk; one without a sensor tells nothing
  // °C; nothing where it does not tell. It may take as long as a request: the kernel asks the disk.
  std::optional<std::uint64_t> read() const;

 private:
  UniqueFd fd_;
};

}  // namespace qcbak::wipe
