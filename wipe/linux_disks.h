// The disks of this machine, as they can be looked at while they are in use: nothing is opened for writing.
#pragma once

#include <string>
#include <vector>

#include "wipe/block_device.h"

namespace qcbak::wipe {

// What a certificate names beside the identity.
struct Attachment {
  std::uint64_t disk_sequence = 0;  // of the kernel: no other disk gets it until the next start; 0: the kernel has none
  bool removable = false;
  bool rotational = false;
};

// Of the sysfs directory of a disk.
Identity identity_at(const std::string& sysfs);
Attachment attachment_at(const std::string& sysfs);

struct SeenDisk {
  std::string path;  // "/dev/sdb"
  Identity identity;
  Geometry geometry;
  Attachment attachment;
  std::vector<std::string> refusals;  // why it must not be wiped now, a sentence each
};
// Error(refused) when it is no block device, Error(io).
SeenDisk look_at(const std::string& path);
// Of all whole disks of a size, by name.
std::vector<SeenDisk> disks_of_machine();

}  // namespace qcbak::wipe
