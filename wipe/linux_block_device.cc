#include "wipe/linux_block_device.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "base/error.h"
#include "wipe/guard.h"
#include "wipe/linux_usage.h"

namespace qcbak::wipe {
namespace {

// udev holds a lock of its own while it looks at a disk that has just come; a process that was killed holds the disk until its
// last request has come back.
constexpr int kAttempts = 200;
constexpr auto kBetweenAttempts = std::chrono::milliseconds(100);

[[noreturn]] void refuse(const std::string& sentence) { throw Error(ErrorCode::refused, sentence); }

dev_t block_device_at(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) throw_errno("look at", path);
  if (!S_ISBLK(status.st_mode)) refuse(path + " is no block device");
  return status.st_rdev;
}

// What O_EXCL does not name; nothing when it is in use by nothing that can be seen.
std::optional<std::string> seen_use(const std::string& path, dev_t device, const std::vector<std::string>& system_paths) {
  const std::vector<std::string> sentences = refusals_of(path, usage_of(device, path, system_paths), 1);
  return sentences.empty() ? std::nullopt : std::optional(sentences.front());
}

UniqueFd open_exclusively(const std::string& path, dev_t device, const std::vector<std::string>& system_paths) {
  for (int attempt = 1;; ++attempt) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_EXCL | O_DIRECT | O_CLOEXEC));
    if (fd) return fd;
    if (errno == EROFS || errno == EACCES) refuse(path + " is read-only");
    if (errno != EBUSY) throw_errno("open", path);
    if (const auto use = seen_use(path, device, system_paths)) refuse(*use);
    if (attempt == kAttempts) refuse(path + " is in use");
    std::this_thread::sleep_for(kBetweenAttempts);
  }
}

void lock(const UniqueFd& fd, const std::string& path) {
  for (int attempt = 1; ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0; ++attempt) {
    if (errno != EWOULDBLOCK) throw_errno("lock", path);
    if (attempt == kAttempts) throw Error(ErrorCode::busy, path + " is locked by another process");
    std::this_thread::sleep_for(kBetweenAttempts);
  }
}

template <class Value>
Value ask(const UniqueFd& fd, unsigned long request, const std::string& path) {
  Value value{};
  if (::ioctl(fd.get(), request, &value) != 0) throw_errno("ask about", path);
  return value;
}

// A fault of the place, unless the whole disk is gone.
Transfer fault(const char* action, const std::string& path, int error) {
  if (error == ENODEV || error == ENXIO || error == EBADF || error == EINVAL || error == EFAULT || error == ENOMEM)
    throw_errno(action, path, error);
  return {0, error};
}

}  // namespace

LinuxBlockDevice::LinuxBlockDevice(std::string path, std::vector<std::string> system_paths)
    : path_(std::move(path)), system_paths_(std::move(system_paths)), device_(block_device_at(path_)) {
  for (const char* const system_path : {"/", "/boot", "/boot/efi"}) system_paths_.emplace_back(system_path);
  fd_ = open_exclusively(path_, device_, system_paths_);
  struct stat status;
  if (::fstat(fd_.get(), &status) != 0) throw_errno("look at", path_);
  if (!S_ISBLK(status.st_mode) || status.st_rdev != device_) refuse(path_ + " has just become another device");
  lock(fd_, path_);
  commands_ = LinuxCommands::of(fd_.get(), sysfs_directory(device_));
}

// The directory of the number, as long as the disk that has it is the one that is open.
std::string LinuxBlockDevice::sysfs() const {
  const std::string directory = sysfs_directory(device_);
  const std::optional<std::string> there = sysfs_value(directory + "/diskseq");
  if (there && *there != std::to_string(ask<std::uint64_t>(fd_, BLKGETDISKSEQ, path_)))
    throw Error(ErrorCode::io, path_ + " is gone, and another disk has its name");
  return directory;
}

Identity LinuxBlockDevice::identity() const { return identity_at(sysfs()); }

Geometry LinuxBlockDevice::geometry() const {
  return {ask<std::uint64_t>(fd_, BLKGETSIZE64, path_), static_cast<std::uint32_t>(ask<int>(fd_, BLKSSZGET, path_)),
          ask<unsigned>(fd_, BLKPBSZGET, path_)};
}

Usage LinuxBlockDevice::usage() const {
  sysfs();
  return usage_of(device_, path_, system_paths_);
}

Attachment LinuxBlockDevice::attachment() const { return attachment_at(sysfs()); }

Transfer LinuxBlockDevice::read(std::uint64_t offset, MutableByteView into) {
  ssize_t done = 0;
  do done = ::pread(fd_.get(), into.data(), into.size(), static_cast<off_t>(offset));
  while (done < 0 && errno == EINTR);
  if (done < 0) return fault("read", path_, errno);
  return {static_cast<std::size_t>(done), done == 0 ? EIO : 0};  // the disk ends before its size
}

Transfer LinuxBlockDevice::write(std::uint64_t offset, ByteView from) {
  ssize_t done = 0;
  do done = ::pwrite(fd_.get(), from.data(), from.size(), static_cast<off_t>(offset));
  while (done < 0 && errno == EINTR);
  if (done < 0) return fault("write", path_, errno);
  return {static_cast<std::size_t>(done), done == 0 ? EIO : 0};
}

void LinuxBlockDevice::flush() {
  if (::fsync(fd_.get()) != 0) throw_errno("flush", path_);
}

int LinuxBlockDevice::discard() {
  std::uint64_t range[] = {0, geometry().size_bytes};
  return ::ioctl(fd_.get(), BLKDISCARD, range) == 0 ? 0 : errno;
}

}  // namespace qcbak::wipe
