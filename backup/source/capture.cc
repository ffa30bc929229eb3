#include "backup/source/capture.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/error.h"

namespace qcbak::source {
namespace {

using repository::EntryType;
using repository::ExtendedAttribute;
using repository::Metadata;

static_assert(kProtectingFlags == (FS_IMMUTABLE_FL | FS_APPEND_FL));
static_assert(kContentFlags == (FS_COMPR_FL | FS_NOCOMP_FL | FS_NOCOW_FL));
static_assert(kRestorableFlags ==
              (kProtectingFlags | kContentFlags | FS_SECRM_FL | FS_UNRM_FL | FS_SYNC_FL | FS_NODUMP_FL | FS_NOATIME_FL |
               FS_JOURNAL_DATA_FL | FS_NOTAIL_FL | FS_DIRSYNC_FL | FS_TOPDIR_FL | FS_PROJINHERIT_FL));

// The kernel's own limits: XATTR_LIST_MAX and XATTR_SIZE_MAX are 64 KiB, a link target is shorter than PATH_MAX.
constexpr std::size_t kAttributeLimit = 64 * 1024;
constexpr std::size_t kLinkTargetLimit = 64 * 1024;
constexpr std::size_t kDirectoryBufferSize = 64 * 1024;

EntryType type_of(unsigned mode, std::string_view path) {
  switch (mode & S_IFMT) {
    case S_IFREG: return EntryType::file;
    case S_IFDIR: return EntryType::directory;
    case S_IFLNK: return EntryType::symlink;
    case S_IFIFO: return EntryType::fifo;
    case S_IFSOCK: return EntryType::socket;
    case S_IFCHR: return EntryType::char_device;
    case S_IFBLK: return EntryType::block_device;
  }
  throw Error(ErrorCode::io, "read status of " + printable(path) + ": an unknown type of entry");
}

std::uint64_t device_number(unsigned major, unsigned minor) { return std::uint64_t{major} << 32 | minor; }

Status to_status(const struct statx& from, std::string_view path) {
  Status status;
  Metadata& metadata = status.metadata;
  metadata.type = type_of(from.stx_mode, path);
  metadata.mode = from.stx_mode & 07777U;
  metadata.uid = from.stx_uid;
  metadata.gid = from.stx_gid;
  metadata.mtime_s = from.stx_mtime.tv_sec;
  metadata.mtime_ns = from.stx_mtime.tv_nsec;
  status.device = device_number(from.stx_dev_major, from.stx_dev_minor);
  status.inode = from.stx_ino;
  if (metadata.type == EntryType::file) {
    metadata.size_bytes = from.stx_size;
    status.allocated_bytes = from.stx_blocks * 512;
  }
  if (metadata.type == EntryType::char_device || metadata.type == EntryType::block_device)
    metadata.device = device_number(from.stx_rdev_major, from.stx_rdev_minor);
  if (metadata.type != EntryType::directory && from.stx_nlink > 1) {
    metadata.link_count = from.stx_nlink;
    metadata.link_device = status.device;
    metadata.link_inode = status.inode;
  }
  status.ctime_s = from.stx_ctime.tv_sec;
  status.ctime_ns = from.stx_ctime.tv_nsec;
  return status;
}

bool vanished(int errno_value) { return errno_value == ENOENT || errno_value == ENOTDIR || errno_value == ELOOP; }

UniqueFd open_at(int directory_fd, const char* name, int flags, std::string_view path) {
  flags |= O_RDONLY | O_NOFOLLOW | O_CLOEXEC;
  int fd = ::openat(directory_fd, name, flags | O_NOATIME);
  // Only the owner and root may leave the access time alone.
  if (fd < 0 && errno == EPERM) fd = ::openat(directory_fd, name, flags);
  if (fd >= 0) return UniqueFd(fd);
  if (vanished(errno) || errno == ENXIO || errno == ENODEV)
    throw Error(ErrorCode::not_found, "open " + printable(path) + ": " + errno_text(errno));
  throw_errno("open", printable(path));
}

// The attributes of an inode that is held open; through /proc when it is only an O_PATH descriptor, which the
// descriptor's own calls refuse.
class Attributes {
 public:
  enum class Through { descriptor, proc };
  Attributes(int fd, Through through) : fd_(fd) {
    if (through == Through::proc) proc_path_ = "/proc/self/fd/" + std::to_string(fd);
  }

  // "name\0name\0…"; nothing where the file system has no attributes.
  std::string names(std::string_view path) const {
    return grown(path, "list attributes of",
                 [&](char* to, std::size_t size) {
                   return proc_path_.empty() ? ::flistxattr(fd_, to, size) : ::listxattr(proc_path_.c_str(), to, size);
                 })
        .value_or("");
  }
  // Nothing when it is gone by now or not for this process to read.
  std::optional<std::string> value(const char* name, std::string_view path) const {
    return grown(path, "read an attribute of", [&](char* to, std::size_t size) {
      return proc_path_.empty() ? ::fgetxattr(fd_, name, to, size) : ::getxattr(proc_path_.c_str(), name, to, size);
    });
  }

 private:
  // The list or value may grow between two calls, so the size is never asked for beforehand.
  template <class Call>
  static std::optional<std::string> grown(std::string_view path, std::string_view action, Call call) {
    std::string buffer(256, '\0');
    for (;;) {
      const ssize_t size = call(buffer.data(), buffer.size());
      if (size >= 0) {
        buffer.resize(static_cast<std::size_t>(size));
        return buffer;
      }
      if (errno == ENODATA || errno == EPERM || errno == EACCES || errno == EOPNOTSUPP) return std::nullopt;
      // The link in /proc leads to an inode that is held open: there is nothing else that could be missing.
      if (errno == ENOENT)
        throw Error(ErrorCode::unsupported, std::string(action) + " " + printable(path) + ": /proc is not mounted");
      if (errno != ERANGE || buffer.size() >= kAttributeLimit) throw_errno(action, printable(path));
      buffer.resize(buffer.size() * 16);
    }
  }
  int fd_;
  std::string proc_path_;
};

void capture_attributes(const Attributes& attributes, std::string_view path, Metadata& metadata) {
  metadata.attributes.clear();
  const std::string names = attributes.names(path);
  for (std::size_t at = 0; at < names.size();) {
    const char* name = names.c_str() + at;
    const std::string_view text = name;
    at += text.size() + 1;
    if (!is_kept_attribute(text)) continue;
    if (const auto value = attributes.value(name, path))
      metadata.attributes.push_back({to_bytes(as_bytes(text)), to_bytes(as_bytes(*value))});
  }
  std::sort(metadata.attributes.begin(), metadata.attributes.end(),
            [](const ExtendedAttribute& a, const ExtendedAttribute& b) { return as_text(a.name) < as_text(b.name); });
}

Bytes read_link(int fd, std::string_view path) {
  Bytes target(256);
  for (;;) {
    const ssize_t size = ::readlinkat(fd, "", reinterpret_cast<char*>(target.data()), target.size());
    if (size < 0) throw_errno("read link", printable(path));
    // A full buffer may be a target cut short.
    if (static_cast<std::size_t>(size) < target.size()) {
      target.resize(static_cast<std::size_t>(size));
      return target;
    }
    if (target.size() >= kLinkTargetLimit) throw_errno("read link", printable(path), ENAMETOOLONG);
    target.resize(target.size() * 4);
  }
}

}  // namespace

std::string working_directory() {
  char path[PATH_MAX];
  if (::getcwd(path, sizeof path) == nullptr) throw_errno("find", "the working directory");
  return path;
}

std::string host_name() {
  char name[HOST_NAME_MAX + 1] = {};
  if (::gethostname(name, sizeof name - 1) != 0) throw_errno("find", "the name of this host");
  return name;
}

std::string resolve_path(const std::string& given) {
  std::string trimmed = given;
  while (trimmed.size() > 1 && trimmed.ends_with('/')) trimmed.pop_back();
  const std::size_t slash = trimmed.rfind('/');
  const std::string last = slash == std::string::npos ? trimmed : trimmed.substr(slash + 1);
  const bool by_itself = last.empty() || last == "." || last == "..";
  const std::string above = slash == std::string::npos ? "." : slash == 0 ? "/" : trimmed.substr(0, slash);
  char resolved[PATH_MAX];
  if (::realpath(by_itself ? trimmed.c_str() : above.c_str(), resolved) == nullptr)
    return trimmed.starts_with('/') ? trimmed : working_directory() + "/" + trimmed;
  if (by_itself) return resolved;
  return std::string(resolved) == "/" ? "/" + last : std::string(resolved) + "/" + last;
}

bool is_kept_attribute(std::string_view name) { return name != "security.evm"; }

std::vector<std::string> list_directory(int directory_fd, std::string_view path) {
  if (::lseek(directory_fd, 0, SEEK_SET) < 0) throw_errno("read directory", printable(path));
  std::vector<std::string> names;
  const auto buffer = std::make_unique_for_overwrite<char[]>(kDirectoryBufferSize);
  for (;;) {
    const long size = ::syscall(SYS_getdents64, directory_fd, buffer.get(), kDirectoryBufferSize);
    if (size < 0) throw_errno("read directory", printable(path));
    if (size == 0) break;
    for (long at = 0; at < size;) {
      const char* record = buffer.get() + at;
      unsigned short length;
      std::memcpy(&length, record + offsetof(struct dirent64, d_reclen), sizeof length);
      const std::string_view name = record + offsetof(struct dirent64, d_name);
      if (name != "." && name != "..") names.emplace_back(name);
      at += length;
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<Status> status_at(int directory_fd, const char* name, std::string_view path) {
  struct statx from;
  if (::statx(directory_fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &from) == 0)
    return to_status(from, path);
  if (vanished(errno)) return std::nullopt;
  throw_errno("read status of", printable(path));
}

Status status_of(int fd, std::string_view path) {
  struct statx from;
  if (::statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &from) != 0)
    throw_errno("read status of", printable(path));
  return to_status(from, path);
}

UniqueFd open_directory_at(int directory_fd, const char* name, std::string_view path) {
  return open_at(directory_fd, name, O_DIRECTORY, path);
}

UniqueFd open_file_at(int directory_fd, const char* name, std::string_view path) {
  return open_at(directory_fd, name, O_NONBLOCK | O_NOCTTY, path);
}

void capture_details(int fd, std::string_view path, Metadata& metadata) {
  int flags = 0;
  if (::ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) {
    if (errno != ENOTTY && errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL)
      throw_errno("read flags of", printable(path));
    flags = 0;
  }
  metadata.flags = static_cast<std::uint32_t>(flags) & kRestorableFlags;
  capture_attributes(Attributes(fd, Attributes::Through::descriptor), path, metadata);
}

void capture_details_at(int directory_fd, const char* name, std::string_view path, Metadata& metadata) {
  const UniqueFd fd(::openat(directory_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!fd && vanished(errno)) throw Error(ErrorCode::not_found, "open " + printable(path) + ": " + errno_text(errno));
  if (!fd) throw_errno("open", printable(path));
  if (status_of(fd.get(), path).metadata.type != metadata.type)
    throw Error(ErrorCode::not_found, "open " + printable(path) + ": something else has its name now");
  metadata.flags = 0;
  if (metadata.type == EntryType::symlink) metadata.link_target = read_link(fd.get(), path);
  capture_attributes(Attributes(fd.get(), Attributes::Through::proc), path, metadata);
}

std::vector<Extent> data_extents(int fd, std::uint64_t size_bytes, std::string_view path) {
  std::vector<Extent> extents;
  std::uint64_t at = 0;
  // The file may shrink or be punched meanwhile: then a seek finds nothing, or nothing further on, and the walk ends.
  while (at < size_bytes) {
    const off_t data = ::lseek(fd, static_cast<off_t>(at), SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    if (data < 0 && errno != EINVAL && errno != EOPNOTSUPP) throw_errno("find the holes of", printable(path));
    const std::uint64_t start = data < 0 ? at : std::max(at, static_cast<std::uint64_t>(data));
    if (start >= size_bytes) break;
    if (data < 0 || extents.size() + 1 == kExtentLimit) {
      extents.push_back({start, size_bytes - start});
      break;
    }
    const off_t hole = ::lseek(fd, static_cast<off_t>(start), SEEK_HOLE);
    if (hole < 0 && errno != ENXIO) throw_errno("find the holes of", printable(path));
    if (hole < 0 || static_cast<std::uint64_t>(hole) <= start) break;
    const std::uint64_t end = std::min(static_cast<std::uint64_t>(hole), size_bytes);
    extents.push_back({start, end - start});
    at = end;
  }
  if (::lseek(fd, 0, SEEK_SET) < 0) throw_errno("rewind", printable(path));
  return extents;
}

}  // namespace qcbak::source
