// What the kernel, and the signatures on it, say a block device is used for.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "wipe/block_device.h"

namespace qcbak::wipe {

// The sysfs directory of a block device; Error(io) when it has none.
std::string sysfs_directory(dev_t device);
// A small file of sysfs without blanks at both ends; nothing when it is not there.
std::optional<std::string> sysfs_value(const std::string& path);

// `system_paths`: where the running system and its data lie. The device is opened for reading to look for signatures; `path`
// is where it can be opened. Error(io) when something cannot be asked: what is not known is not taken for unused.
Usage usage_of(dev_t device, const std::string& path, const std::vector<std::string>& system_paths);

}  // namespace qcbak::wipe
