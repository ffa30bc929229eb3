#include "tests/wipe/loop_device.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace qcbak::tests {
namespace {

constexpr int kAttempts = 100;  // another process may take the free number first

UniqueFd nameless_file(std::uint64_t size_bytes) {
  UniqueFd fd(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(size_bytes)) != 0) throw_errno("make", "a file without a name");
  return fd;
}

}  // namespace

bool LoopDevice::possible() { return ::geteuid() == 0 && ::access("/dev/loop-control", W_OK) == 0; }

LoopDevice::LoopDevice(std::uint64_t size_bytes, Access access)
    : size_bytes_(size_bytes), file_(nameless_file(size_bytes)) {
  const UniqueFd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  loop_config config{};
  config.fd = static_cast<std::uint32_t>(file_.get());
  config.info.lo_flags =
      LO_FLAGS_AUTOCLEAR | LO_FLAGS_PARTSCAN | (access == Access::read_only ? LO_FLAGS_READ_ONLY : 0);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) throw_errno("find", "a free loop device");
    path_ = "/dev/loop" + std::to_string(number);
    device_ = UniqueFd(::open(path_.c_str(), (access == Access::read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC));
    if (device_ && ::ioctl(device_.get(), LOOP_CONFIGURE, &config) == 0) return;
  }
  throw_errno("set up", path_);
}

Bytes LoopDevice::content() const {
  if (::fsync(device_.get()) != 0) throw_errno("flush", path_);
  Bytes bytes(size_bytes_);
  bytes.resize(pread_full(file_.get(), bytes, 0, path_));
  return bytes;
}

void LoopDevice::plant(std::uint64_t offset, ByteView bytes) {
  pwrite_full(device_.get(), bytes, offset, path_);
  if (::fsync(device_.get()) != 0) throw_errno("flush", path_);
}

}  // namespace qcbak::tests
