// A loop device over a file without a name, for one test. Needs root.
#pragma once

#include <cstdint>
#include <string>

#include "base/unique_fd.h"

namespace qcbak::tests {

// It goes with its last user, also when the process is killed: the kernel detaches it by itself, and the file has no name.
// Mounts of a test lie in a mount namespace of the process.
class LoopDevice {
 public:
  static bool possible();  // root, and a kernel with loop devices
  enum class Access { read_write, read_only };
  explicit LoopDevice(std::uint64_t size_bytes, Access access = Access::read_write);

  const std::string& path() const { return path_; }
  Bytes content() const;  // of the file behind it, after the device's cache was flushed
  void plant(std::uint64_t offset, ByteView bytes);

 private:
  std::uint64_t size_bytes_;
  UniqueFd file_;
  UniqueFd device_;
  std::string path_;
};

}  // namespace qcbak::tests
