// A fresh file system of a given kind, mounted for one test. Needs root.
#pragma once

#include <string>
#include <string_view>

#include "tests/support/temporary_directory.h"

namespace qcbak::tests {

// The mount lies in a mount namespace of this process (entered by the first LoopMount, and inherited by the programs it
// starts and the threads made later), and the image's name is removed once it is mounted: both go even when the
// process is killed. Throws Error when not root, or when mkfs or the kernel lacks the kind.
class LoopMount {
 public:
  // "ext4", "xfs", "btrfs": in a sparse image of 400 MiB, which takes the few MiB that are written. "tmpfs": no image.
  explicit LoopMount(const std::string& kind);
  LoopMount(const LoopMount&) = delete;
  LoopMount& operator=(const LoopMount&) = delete;
  ~LoopMount();

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  TemporaryDirectory directory_;
  std::string path_;
};

}  // namespace qcbak::tests
