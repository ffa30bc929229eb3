#include "backup/read_back.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "base/error.h"

namespace qcbak {
namespace {

using repository::Entry;
using repository::EntryType;

constexpr std::size_t kReadBuffer = 1U << 20;
constexpr std::size_t kWindow = 16U << 10;

struct Item {
  std::string to;
  Entry entry;
};

class ReadBack {
 public:
  ReadBack(const source::Target& target, const RestoreOptions& options, Progress& progress, const std::stop_token& stop,
           RestoreResult& result)
      : target_(target), options_(options), progress_(progress), stop_(stop), result_(result) {
    const UniqueFd root = target_.open_directory("");
    if (::syncfs(root.get()) != 0) throw_errno("flush", target_.path());
    struct statfs file_system {};
    constexpr long kTmpfs = 0x01021994, kRamfs = 0x858458f6;
    result_.verified_from_medium = ::fstatfs(root.get(), &file_system) == 0 && file_system.f_type != kTmpfs &&
                                   file_system.f_type != kRamfs;
  }

  void add(std::string to, const Entry& entry) {
    window_.push_back({std::move(to), entry});
    if (window_.size() >= kWindow) flush();
  }

  void flush() {
    std::atomic<std::size_t> next = 0;
    std::exception_ptr failure;
    const unsigned count = options_.threads != 0 ? options_.threads : std::max(1U, std::thread::hardware_concurrency());
    {
      std::vector<std::jthread> threads;
      for (unsigned i = 0; i < count; ++i) {
        threads.emplace_back([&] {
          PageBuffer buffer(kReadBuffer);
          for (std::size_t at = next++; at < window_.size() && !stop_.stop_requested(); at = next++)
            compare(window_[at], buffer);
        });
      }
    }
    if (stop_.stop_requested()) throw Error(ErrorCode::interrupted, "the verification was stopped");
    window_.clear();
  }

 private:
  void differs(const std::string& path, const std::string& what) {
    const std::lock_guard lock(mutex_);
    result_.findings.push_back({path, what, RestoreFinding::Kind::differs});
    ++progress_.problems;
  }

  void compare(const Item& item, PageBuffer& buffer) {
    try {
      for (const std::string& difference : target_.compare_metadata(item.to, item.entry.metadata))
        differs(item.to, difference);
      if (item.entry.metadata.type == EntryType::file) compare_content(item, buffer);
    } catch (const Error& error) {
      differs(item.to, error.what());
    }
  }

  void compare_content(const Item& item, PageBuffer& buffer) {
    const UniqueFd fd = target_.open_existing_file(item.to);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) throw_errno("read the state of", item.to);
    if (item.entry.metadata.link_count > 1) {
      const std::lock_guard lock(mutex_);
      const std::pair group{item.entry.metadata.link_device, item.entry.metadata.link_inode};
      const auto [known, first] = inodes_.try_emplace(group, status.st_ino);
      if (!first && known->second != status.st_ino)
        result_.findings.push_back({item.to, "is not a hard link to the file it belongs to", RestoreFinding::Kind::differs});
      if (!first) return;
    }
    ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
    crypto::Sha256Stream hash;
    std::uint64_t total = 0;
    for (;;) {
      if (stop_.stop_requested()) return;
      const std::size_t got = read_full(fd.get(), buffer.span(), item.to);
      hash.update(ByteView(buffer.data(), got));
      total += got;
      progress_.done_bytes += got;
      if (got < buffer.capacity()) break;
    }
    ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
    verified_bytes_ += total;
    if (hash.finish() != item.entry.sha256) differs(item.to, "the content is not what was backed up");
    const std::lock_guard lock(mutex_);
    result_.verified_bytes = verified_bytes_;
  }

  const source::Target& target_;
  const RestoreOptions& options_;
  Progress& progress_;
  const std::stop_token& stop_;
  RestoreResult& result_;
  std::vector<Item> window_;
  std::mutex mutex_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, ino_t> inodes_;
  std::atomic<std::uint64_t> verified_bytes_ = 0;
};

}  // namespace

void read_back(SnapshotTree& tree, const source::Target& target, const RestoreOptions& options, Progress& progress,
               const std::stop_token& stop, RestoreResult& result) {
  *progress.current.lock() = "reading back";
  const std::string from = normal_path(options.path);
  const std::optional<Entry> top = tree.find(from);
  if (!top) throw Error(ErrorCode::not_found, printable(from) + " is not in the snapshot");
  ReadBack back(target, options, progress, stop, result);
  if (top->metadata.type != EntryType::directory) {
    back.add(from.substr(from.rfind('/') + 1), *top);
    back.flush();
    return;
  }
  const std::size_t strip = from == "/" ? 1 : from.size() + 1;
  if (options.includes.empty()) back.add("", *top);
  // Directories on the way to what was picked are not compared themselves: they were made for it.
  tree.walk(from, *top, [&](const std::string& path, const Entry& entry) {
    const bool is_directory = entry.metadata.type == EntryType::directory;
    if (options.excludes.matches(path, is_directory)) return SnapshotTree::Descend::no;
    if (options.includes.empty() || options.includes.matches(path, is_directory)) back.add(path.substr(strip), entry);
    else if (!is_directory || !options.includes.may_match_below(path)) return SnapshotTree::Descend::no;
    return SnapshotTree::Descend::yes;
  });
  back.flush();
}

}  // namespace qcbak
