#include "backup/source/apply.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "backup/source/capture.h"
#include "base/error.h"

namespace qcbak::source {
namespace {

using repository::EntryType;
using repository::ExtendedAttribute;
using repository::Metadata;
using Shortfalls = std::vector<Target::Shortfall>;

constexpr std::string_view kAccessList = "system.posix_acl_access";
constexpr std::string_view kDefaultAccessList = "system.posix_acl_default";
constexpr std::string_view kCompression = "btrfs.compression";

// What security modules put on every new file by their own policy; they do not let it be removed.
bool is_given_by_policy(std::string_view name) {
  return name.starts_with("security.") && name != "security.capability" && name != "security.ima";
}

bool is_access_list(std::string_view name) { return name == kAccessList || name == kDefaultAccessList; }

std::optional<std::uint32_t> read_flags(int fd) {
  int flags = 0;
  if (::ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) return std::nullopt;
  return static_cast<std::uint32_t>(flags);
}

bool write_flags(int fd, std::uint32_t flags) {
  const int value = static_cast<int>(flags);
  return ::ioctl(fd, FS_IOC_SETFLAGS, &value) == 0;
}

// Brings those flags of `mask` to `wanted`. One flag that the file system refuses must not cost the others, so after a
// refusal each is tried alone. Gives the errno of the last refusal, 0 for none.
int change_flags(int fd, std::uint32_t current, std::uint32_t wanted, std::uint32_t mask) {
  const std::uint32_t change = (current ^ wanted) & mask;
  if (change == 0 || write_flags(fd, current ^ change)) return 0;
  int why = 0;
  for (std::uint32_t bit = 1; bit != 0; bit <<= 1) {
    if ((change & bit) == 0) continue;
    if (write_flags(fd, current ^ bit))
      current ^= bit;
    else
      why = errno;
  }
  return why;
}

struct FlagName {
  std::uint32_t flag;
  std::string_view name;
};
constexpr FlagName kFlagNames[] = {
    {FS_SECRM_FL, "secure-deletion"},
    {FS_UNRM_FL, "undeletable"},
    {FS_COMPR_FL, "compressed"},
    {FS_SYNC_FL, "synchronous"},
    {FS_IMMUTABLE_FL, "immutable"},
    {FS_APPEND_FL, "append-only"},
    {FS_NODUMP_FL, "no-dump"},
    {FS_NOATIME_FL, "no-atime"},
    {FS_NOCOMP_FL, "not-compressed"},
    {FS_JOURNAL_DATA_FL, "journal-data"},
    {FS_NOTAIL_FL, "no-tail-merging"},
    {FS_DIRSYNC_FL, "synchronous-directory"},
    {FS_TOPDIR_FL, "top-directory"},
    {FS_NOCOW_FL, "no-copy-on-write"},
    {FS_PROJINHERIT_FL, "project-inherited"},
};

std::string flag_names(std::uint32_t flags) {
  std::string names;
  for (const FlagName& row : kFlagNames)
    if ((flags & row.flag) != 0) names.append(names.empty() ? "" : ", ").append(row.name);
  return names.empty() ? "none" : names;
}

std::string describe_time(std::int64_t seconds, std::uint32_t nanoseconds) {
  return fmt::format("{}.{:09}", seconds, nanoseconds);
}

bool contains(const std::vector<ExtendedAttribute>& attributes, std::string_view name) {
  return std::any_of(attributes.begin(), attributes.end(),
                     [&](const ExtendedAttribute& attribute) { return as_text(attribute.name) == name; });
}

// One inode on its way to `wanted_`. An O_PATH descriptor is refused by the descriptor calls; /proc leads from it to its
// inode, whatever has the name by now, and never through a symbolic link.
class Application {
 public:
  Application(int fd, bool path_only, std::string_view shown_path, const Metadata& wanted)
      : fd_(fd), shown_path_(shown_path), wanted_(wanted) {
    if (path_only) proc_path_ = "/proc/self/fd/" + std::to_string(fd);
  }

  Shortfalls run() && {
    read_status();
    if (now_.type != wanted_.type)
      throw Error(ErrorCode::differs, std::string(shown_path_) + " is not of the type whose metadata it should get");
    unlock();
    set_owner();
    set_flags(kRestorableFlags & ~kProtectingFlags);
    set_attributes();
    set_mode();
    set_access_lists();
    set_times();
    set_flags(kProtectingFlags);
    confirm();
    return std::move(shortfalls_);
  }

 private:
  bool path_only() const { return !proc_path_.empty(); }
  bool is_link() const { return wanted_.type == EntryType::symlink; }

  void miss(std::string what, int errno_value) { shortfalls_.push_back({std::move(what), errno_text(errno_value)}); }

  void read_status() { now_ = status_of(fd_, shown_path_).metadata; }

  // Whatever protects an entry that was there before forbids every step below.
  void unlock() {
    if (!path_only()) current_flags_ = read_flags(fd_);
    if (!current_flags_ || (*current_flags_ & kProtectingFlags) == 0) return;
    if (write_flags(fd_, *current_flags_ & ~kProtectingFlags)) *current_flags_ &= ~kProtectingFlags;
  }

  void set_owner() {
    if (now_.uid == wanted_.uid && now_.gid == wanted_.gid) return;
    if (::fchownat(fd_, "", wanted_.uid, wanted_.gid, AT_EMPTY_PATH) == 0) {
      read_status();
      // To chown(2) the highest id means "leave as it is".
      if (now_.uid != wanted_.uid || now_.gid != wanted_.gid) miss("owner", EINVAL);
      return;
    }
    miss("owner", errno);
    // The group alone may be one that this process is in.
    if (now_.gid != wanted_.gid && ::fchownat(fd_, "", static_cast<uid_t>(-1), wanted_.gid, AT_EMPTY_PATH) == 0)
      read_status();
  }

  // Not the access lists: they and the mode change each other.
  void set_attributes() {
    const auto names = list_names();
    if (names.empty() && wanted_.attributes.empty()) return;
    // An owner who is not root must be able to write the file to set "user.*" on it.
    if (!is_link() && ::geteuid() != 0 && (now_.mode & S_IWUSR) == 0 && chmod(now_.mode | S_IWUSR)) read_status();
    for (const std::string& name : names) {
      const bool unwanted = !contains(wanted_.attributes, name) && !is_given_by_policy(name) && is_kept_attribute(name);
      // An inherited access list goes even if another comes: until then the mode must not open what it names.
      if ((unwanted || name == kAccessList) && remove(name) != 0 && errno != ENODATA) miss_attribute(name, errno);
    }
    for (const ExtendedAttribute& attribute : wanted_.attributes)
      if (!is_access_list(as_text(attribute.name))) set(attribute);
  }

  void set_access_lists() {
    for (const ExtendedAttribute& attribute : wanted_.attributes)
      if (is_access_list(as_text(attribute.name))) set(attribute);
  }

  void set_mode() {
    if (is_link()) return;
    std::uint32_t mode = wanted_.mode & 07777U;
    // A set-id program must not come to act for someone other than whom it acted for.
    if (now_.uid != wanted_.uid) mode &= ~static_cast<std::uint32_t>(S_ISUID);
    if (now_.gid != wanted_.gid && wanted_.type != EntryType::directory) mode &= ~static_cast<std::uint32_t>(S_ISGID);
    if (mode != wanted_.mode) {
      mode_missed_ = true;
      shortfalls_.push_back({"mode", "set-id bits are withheld because the owner could not be set"});
    }
    if (now_.mode != mode && !chmod(mode)) {
      mode_missed_ = true;
      miss("mode", errno);
    }
  }

  void set_times() {
    if (wanted_.mtime_ns > 999'999'999) {
      shortfalls_.push_back({"mtime", "not a time"});
      times_missed_ = true;
      return;
    }
    const struct timespec times[2] = {{0, UTIME_OMIT},
                                      {static_cast<time_t>(wanted_.mtime_s), static_cast<long>(wanted_.mtime_ns)}};
    if (!path_only() ? ::futimens(fd_, times) == 0 : set_times_of_path(times)) return;
    times_missed_ = true;
    miss("mtime", errno);
  }

  // Directly from Linux 5.8 on, so that a rescue system needs no /proc.
  bool set_times_of_path(const struct timespec (&times)[2]) const {
    return ::utimensat(fd_, "", times, AT_EMPTY_PATH) == 0 || ::utimensat(AT_FDCWD, proc_path_.c_str(), times, 0) == 0;
  }

  void set_flags(std::uint32_t mask) {
    if (!current_flags_ || ((*current_flags_ ^ wanted_.flags) & mask) == 0) return;
    if (const int why = change_flags(fd_, *current_flags_, wanted_.flags, mask)) flags_refused_ = why;
    flags_changed_ = true;
    current_flags_ = read_flags(fd_);
  }

  // Some file systems take a call and do less than was asked: times beyond their range, flags that are for empty files
  // only, set-group-id for a group one is not in.
  void confirm() {
    confirm_flags();
    read_status();
    if (!times_missed_ && (now_.mtime_s != wanted_.mtime_s || now_.mtime_ns != wanted_.mtime_ns))
      shortfalls_.push_back(
          {"mtime", "the file system cannot hold " + describe_time(wanted_.mtime_s, wanted_.mtime_ns)});
    if (!is_link() && !mode_missed_ && now_.mode != wanted_.mode)
      shortfalls_.push_back({"mode", fmt::format("it became {:04o}", now_.mode)});
  }

  void confirm_flags() {
    const std::uint32_t missed = (current_flags_.value_or(0) ^ wanted_.flags) & kRestorableFlags;
    if (missed != 0)
      shortfalls_.push_back({"flags " + flag_names(missed), current_flags_ && flags_refused_ != 0
                                                                ? errno_text(flags_refused_)
                                                                : "not taken by the file system"});
    // On btrfs, setting flags on a compressed file sets its algorithm back to the default.
    if (!flags_changed_) return;
    for (const ExtendedAttribute& attribute : wanted_.attributes) {
      if (as_text(attribute.name) != kCompression) continue;
      Bytes now(attribute.value.size());
      const ssize_t size = ::fgetxattr(fd_, kCompression.data(), now.data(), now.size());
      if (size != static_cast<ssize_t>(now.size()) || now != attribute.value) set(attribute);
    }
  }

  void miss_attribute(std::string_view name, int errno_value) { miss("attribute " + printable(name), errno_value); }

  bool chmod(std::uint32_t mode) const {
    if (!path_only()) return ::fchmod(fd_, mode) == 0;
    // fchmodat2(2), from Linux 6.6 on, needs no /proc. The C library does not have it yet.
    constexpr long kFchmodat2 = 452;
    return ::syscall(kFchmodat2, fd_, "", mode, AT_EMPTY_PATH) == 0 || ::chmod(proc_path_.c_str(), mode) == 0;
  }

  int remove(const std::string& name) const {
    return path_only() ? ::removexattr(proc_path_.c_str(), name.c_str()) : ::fremovexattr(fd_, name.c_str());
  }

  void set(const ExtendedAttribute& attribute) {
    const std::string name = to_string(attribute.name);
    if (!is_kept_attribute(name)) return;
    if (name.find('\0') != name.npos) return miss_attribute(name, EINVAL);
    const std::byte* value = attribute.value.data();
    const std::size_t size = attribute.value.size();
    const int result = path_only() ? ::setxattr(proc_path_.c_str(), name.c_str(), value, size, 0)
                                   : ::fsetxattr(fd_, name.c_str(), value, size, 0);
    if (result != 0) miss_attribute(name, errno);
  }

  std::vector<std::string> list_names() {
    // XATTR_LIST_MAX is 64 KiB; most entries have none, and a small buffer serves them.
    std::string buffer(256, '\0');
    const auto list = [&] {
      return path_only() ? ::listxattr(proc_path_.c_str(), buffer.data(), buffer.size())
                         : ::flistxattr(fd_, buffer.data(), buffer.size());
    };
    ssize_t size = list();
    if (size < 0 && errno == ERANGE) {
      buffer.resize(64 * 1024);
      size = list();
    }
    std::vector<std::string> names;
    const bool without_proc = size < 0 && errno == ENOENT && path_only();
    if (without_proc && !wanted_.attributes.empty())
      shortfalls_.push_back({"attributes", "/proc is not mounted"});
    else if (size < 0 && !without_proc && errno != EOPNOTSUPP)
      miss("attributes", errno);
    for (std::size_t at = 0; size > 0 && at < static_cast<std::size_t>(size); at += names.back().size() + 1)
      names.emplace_back(buffer.c_str() + at);
    return names;
  }

  int fd_;
  std::string proc_path_;
  std::string_view shown_path_;
  const Metadata& wanted_;
  Metadata now_;  // all but flags and attributes
  std::optional<std::uint32_t> current_flags_;
  int flags_refused_ = 0;
  bool flags_changed_ = false;
  bool mode_missed_ = false;
  bool times_missed_ = false;
  Shortfalls shortfalls_;
};

std::string_view type_name(EntryType type) {
  switch (type) {
    case EntryType::file: return "file";
    case EntryType::directory: return "directory";
    case EntryType::symlink: return "symbolic link";
    case EntryType::fifo: return "FIFO";
    case EntryType::socket: return "socket";
    case EntryType::char_device: return "character device";
    case EntryType::block_device: return "block device";
  }
  return "unknown";
}

}  // namespace

std::vector<Target::Shortfall> apply_to_descriptor(int fd, std::string_view shown_path, const Metadata& metadata) {
  return Application(fd, false, shown_path, metadata).run();
}

std::vector<Target::Shortfall> apply_to_path(int path_fd, std::string_view shown_path, const Metadata& metadata) {
  return Application(path_fd, true, shown_path, metadata).run();
}

void prepare_for_content(int fd, const Metadata& metadata) {
  if (const auto current = read_flags(fd)) change_flags(fd, *current, metadata.flags, kContentFlags);
  for (const ExtendedAttribute& attribute : metadata.attributes)
    if (as_text(attribute.name) == kCompression)
      // Whether it was taken, apply_metadata() finds when it sets all of them.
      static_cast<void>(::fsetxattr(fd, kCompression.data(), attribute.value.data(), attribute.value.size(), 0));
}

bool clear_protection(int fd) {
  const auto flags = read_flags(fd);
  return flags && (*flags & kProtectingFlags) != 0 && write_flags(fd, *flags & ~kProtectingFlags);
}

std::vector<std::string> describe_differences(const Metadata& actual, const Metadata& expected) {
  std::vector<std::string> differences;
  const auto compare = [&](std::string_view what, std::string is, std::string should) {
    if (is != should) differences.push_back(fmt::format("{} {}, expected {}", what, is, should));
  };
  const auto device = [](std::uint64_t number) { return fmt::format("{}:{}", number >> 32, number & 0xffffffffU); };

  compare("type", std::string(type_name(actual.type)), std::string(type_name(expected.type)));
  if (actual.type != expected.type) return differences;
  if (expected.type == EntryType::file)
    compare("size", std::to_string(actual.size_bytes), std::to_string(expected.size_bytes));
  if (expected.type != EntryType::symlink)
    compare("mode", fmt::format("{:04o}", actual.mode), fmt::format("{:04o}", expected.mode));
  compare("owner", std::to_string(actual.uid), std::to_string(expected.uid));
  compare("group", std::to_string(actual.gid), std::to_string(expected.gid));
  compare("mtime", describe_time(actual.mtime_s, actual.mtime_ns), describe_time(expected.mtime_s, expected.mtime_ns));
  compare("device", device(actual.device), device(expected.device));
  compare("link target", "\"" + printable(actual.link_target) + "\"", "\"" + printable(expected.link_target) + "\"");
  compare("flags", flag_names(actual.flags & kRestorableFlags), flag_names(expected.flags & kRestorableFlags));

  for (const ExtendedAttribute& attribute : expected.attributes) {
    const std::string_view name = as_text(attribute.name);
    if (!is_kept_attribute(name)) continue;
    const auto same_name = [&](const ExtendedAttribute& other) { return other.name == attribute.name; };
    const auto found = std::find_if(actual.attributes.begin(), actual.attributes.end(), same_name);
    if (found == actual.attributes.end())
      differences.push_back("attribute " + printable(name) + " missing");
    else if (found->value != attribute.value)
      differences.push_back("attribute " + printable(name) + " has another value");
  }
  for (const ExtendedAttribute& attribute : actual.attributes) {
    const std::string_view name = as_text(attribute.name);
    if (!contains(expected.attributes, name) && is_kept_attribute(name) && !is_given_by_policy(name))
      differences.push_back("attribute " + printable(name) + " not expected");
  }
  return differences;
}

}  // namespace qcbak::source
