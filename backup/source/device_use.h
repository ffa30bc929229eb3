// Who else uses a block device, so that it is not read while it changes, and never written under somebody.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/unique_fd.h"

namespace qcbak::source {

struct DeviceUse {
  enum class Kind {
    none,
    read_only,  // mounted, and cannot change by that
    writable,   // mounted for writing, or held by what is no mount: swap, LVM, md, a loop device's cache
  } kind = Kind::none;
  std::string by;  // "mounted at /srv", "one of its partitions is mounted at /srv", "in use by the system"
};

// Opens a block device for itself alone (O_EXCL), so that nobody mounts it meanwhile; nothing when somebody has it already.
// `flags` are open(2)'s. Error(io) when it cannot be opened at all.
UniqueFd open_exclusively(const std::string& path, int flags);
// Of a device that could not be had alone: the worst of all uses of it and its partitions.
DeviceUse use_of(dev_t device);
// Bytes. Error(io).
std::uint64_t device_size(int fd, const std::string& path);
// Of a file that lies below a loop device, the device's name ("/dev/loop3"); else empty.
std::string loop_device_over(const struct stat& file);

}  // namespace qcbak::source
