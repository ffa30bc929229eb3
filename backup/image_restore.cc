#include "backup/image_restore.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "backup/browse.h"
#include "backup/image_extents.h"
#include "backup/source/device_use.h"
#include "base/error.h"

namespace qcbak {
namespace {

using repository::ChunkType;
using repository::Entry;
using repository::EntryType;
using repository::Part;

constexpr std::size_t kStep = 1U << 20;

// A device, for itself alone, or a file.
class ImageTarget {
 public:
  explicit ImageTarget(const std::string& path) : path_(path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) throw_errno("read the state of", path);
    device_ = S_ISBLK(status.st_mode);
    const std::string device = device_ ? path : source::loop_device_over(status);
    if (!device.empty()) require_alone(device);
    if (!device_) fd_ = UniqueFd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd_) throw_errno("open", path);
  }
  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }
  bool is_device() const { return device_; }

  void make_room(std::uint64_t size_bytes) {
    struct stat status {};
    if (::fstat(fd(), &status) != 0) throw_errno("read the state of", path_);
    const std::uint64_t there = device_ ? source::device_size(fd(), path_) : static_cast<std::uint64_t>(status.st_size);
    if (there >= size_bytes) return;
    if (device_)
      throw Error(ErrorCode::usage, printable(path_) + " has " + std::to_string(there) + " bytes, and the image " +
                                        std::to_string(size_bytes))
          .with_hint("a device of that size or larger is needed");
    if (::ftruncate(fd(), static_cast<off_t>(size_bytes)) != 0) throw_errno("resize", path_);
  }
  void write(ByteView bytes, std::uint64_t offset) { pwrite_full(fd(), bytes, offset, path_); }
  void flush() {
    if (::fsync(fd()) != 0) throw_errno("flush", path_);
  }
  // So that what is read next comes from the medium. Advice: where it is not taken, the cache is read.
  bool forget_cached() {
    return device_ ? ::ioctl(fd(), BLKFLSBUF) == 0 : ::posix_fadvise(fd(), 0, 0, POSIX_FADV_DONTNEED) == 0;
  }

 private:
  void require_alone(const std::string& device) {
    struct stat status {};
    if (::stat(device.c_str(), &status) != 0) throw_errno("read the state of", device);
    UniqueFd alone = source::open_exclusively(device, O_RDWR);
    if (!alone)
      throw Error(ErrorCode::refused,
                  printable(path_) + " is not written to: " + printable(source::use_of(status.st_rdev).by))
          .with_hint("unmount it, or choose another target");
    (device_ ? fd_ : loop_) = std::move(alone);
  }

  std::string path_;
  UniqueFd fd_;
  UniqueFd loop_;  // over the file: held, so that nobody mounts it meanwhile
  bool device_ = false;
};

class ImageRestorer {
 public:
  ImageRestorer(const repository::Repository& repository, const repository::DomainKeys& domain, SnapshotTree& tree,
                const RestoreOptions& options, Progress& progress, const std::stop_token& stop)
      : tree_(tree),
        options_(options),
        progress_(progress),
        stop_(stop),
        reader_(repository, domain),
        target_(options.target),
        buffer_(repository::kChunkLimit) {
    for (const repository::EpochKeys& epoch : domain.epochs) namers_.emplace_back(epoch.id_key);
  }

  RestoreResult run(const Entry& entry) {
    target_.make_room(entry.metadata.size_bytes);
    std::uint64_t offset = 0;
    for (const Part& part : tree_.parts(entry)) {
      if (stop_.stop_requested())
        throw Error(ErrorCode::interrupted, "the restore was stopped: the target is not complete");
      if (part.chunk)
        put_data(part, offset);
      else
        put_zeros(offset, part.length);
      offset += part.length;
      progress_.done_bytes += part.length;
    }
    target_.flush();
    result_.files = 1;
    result_.bytes = entry.metadata.size_bytes;
    if (options_.verify == RestoreOptions::Verify::yes) read_back(entry);
    return std::move(result_);
  }

 private:
  MutableByteView read(std::uint64_t offset, std::uint64_t length) {
    const MutableByteView bytes = buffer_.span().first(length);
    if (pread_full(target_.fd(), bytes, offset, target_.path()) != length)
      throw Error(ErrorCode::io, printable(target_.path()) + " ended before its end");
    return bytes;
  }

  bool holds(const Part& part, std::uint64_t offset) {
    const crypto::Sha256 hash = crypto::sha256(read(offset, part.length));
    return std::any_of(namers_.begin(), namers_.end(), [&](const repository::ChunkNamer& namer) {
      return namer.name(ChunkType::data, hash) == *part.chunk;
    });
  }

  void put_data(const Part& part, std::uint64_t offset) {
    if (part.length > buffer_.capacity()) throw Error(ErrorCode::damaged, "a chunk is longer than chunks are");
    if (options_.overwrite != RestoreOptions::Overwrite::always && holds(part, offset)) return;
    try {
      const Bytes content = reader_.load(ChunkType::data, *part.chunk);
      if (content.size() != part.length) throw Error(ErrorCode::damaged, "a chunk is not of the length the tree gives");
      target_.write(content, offset);
      result_.bytes_written += content.size();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::damaged) throw;
      add_finding(
          "bytes " + std::to_string(offset) + " to " + std::to_string(offset + part.length) + ": " + error.what(),
          RestoreFinding::Kind::damaged);
    }
  }

  // What is zero already stays: a device that knows holes keeps them, and a medium is not worn.
  void put_zeros(std::uint64_t offset, std::uint64_t length) {
    if (!target_.is_device() && ::fallocate(target_.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                            static_cast<off_t>(offset), static_cast<off_t>(length)) == 0)
      return;
    while (length > 0) {
      if (stop_.stop_requested())
        throw Error(ErrorCode::interrupted, "the restore was stopped: the target is not complete");
      const std::uint64_t some = std::min<std::uint64_t>(length, kStep);
      const MutableByteView there = read(offset, some);
      if (!all_zero(there)) {
        std::memset(there.data(), 0, there.size());
        target_.write(there, offset);
        result_.bytes_written += some;
      }
      offset += some;
      length -= some;
    }
  }

  void read_back(const Entry& entry) {
    *progress_.current.lock() = "reading back";
    result_.verified_from_medium = target_.forget_cached();
    crypto::Sha256Stream hash;
    for (std::uint64_t at = 0; at < entry.metadata.size_bytes;) {
      if (stop_.stop_requested()) throw Error(ErrorCode::interrupted, "the verification was stopped");
      const ByteView bytes = read(at, std::min<std::uint64_t>(kStep, entry.metadata.size_bytes - at));
      hash.update(bytes);
      at += bytes.size();
      progress_.done_bytes += bytes.size();
    }
    result_.verified_bytes = entry.metadata.size_bytes;
    if (hash.finish() != entry.sha256)
      add_finding("the content is not what was backed up", RestoreFinding::Kind::differs);
  }

  void add_finding(const std::string& what, RestoreFinding::Kind kind) {
    result_.findings.push_back({options_.target, what, kind});
    ++progress_.problems;
  }

  SnapshotTree& tree_;
  const RestoreOptions& options_;
  Progress& progress_;
  const std::stop_token& stop_;
  repository::ChunkReader reader_;
  ImageTarget target_;
  PageBuffer buffer_;
  std::vector<repository::ChunkNamer> namers_;
  RestoreResult result_;
};

}  // namespace

bool takes_an_image(const std::string& target) {
  struct stat status {};
  return ::stat(target.c_str(), &status) == 0 && (S_ISBLK(status.st_mode) || S_ISREG(status.st_mode));
}

RestoreResult restore_image(const repository::Repository& repository, const repository::SnapshotInfo& snapshot,
                            const RestoreOptions& options, Progress& progress, std::stop_token stop) {
  const SystemClock clock;
  const std::int64_t started_ns = clock.monotonic_ns();
  const repository::DomainKeys* domain = repository.find_domain(snapshot.state.domain);
  check(domain != nullptr, "a snapshot's header was opened by its domain's key");
  repository.require_reading(*domain);
  SnapshotTree tree(repository, snapshot);
  const std::string path = normal_path(options.path);
  const std::optional<Entry> entry = tree.find(path);
  if (!entry) throw Error(ErrorCode::not_found, printable(path) + " is not in the snapshot");
  if (entry->metadata.type != EntryType::file)
    throw Error(ErrorCode::usage, printable(options.target) + " is no folder, and " + printable(path) + " is no file")
        .with_hint("name the file: SNAPSHOT:/path");
  progress.total_files = 1;
  progress.total_bytes = entry->metadata.size_bytes * (options.verify == RestoreOptions::Verify::yes ? 2 : 1);
  if (options.write == RestoreOptions::Write::no) {
    RestoreResult counted;
    counted.files = 1;
    counted.bytes = entry->metadata.size_bytes;
    return counted;
  }
  RestoreResult result = ImageRestorer(repository, *domain, tree, options, progress, stop).run(*entry);
  result.duration_ns = clock.monotonic_ns() - started_ns;
  return result;
}

}  // namespace qcbak
