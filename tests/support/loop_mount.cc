#include "tests/support/loop_mount.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/error.h"
#include "base/unique_fd.h"
#include "tests/support/run_command.h"

namespace qcbak::tests {
namespace {

constexpr off_t kImageBytes = off_t{400} << 20;  // mkfs.xfs wants 300 MiB

void enter_mount_namespace() {
  if (::unshare(CLONE_NEWNS) != 0) throw_errno("enter", "a mount namespace (this test needs root)");
  // Else the mounts would still be passed on to the namespace this one was copied from.
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) throw_errno("make private", "/");
}

}  // namespace

LoopMount::LoopMount(const std::string& kind) : path_(directory_ / "mount") {
  static const bool entered = (enter_mount_namespace(), true);
  (void)entered;
  if (::mkdir(path_.c_str(), 0755) != 0) throw_errno("create", path_);
  if (kind == "tmpfs") {
    if (::mount("none", path_.c_str(), "tmpfs", 0, "size=256m,mode=755") != 0) throw_errno("mount", path_);
    return;
  }
  const std::string image = directory_ / "image";
  UniqueFd fd(::open(image.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd || ::ftruncate(fd.get(), kImageBytes) != 0) throw_errno("create", image);
  fd.close(image);
  run_or_throw({"mkfs." + kind, kind == "ext4" ? "-Fq" : kind == "xfs" ? "-fq" : "-f", image});
  run_or_throw({"mount", "-o", "loop", image, path_});
  if (::unlink(image.c_str()) != 0) throw_errno("remove", image);
}

LoopMount::~LoopMount() {
  // A program that still has a file there must not keep the mount: detached, it goes with its last user.
  if (::umount2(path_.c_str(), 0) != 0 && ::umount2(path_.c_str(), MNT_DETACH) != 0)
    std::fprintf(stderr, "%s stays mounted\n", path_.c_str());
}

}  // namespace qcbak::tests
