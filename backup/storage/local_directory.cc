#include "backup/storage/local_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <iterator>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/guarded.h"
#include "base/unique_fd.h"

namespace qcbak::storage {
namespace {

constexpr mode_t kFileMode = 0400;
constexpr mode_t kDirectoryMode = 0700;
constexpr const char* kTemporaryFolder = "tmp";
constexpr const char* kLockFile = "lock";
constexpr std::size_t kDirectFrom = 1U << 20;
constexpr std::size_t kDirectBlock = 4096;

// How much of `bytes` was written: less than all where the file system refuses to go on without its cache.
std::size_t write_direct(int fd, ByteView bytes, std::string_view object) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EINVAL) break;
    if (n < 0) throw_errno("write", object);
    done += static_cast<std::size_t>(n);
    if (done % kDirectBlock != 0) break;
  }
  return done;
}

// "packs/ab/abcd" is "packs/ab" and "abcd"; the folder of a name without '/' is ".".
struct Place {
  std::string folder;
  std::string last;
};
Place place_of(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  if (slash == std::string_view::npos) return {".", std::string(name)};
  return {std::string(name.substr(0, slash)), std::string(name.substr(slash + 1))};
}

std::string parent_path(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

// openat() that follows no symbolic link anywhere in `path`.
UniqueFd open_below(int directory, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_NO_SYMLINKS;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how)));
}

// What open says of a path at which no object is: nothing there, a file for a folder, a symbolic link, a socket.
bool is_absence(int errno_value) {
  return errno_value == ENOENT || errno_value == ENOTDIR || errno_value == ELOOP || errno_value == ENXIO;
}

bool proc_is_mounted() { return ::access("/proc/self/fd", X_OK) == 0; }

// A file in tmp/, whose name there goes when this goes.
class NamedTemporary {
 public:
  NamedTemporary(int folder, std::string name, UniqueFd fd)
      : folder_(folder), name_(std::move(name)), fd_(std::move(fd)) {}
  NamedTemporary(const NamedTemporary&) = delete;
  NamedTemporary& operator=(const NamedTemporary&) = delete;
  ~NamedTemporary() {
    if (!name_.empty()) ::unlinkat(folder_, name_.c_str(), 0);  // what stays is for remove_leftovers()
  }
  void renamed() { name_.clear(); }  // the old name may be another process's by now

  int fd() const { return fd_.get(); }
  const char* name() const { return name_.c_str(); }

 private:
  int folder_;
  std::string name_;
  UniqueFd fd_;
};

class FileLock final : public Storage::WriterLock {
 public:
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
  // Not by close() alone: a child that was forked and has not yet called exec() would keep the lock.
  ~FileLock() override { ::flock(fd_.get(), LOCK_UN); }
  int descriptor() const override { return fd_.get(); }

 private:
  UniqueFd fd_;
};

class LocalDirectory final : public Storage {
 public:
  LocalDirectory(std::string path, UniqueFd root, TemporaryFiles temporary)
      : path_(std::move(path)), root_(std::move(root)), temporary_(temporary) {}

  std::optional<Bytes> get(std::string_view name, std::uint64_t limit_bytes) const override;
  std::optional<std::size_t> get_range(std::string_view name, std::uint64_t offset,
                                       MutableByteView into) const override;
  std::optional<std::uint64_t> size(std::string_view name) const override;
  std::vector<ObjectInfo> list(std::string_view prefix) const override;
  std::string description() const override { return printable(path_); }

  PutResult put(std::string_view name, ByteView bytes) override;
  void replace(std::string_view name, ByteView bytes) override;
  void remove(std::string_view name) override;
  void remove_leftovers() override;
  std::unique_ptr<WriterLock> try_lock() override;
  std::optional<std::uint64_t> free_bytes() const override;

 private:
  struct OpenObject {
    UniqueFd fd;
    std::uint64_t size_bytes;
  };
  // For messages.
  std::string at(std::string_view name) const { return printable(path_ + "/" + std::string(name)); }
  std::optional<OpenObject> open_object(std::string_view name) const;
  // All names in the open folder called `name`.
  std::vector<std::string> entries(int folder, const std::string& name) const;
  // visit(open folder, its name, the objects in it that start with prefix) for the folder `from` and then those below
  // it where such objects can be.
  template <class Visit>
  void walk(const std::string& from, std::string_view prefix, Visit&& visit) const;
  // A folder to read; nothing when there is none.
  UniqueFd open_folder(const std::string& folder) const;
  // A folder to put into, made if missing, itself durable.
  UniqueFd make_folder(const std::string& folder);
  void make_folder_durable(const std::string& folder);
  UniqueFd open_temporary_folder();
  NamedTemporary create_named_temporary(int folder);
  bool is_object(int folder, const Place& place) const;
  void write_durably(int fd, ByteView bytes, std::string_view name);
  void flush(int result, std::string_view object);
  void refuse_if_in_doubt() const;

  const std::string path_;
  const UniqueFd root_;
  const TemporaryFiles temporary_;
  std::atomic<bool> in_doubt_ = false;  // a flush failed
  std::atomic<std::uint64_t> temporaries_made_ = 0;
  Guarded<std::set<std::string>> durable_folders_;
};

std::optional<LocalDirectory::OpenObject> LocalDirectory::open_object(std::string_view name) const {
  check_object_name(name);
  // O_NONBLOCK: a foreign FIFO must not hang us; it means nothing for a regular file.
  UniqueFd fd = open_below(root_.get(), std::string(name), O_RDONLY | O_NONBLOCK);
  if (!fd) {
    if (is_absence(errno)) return std::nullopt;
    throw_errno("open", at(name));
  }
  struct stat status;
  if (::fstat(fd.get(), &status) != 0) throw_errno("stat", at(name));
  if (!S_ISREG(status.st_mode)) return std::nullopt;
  return OpenObject{std::move(fd), static_cast<std::uint64_t>(status.st_size)};
}

std::optional<Bytes> LocalDirectory::get(std::string_view name, std::uint64_t limit_bytes) const {
  const std::optional<OpenObject> object = open_object(name);
  if (!object) return std::nullopt;
  if (object->size_bytes > limit_bytes)
    throw Error(ErrorCode::damaged, at(name) + " has " + std::to_string(object->size_bytes) + " bytes, more than the " +
                                        std::to_string(limit_bytes) + " it may have");
  Bytes bytes(object->size_bytes);
  bytes.resize(pread_full(object->fd.get(), bytes, 0, at(name)));
  return bytes;
}

std::optional<std::size_t> LocalDirectory::get_range(std::string_view name, std::uint64_t offset,
                                                     MutableByteView into) const {
  const std::optional<OpenObject> object = open_object(name);
  if (!object) return std::nullopt;
  if (offset >= object->size_bytes) return 0;  // also what is beyond off_t
  return pread_full(object->fd.get(), into, offset, at(name));
}

std::optional<std::uint64_t> LocalDirectory::size(std::string_view name) const {
  const std::optional<OpenObject> object = open_object(name);
  if (!object) return std::nullopt;
  return object->size_bytes;
}

std::vector<std::string> LocalDirectory::entries(int folder, const std::string& name) const {
  UniqueFd fd(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) throw_errno("open directory", at(name));
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd.get()), ::closedir);
  if (!stream) throw_errno("read directory", at(name));
  fd.release();  // closed by closedir() now
  std::vector<std::string> found;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (!entry && errno != 0) throw_errno("read directory", at(name));
    if (!entry) return found;
    found.emplace_back(entry->d_name);
  }
}

template <class Visit>
void LocalDirectory::walk(const std::string& from, std::string_view prefix, Visit&& visit) const {
  std::vector<std::string> folders = {from};
  while (!folders.empty()) {
    const std::string folder = std::move(folders.back());
    folders.pop_back();
    const UniqueFd fd = open_folder(folder);
    if (!fd) continue;
    const std::string start = folder == "." ? "" : folder + "/";
    std::vector<ObjectInfo> objects;
    for (const std::string& entry : entries(fd.get(), folder)) {
      std::string name = start;
      name += entry;
      if (!is_object_name(name)) continue;
      struct stat status;
      if (::fstatat(fd.get(), entry.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) continue;  // removed since
        throw_errno("stat", at(name));
      }
      if (S_ISREG(status.st_mode) && name.starts_with(prefix))
        objects.push_back({std::move(name), static_cast<std::uint64_t>(status.st_size)});
      else if (S_ISDIR(status.st_mode) && (name + "/").starts_with(prefix))
        folders.push_back(std::move(name));
    }
    visit(fd.get(), folder, std::move(objects));
  }
}

std::vector<ObjectInfo> LocalDirectory::list(std::string_view prefix) const {
  check_object_prefix(prefix);
  std::vector<ObjectInfo> found;
  walk(place_of(prefix).folder, prefix, [&](int, const std::string&, std::vector<ObjectInfo> objects) {
    std::move(objects.begin(), objects.end(), std::back_inserter(found));
  });
  std::sort(found.begin(), found.end(), [](const ObjectInfo& a, const ObjectInfo& b) { return a.name < b.name; });
  return found;
}

UniqueFd LocalDirectory::open_folder(const std::string& folder) const {
  UniqueFd fd = open_below(root_.get(), folder, O_RDONLY | O_DIRECTORY);
  if (!fd && !is_absence(errno)) throw_errno("open directory", at(folder));
  return fd;
}

UniqueFd LocalDirectory::make_folder(const std::string& folder) {
  if (folder != ".") make_folder_durable(folder);
  UniqueFd fd = open_below(root_.get(), folder, O_RDONLY | O_DIRECTORY);
  if (!fd) throw_errno("open directory", at(folder));
  return fd;
}

void LocalDirectory::make_folder_durable(const std::string& folder) {
  if (durable_folders_.lock()->contains(folder)) return;
  const Place place = place_of(folder);
  const UniqueFd parent = make_folder(place.folder);
  if (::mkdirat(parent.get(), place.last.c_str(), kDirectoryMode) != 0 && errno != EEXIST)
    throw_errno("create directory", at(folder));
  // Also one that was there: whoever made it may have died before this.
  flush(::fsync(parent.get()), at(place.folder));
  durable_folders_.lock()->insert(folder);
}

bool LocalDirectory::is_object(int folder, const Place& place) const {
  struct stat status;
  if (::fstatat(folder, place.last.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return false;
    throw_errno("stat", at(place.folder + "/" + place.last));
  }
  if (!S_ISREG(status.st_mode))
    throw Error(ErrorCode::io, at(place.folder + "/" + place.last) + " is in the way: it is not a file");
  return true;
}

PutResult LocalDirectory::put(std::string_view name, ByteView bytes) {
  check_object_name(name);
  refuse_if_in_doubt();
  const Place place = place_of(name);
  const UniqueFd folder = make_folder(place.folder);
  PutResult result = PutResult::exists;
  if (!is_object(folder.get(), place)) {
    UniqueFd unnamed;
    if (temporary_ == TemporaryFiles::unnamed_where_possible && proc_is_mounted()) {
      // In the folder itself, so that linking never crosses a mount.
      unnamed = UniqueFd(::openat(folder.get(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, kFileMode));
      // EISDIR: a kernel that does not know the flag; EINVAL: a network filesystem that does not.
      if (!unnamed && errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) throw_errno("create", at(name));
    }
    int linked = -1;
    if (unnamed) {
      write_durably(unnamed.get(), bytes, name);
      const std::string source = "/proc/self/fd/" + std::to_string(unnamed.get());
      linked = ::linkat(AT_FDCWD, source.c_str(), folder.get(), place.last.c_str(), AT_SYMLINK_FOLLOW);
    } else {
      const UniqueFd temporary_folder = open_temporary_folder();
      const NamedTemporary file = create_named_temporary(temporary_folder.get());
      write_durably(file.fd(), bytes, name);
      linked = ::linkat(temporary_folder.get(), file.name(), folder.get(), place.last.c_str(), 0);
    }
    if (linked == 0)
      result = PutResult::stored;
    else if (errno != EEXIST || !is_object(folder.get(), place))
      throw_errno("link", at(name));
  }
  flush(::fsync(folder.get()), at(place.folder));
  return result;
}

void LocalDirectory::replace(std::string_view name, ByteView bytes) {
  check_object_name(name);
  refuse_if_in_doubt();
  const Place place = place_of(name);
  const UniqueFd folder = make_folder(place.folder);
  const UniqueFd temporary_folder = open_temporary_folder();
  NamedTemporary file = create_named_temporary(temporary_folder.get());
  write_durably(file.fd(), bytes, name);
  if (::renameat(temporary_folder.get(), file.name(), folder.get(), place.last.c_str()) != 0)
    throw_errno("rename to", at(name));
  file.renamed();
  flush(::fsync(folder.get()), at(place.folder));
}

void LocalDirectory::remove(std::string_view name) {
  check_object_name(name);
  refuse_if_in_doubt();
  const Place place = place_of(name);
  const UniqueFd folder = open_folder(place.folder);
  if (!folder) return;
  // EISDIR: a folder has that name, so no object has.
  if (::unlinkat(folder.get(), place.last.c_str(), 0) != 0 && errno != ENOENT && errno != EISDIR)
    throw_errno("remove", at(name));
  flush(::fsync(folder.get()), at(place.folder));
}

void LocalDirectory::remove_leftovers() {
  refuse_if_in_doubt();
  if (const UniqueFd folder = open_folder(kTemporaryFolder))
    for (const std::string& entry : entries(folder.get(), kTemporaryFolder))
      if (::unlinkat(folder.get(), entry.c_str(), 0) != 0 && errno != ENOENT && errno != EISDIR)
        throw_errno("remove", at(kTemporaryFolder + ("/" + entry)));
  walk(".", "", [&](int folder, const std::string& name, const std::vector<ObjectInfo>&) {
    flush(::fsync(folder), at(name));
    durable_folders_.lock()->insert(name);
  });
}

std::unique_ptr<Storage::WriterLock> LocalDirectory::try_lock() {
  refuse_if_in_doubt();
  UniqueFd fd(::openat(root_.get(), kLockFile, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) throw_errno("open", at(kLockFile));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return nullptr;
    throw_errno("lock", at(kLockFile));
  }
  return std::make_unique<FileLock>(std::move(fd));
}

std::optional<std::uint64_t> LocalDirectory::free_bytes() const {
  struct statvfs status;
  if (::fstatvfs(root_.get(), &status) != 0) throw_errno("stat filesystem of", printable(path_));
  return std::uint64_t(status.f_bavail) * status.f_frsize;
}

UniqueFd LocalDirectory::open_temporary_folder() {
  if (::mkdirat(root_.get(), kTemporaryFolder, kDirectoryMode) != 0 && errno != EEXIST)
    throw_errno("create directory", at(kTemporaryFolder));
  UniqueFd fd = open_below(root_.get(), kTemporaryFolder, O_RDONLY | O_DIRECTORY);
  if (!fd) throw_errno("open directory", at(kTemporaryFolder));
  return fd;
}

NamedTemporary LocalDirectory::create_named_temporary(int folder) {
  // Leftovers of an earlier process of our number, and other handles of this process, take some of the names.
  constexpr int kAttemptLimit = 100'000;
  for (int attempt = 0;; ++attempt) {
    std::string name = std::to_string(::getpid()) + "-" + std::to_string(temporaries_made_++);
    UniqueFd fd(::openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode));
    if (fd) return {folder, std::move(name), std::move(fd)};
    if (errno != EEXIST || attempt == kAttemptLimit) throw_errno("create", at(kTemporaryFolder + ("/" + name)));
  }
}

void LocalDirectory::write_durably(int fd, ByteView bytes, std::string_view name) {
  // Packs go around the page cache where the file system lets them: nobody reads them soon, and the copy costs as much
  // as compressing (docs/performance.md). What is left over after whole blocks takes the ordinary way.
  if (bytes.size() >= kDirectFrom && reinterpret_cast<std::uintptr_t>(bytes.data()) % kDirectBlock == 0) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags >= 0 && ::fcntl(fd, F_SETFL, flags | O_DIRECT) == 0) {
      bytes = bytes.subspan(write_direct(fd, bytes.first(bytes.size() / kDirectBlock * kDirectBlock), at(name)));
      if (::fcntl(fd, F_SETFL, flags) != 0) throw_errno("write", at(name));
    }
  }
  write_full(fd, bytes, at(name));
  flush(::fdatasync(fd), at(name));
}

void LocalDirectory::flush(int result, std::string_view object) {
  if (result == 0) return;
  const int errno_value = errno;
  in_doubt_ = true;
  throw_errno("flush", object, errno_value);
}

void LocalDirectory::refuse_if_in_doubt() const {
  if (in_doubt_)
    throw Error(ErrorCode::io, printable(path_) + ": an earlier flush failed; what was written since is in doubt");
}

UniqueFd open_root(const std::string& path) {
  UniqueFd root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (root) return root;
  if (errno == ENOENT || errno == ENOTDIR)
    throw Error(ErrorCode::no_repository, "no repository at " + printable(path) + ": " +
                                              (errno == ENOENT ? "directory does not exist" : "not a directory"));
  throw_errno("open directory", printable(path));
}

}  // namespace

std::unique_ptr<Storage> open_local_directory(const std::string& path, TemporaryFiles temporary) {
  return std::make_unique<LocalDirectory>(path, open_root(path), temporary);
}

std::unique_ptr<Storage> create_local_directory(const std::string& path, TemporaryFiles temporary) {
  for (std::size_t end = 1; end <= path.size(); ++end) {
    if (end < path.size() && path[end] != '/') continue;
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), kDirectoryMode) != 0) {
      if (errno == EEXIST) continue;
      throw_errno("create directory", printable(part));
    }
    const std::string parent = parent_path(part);
    const UniqueFd fd(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) throw_errno("open directory", printable(parent));
    if (::fsync(fd.get()) != 0) throw_errno("flush", printable(parent));
  }
  return open_local_directory(path, temporary);
}

}  // namespace qcbak::storage
