#include "backup/source/target.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "backup/source/apply.h"
#include "backup/source/capture.h"
#include "base/error.h"

namespace qcbak::source {
namespace {

using repository::EntryType;
using repository::Metadata;

// How often a name that keeps coming back is removed before giving up: another process is at work there.
constexpr int kAttempts = 8;

long openat2_beneath(int directory, const char* path, int flags, unsigned mode) {
  struct open_how how = {};
  how.flags = static_cast<std::uint64_t>(static_cast<unsigned>(flags));
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return ::syscall(SYS_openat2, directory, path, &how, sizeof how);
}

bool is_symlink(int directory, const char* name) {
  struct stat status;
  return ::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
}

// The mount, where the kernel tells it (Linux 5.8): it sees bind mounts and is one for all subvolumes of a btrfs.
std::uint64_t file_system_of(int fd, std::string_view shown_path) {
  struct statx status;
  if (::statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_MNT_ID, &status) != 0)
    throw_errno("read status of", shown_path);
  if ((status.stx_mask & STATX_MNT_ID) != 0) return status.stx_mnt_id;
  return std::uint64_t{status.stx_dev_major} << 32 | status.stx_dev_minor;
}

unsigned type_bits(EntryType type) {
  switch (type) {
    case EntryType::fifo: return S_IFIFO;
    case EntryType::socket: return S_IFSOCK;
    case EntryType::char_device: return S_IFCHR;
    case EntryType::block_device: return S_IFBLK;
    case EntryType::file:
    case EntryType::directory:
    case EntryType::symlink: break;
  }
  check(false, "make_special is asked for a FIFO, socket or device");
  return 0;
}

}  // namespace

void check_component(std::string_view name) {
  const std::string_view forbidden("/\0", 2);
  if (name.empty() || name == "." || name == ".." || name.find_first_of(forbidden) != name.npos)
    throw Error(ErrorCode::damaged, "\"" + printable(name) + "\" is not the name of an entry");
}

void check_relative_path(std::string_view path) {
  for (std::size_t at = 0;;) {
    const std::size_t slash = path.find('/', at);
    try {
      check_component(path.substr(at, slash == path.npos ? path.npos : slash - at));
    } catch (Error& error) {
      error.add_context("path \"" + printable(path) + "\"");
      throw;
    }
    if (slash == path.npos) return;
    at = slash + 1;
  }
}

// The last component of a path and the directory that holds it.
struct Target::Place {
  int directory() const { return owned ? owned.get() : root; }
  const char* c_name() const { return name.c_str(); }
  UniqueFd owned;  // O_PATH; none when the target itself is the directory
  int root = -1;
  std::string name;
};

Target::Target(const std::string& directory, Resolution resolution) : path_(directory), resolution_(resolution) {
  const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  root_ = UniqueFd(::open(path_.c_str(), flags));
  if (!root_ && errno == ENOENT) {
    make_directories(path_);
    root_ = UniqueFd(::open(path_.c_str(), flags));
  }
  if (!root_) throw_errno("open", printable(path_));
  if (resolution_ == Resolution::openat2) {
    const UniqueFd probe(static_cast<int>(openat2_beneath(root_.get(), ".", O_PATH | O_CLOEXEC, 0)));
    // EPERM comes from the system call filters of older containers.
    if (!probe && (errno == ENOSYS || errno == EPERM)) resolution_ = Resolution::components;
  }
}

std::string Target::shown(std::string_view path) const {
  return printable(path.empty() ? path_ : path_ + "/" + std::string(path));
}

void Target::fail(std::string_view action, std::string_view path, int errno_value) const {
  const auto message = [&](std::string_view why) {
    return std::string(action) + " " + shown(path) + ": " + std::string(why);
  };
  if (errno_value == ENOENT) throw Error(ErrorCode::not_found, message(errno_text(errno_value)));
  if (errno_value == ELOOP || errno_value == EXDEV)
    throw Error(ErrorCode::refused, message("a symbolic link stands where a directory should, and is not followed"));
  if (errno_value == EISDIR) throw Error(ErrorCode::refused, message("a directory has this name"));
  throw_errno(action, shown(path), errno_value);
}

// Like openat(2): an empty descriptor and errno on failure, ELOOP for any symbolic link on the way.
UniqueFd Target::open_beneath(std::string_view path, int flags, unsigned mode) const {
  flags |= O_NOFOLLOW | O_CLOEXEC;
  if (path.empty()) return UniqueFd(::openat(root_.get(), ".", flags, mode));
  check_relative_path(path);
  if (resolution_ == Resolution::components) return walk(path, flags, mode);
  UniqueFd from;
  std::string_view rest = path;
  // What is no directory may be a symbolic link in the last place; walking there tells.
  const auto failed = [&] { return errno == ENOTDIR ? walk(path, flags, mode) : UniqueFd(); };
  // The kernel takes a longer path only piece by piece.
  while (rest.size() >= PATH_MAX) {
    const std::size_t slash = rest.rfind('/', PATH_MAX - 1);
    if (slash == rest.npos) return walk(path, flags, mode);
    const std::string piece(rest.substr(0, slash));
    constexpr int kWalkFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    UniqueFd next(static_cast<int>(openat2_beneath(from ? from.get() : root_.get(), piece.c_str(), kWalkFlags, 0)));
    if (!next) return failed();
    from = std::move(next);
    rest.remove_prefix(slash + 1);
  }
  const std::string last(rest);
  UniqueFd fd(static_cast<int>(openat2_beneath(from ? from.get() : root_.get(), last.c_str(), flags, mode)));
  return fd ? std::move(fd) : failed();
}

UniqueFd Target::walk(std::string_view path, int flags, unsigned mode) const {
  UniqueFd directory;
  for (;;) {
    const int from = directory ? directory.get() : root_.get();
    const std::size_t slash = path.find('/');
    const std::string name(path.substr(0, slash));
    const bool last = slash == path.npos;
    UniqueFd next(last ? ::openat(from, name.c_str(), flags, mode)
                       : ::openat(from, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next && errno == ENOTDIR) errno = is_symlink(from, name.c_str()) ? ELOOP : ENOTDIR;
    if (last || !next) return next;
    directory = std::move(next);
    path.remove_prefix(slash + 1);
  }
}

Target::Place Target::place_of(std::string_view path) const {
  check_relative_path(path);
  Place place;
  place.root = root_.get();
  const std::size_t slash = path.rfind('/');
  place.name = path.substr(slash == path.npos ? 0 : slash + 1);
  if (slash != path.npos) {
    place.owned = open_beneath(path.substr(0, slash), O_PATH | O_DIRECTORY);
    if (!place.owned) fail("open directory", path.substr(0, slash), errno);
  }
  return place;
}

// Clears the flags that forbid to unlink, rename or write the entry; says whether there were any.
bool Target::unprotect(const Place& place) const {
  struct stat status;
  if (::fstatat(place.directory(), place.c_name(), &status, AT_SYMLINK_NOFOLLOW) != 0) return false;
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return false;
  const UniqueFd fd(
      ::openat(place.directory(), place.c_name(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  return fd && clear_protection(fd.get());
}

// The same for the directory that holds it. The target itself is not touched: its flags are its owner's will, and no
// snapshot need hold them.
bool Target::unprotect_directory(const Place& place) const {
  if (!place.owned) return false;
  const UniqueFd fd(::openat(place.directory(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd && clear_protection(fd.get());
}

// False when it is a directory.
bool Target::unlink(const Place& place, std::string_view path) const {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (::unlinkat(place.directory(), place.c_name(), 0) == 0 || errno == ENOENT) return true;
    const int why = errno;
    if (why == EISDIR) return false;
    if (why != EPERM || (!unprotect(place) && !unprotect_directory(place))) fail("remove", path, why);
  }
  fail("remove", path, EPERM);
}

// Runs `make(place)`, which gives 0 or an errno, until it finds the name free.
template <class Make>
void Target::make(std::string_view path, std::string_view action, Make make) {
  const Place place = place_of(path);
  for (int attempt = 0;; ++attempt) {
    const int why = make(place);
    if (why == 0) return;
    if (attempt == kAttempts) fail(action, path, why);
    if (why == EEXIST ? !unlink(place, path) : why != EPERM || !unprotect_directory(place))
      fail(action, path, why == EEXIST ? EISDIR : why);
  }
}

UniqueFd Target::open_directory(std::string_view path) const {
  UniqueFd fd = open_beneath(path, O_RDONLY | O_DIRECTORY);
  if (!fd) fail("open directory", path, errno);
  return fd;
}

bool Target::make_directory(std::string_view path) {
  bool made = false;
  make(path, "create directory", [&](const Place& place) {
    made = ::mkdirat(place.directory(), place.c_name(), 0700) == 0;
    if (made) return 0;
    const int why = errno;
    struct stat status;
    const bool there = why == EEXIST &&
                       ::fstatat(place.directory(), place.c_name(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                       S_ISDIR(status.st_mode);
    return there ? 0 : why;
  });
  return made;
}

namespace {

// An existing file that may be written in place, or nothing. Its type is looked at before it is opened, because opening
// a device acts on it.
UniqueFd reusable_file(int directory, const char* name) {
  struct stat status;
  const auto fits = [&] { return S_ISREG(status.st_mode) && status.st_nlink == 1; };
  if (::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !fits()) return UniqueFd();
  UniqueFd fd(::openat(directory, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd || ::fstat(fd.get(), &status) != 0 || !fits()) return UniqueFd();
  const bool open_to_others = (status.st_mode & 07777U) != 0600;
  if (open_to_others && ::fchmod(fd.get(), 0600) != 0) return UniqueFd();
  return fd;
}

}  // namespace

UniqueFd Target::create_file(std::string_view path, Existing existing) {
  for (int attempt = 0;; ++attempt) {
    UniqueFd fd = open_beneath(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd) return fd;
    const int why = errno;
    if (attempt == kAttempts || (why != EEXIST && why != EPERM)) fail("create", path, why);
    const Place place = place_of(path);
    if (why == EPERM) {
      if (!unprotect_directory(place)) fail("create", path, why);
      continue;
    }
    if (existing == Existing::reuse) {
      fd = reusable_file(place.directory(), place.c_name());
      if (!fd && errno == EPERM && unprotect(place)) fd = reusable_file(place.directory(), place.c_name());
      if (fd) return fd;
    }
    if (!unlink(place, path)) fail("create", path, EISDIR);
  }
}

void Target::prepare_content(int fd, const Metadata& metadata) { prepare_for_content(fd, metadata); }

UniqueFd Target::open_existing_file(std::string_view path) const {
  const Place place = place_of(path);
  const auto require_file = [&](int result, const struct stat& status) {
    if (result != 0) fail("open", path, errno);
    if (!S_ISREG(status.st_mode)) throw Error(ErrorCode::differs, shown(path) + " is not a regular file");
  };
  struct stat status;
  // Before the opening too: opening a device acts on it.
  require_file(::fstatat(place.directory(), place.c_name(), &status, AT_SYMLINK_NOFOLLOW), status);
  UniqueFd fd(::openat(place.directory(), place.c_name(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd) fail("open", path, errno);
  require_file(::fstat(fd.get(), &status), status);
  return fd;
}

void Target::make_symlink(std::string_view path, ByteView target) {
  const std::string text = to_string(target);
  if (text.empty() || text.find('\0') != text.npos)
    throw Error(ErrorCode::damaged, shown(path) + ": \"" + printable(text) + "\" is not the target of a link");
  make(path, "create link", [&](const Place& place) {
    return ::symlinkat(text.c_str(), place.directory(), place.c_name()) == 0 ? 0 : errno;
  });
}

void Target::make_special(std::string_view path, const Metadata& metadata) {
  const unsigned mode = type_bits(metadata.type) | 0600U;
  const dev_t device = makedev(static_cast<unsigned>(metadata.device >> 32), static_cast<unsigned>(metadata.device));
  make(path, "create",
       [&](const Place& place) { return ::mknodat(place.directory(), place.c_name(), mode, device) == 0 ? 0 : errno; });
}

void Target::make_hard_link(std::string_view path, std::string_view existing) {
  const Place from = place_of(existing);
  make(path, "link", [&](const Place& place) {
    if (::linkat(from.directory(), from.c_name(), place.directory(), place.c_name(), 0) == 0) return 0;
    const int why = errno;
    struct stat a, b;
    const bool same = why == EEXIST && ::fstatat(from.directory(), from.c_name(), &a, AT_SYMLINK_NOFOLLOW) == 0 &&
                      ::fstatat(place.directory(), place.c_name(), &b, AT_SYMLINK_NOFOLLOW) == 0 &&
                      a.st_dev == b.st_dev && a.st_ino == b.st_ino;
    return same ? 0 : why;
  });
}

void Target::remove_tree(std::string_view path) {
  try {
    const Place place = place_of(path);
    struct stat status;
    if (::fstatat(place.directory(), place.c_name(), &status, AT_SYMLINK_NOFOLLOW) != 0) fail("remove", path, errno);
    if (S_ISDIR(status.st_mode))
      empty_directories(path, file_system_of(place.directory(), shown(path)));
    else if (!unlink(place, path))
      fail("remove", path, EISDIR);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
  }
}

// Removes the directory and all below it. Each is opened anew by its path, so that depth costs neither descriptors nor
// stack: first its other entries go, then the directories in it, then, met again, it itself.
void Target::empty_directories(std::string_view path, std::uint64_t file_system) {
  struct Pending {
    std::string path;
    int visits = 0;
  };
  std::vector<Pending> pending;
  pending.push_back({std::string(path)});
  while (!pending.empty()) {
    const std::string current = pending.back().path;
    if (pending.back().visits++ == kAttempts) fail("remove", current, ENOTEMPTY);
    UniqueFd fd = open_beneath(current, O_RDONLY | O_DIRECTORY);
    if (!fd) fail("remove", current, errno);
    if (file_system_of(fd.get(), shown(current)) != file_system)
      throw Error(ErrorCode::refused, "remove " + shown(current) + ": another file system is mounted there");
    const std::size_t before = pending.size();
    Place inside;
    inside.owned = std::move(fd);
    for (std::string& name : list_directory(inside.directory(), shown(current))) {
      inside.name = std::move(name);
      const std::string below = current + "/" + inside.name;
      if (!unlink(inside, below)) pending.push_back({below});
    }
    if (pending.size() > before) continue;
    const Place place = place_of(current);
    if (::unlinkat(place.directory(), place.c_name(), AT_REMOVEDIR) == 0) {
      pending.pop_back();
      continue;
    }
    const int why = errno;
    const bool again = why == ENOTEMPTY || (why == EPERM && (unprotect(place) || unprotect_directory(place)));
    if (!again) fail("remove", current, why);
  }
}

namespace {

bool is_opened(EntryType type) { return type == EntryType::file || type == EntryType::directory; }

}  // namespace

std::vector<Target::Shortfall> Target::apply_metadata(std::string_view path, const Metadata& metadata) {
  // Looked at through O_PATH first: a wrong type must not be opened, and for what is not opened it is all that is needed.
  const UniqueFd entry = open_beneath(path, O_PATH);
  if (!entry) fail("set metadata of", path, errno);
  if (status_of(entry.get(), shown(path)).metadata.type != metadata.type)
    throw Error(ErrorCode::differs, shown(path) + " is not of the type whose metadata it should get");
  if (!is_opened(metadata.type)) return apply_to_path(entry.get(), shown(path), metadata);
  const UniqueFd fd = open_beneath(path, O_RDONLY | O_NONBLOCK);
  // Its owner may be denied to read it, and still set all but the flags.
  if (!fd && errno == EACCES) return apply_to_path(entry.get(), shown(path), metadata);
  if (!fd) fail("set metadata of", path, errno);
  return apply_metadata(fd.get(), path, metadata);
}

std::vector<Target::Shortfall> Target::apply_metadata(int fd, std::string_view path, const Metadata& metadata) {
  return apply_to_descriptor(fd, shown(path), metadata);
}

std::vector<std::string> Target::compare_metadata(std::string_view path, const Metadata& expected) const {
  const UniqueFd entry = open_beneath(path, O_PATH);
  if (!entry && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) return {"missing"};
  if (!entry) fail("compare", path, errno);
  Metadata actual = status_of(entry.get(), shown(path)).metadata;
  if (actual.type != expected.type) return describe_differences(actual, expected);
  if (is_opened(actual.type)) {
    UniqueFd fd = open_beneath(path, O_RDONLY | O_NONBLOCK | O_NOATIME);
    if (!fd && errno == EPERM) fd = open_beneath(path, O_RDONLY | O_NONBLOCK);
    if (!fd) fail("compare", path, errno);
    capture_details(fd.get(), shown(path), actual);
  } else {
    const Place place = place_of(path);
    try {
      capture_details_at(place.directory(), place.c_name(), shown(path), actual);
    } catch (const Error& error) {
      // A rescue system may have no /proc. An entry made there has no attributes unless somebody gave it some.
      if (error.code() != ErrorCode::unsupported || !expected.attributes.empty()) throw;
      actual.attributes.clear();
    }
  }
  return describe_differences(actual, expected);
}

}  // namespace qcbak::source
