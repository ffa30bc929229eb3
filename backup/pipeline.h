// What the threads of a backup hand to each other: slabs of file content, batches of pieces to hash and store, groups of
// small files to read as well, spans for the hash over a whole file, and the events from which the tree is built.
// docs/architecture.md "Writing".
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <variant>
#include <vector>

#include "backup/repository/tree.h"
#include "backup/source/capture.h"

namespace qcbak::pipeline {

inline constexpr std::size_t kSlabSize = 8U << 20;  // larger files are read by the walk, others by who stores them
inline constexpr std::size_t kBatchBytes = 1U << 20;
inline constexpr std::size_t kGroupDirectories = 16;  // descriptors are few
inline constexpr std::size_t kWorkWaiting = 8;
inline constexpr std::size_t kSpansWaiting = 16;
inline constexpr std::uint64_t kGroupBytes = 1U << 20;
inline constexpr std::size_t kEventsInGroup = 64;  // handed over at once: waking a thread costs more than an event
inline constexpr std::size_t kGroupsWaiting = 128;

// A bounded queue that can be closed: pop() then gives what is left, and afterwards nothing; push() is refused.
template <class Item>
class Queue {
 public:
  explicit Queue(std::size_t limit) : limit_(limit) {}
  // False when the queue was closed.
  bool push(Item item) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [this] { return items_.size() < limit_ || closed_; });
    if (closed_) return false;
    items_.push_back(std::move(item));
    filled_.notify_one();
    return true;
  }
  std::optional<Item> pop() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [this] { return !items_.empty() || closed_; });
    if (items_.empty()) return std::nullopt;
    std::optional<Item> item(std::move(items_.front()));
    items_.pop_front();
    room_.notify_one();
    return item;
  }
  bool full() {
    const std::lock_guard lock(mutex_);
    return items_.size() >= limit_;
  }
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    room_.notify_all();
    filled_.notify_all();
  }

 private:
  std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::condition_variable filled_;
  std::deque<Item> items_;
  bool closed_ = false;
};

// Page-aligned buffers, a fixed number of them, lent and given back.
class SlabPool {
 public:
  explicit SlabPool(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) free_.emplace_back(kSlabSize);
  }
  // Waits for one. Shared: the pieces of several batches lie in it, and it goes back when the last is done.
  std::shared_ptr<PageBuffer> take() {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [this] { return !free_.empty(); });
    auto* slab = new PageBuffer(std::move(free_.back()));
    free_.pop_back();
    return {slab, [this](PageBuffer* back) {
              const std::lock_guard guard(mutex_);
              free_.push_back(std::move(*back));
              delete back;
              returned_.notify_one();
            }};
  }

 private:
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<PageBuffer> free_;
};

// A file on its way through the stages. What it has at first is the walk's; the rest belongs to those who have a share in
// it, and after the last share to the tree.
struct FileJob {
  FileJob(std::string where, source::Status when_found) : path(std::move(where)), status(std::move(when_found)) {}
  std::string path;  // absolute
  // In the end of what is kept: with all metadata, and the size of what was read.
  source::Status status;
  std::deque<repository::Part> parts;  // each keeps its place in memory while others are added
  crypto::Sha256 sha256;
  enum class Outcome {
    kept,
    kept_unsettled,  // too young, or touched meanwhile: the next run reads it again
    lost,            // it could not be read: a finding says why
  } outcome = Outcome::lost;
  std::optional<crypto::Sha256Stream> hash;  // of a file in several pieces, while its spans are in work
  std::atomic<std::uint32_t> open = 0;       // shares that are not dropped yet
  std::atomic<bool> spoiled = false;         // a share was given up: nothing above counts. Known once open is 0

  // Whatever other names it has: kept as a file of its own.
  void keep_separate() {
    status.metadata.link_count = 1;
    status.metadata.link_device = status.metadata.link_inode = 0;
  }
  void wait() const {
    for (std::uint32_t left = open.load(std::memory_order_acquire); left != 0; left = open.load(std::memory_order_acquire))
      open.wait(left, std::memory_order_acquire);
  }
};

// A part in the work on a file. Whatever happens to whoever has it, nobody waits for it when it is gone.
class JobShare {
 public:
  explicit JobShare(std::shared_ptr<FileJob> job) : job_(std::move(job)) {
    job_->open.fetch_add(1, std::memory_order_relaxed);
  }
  JobShare(JobShare&&) noexcept = default;
  JobShare& operator=(JobShare&&) = delete;
  ~JobShare() {
    if (!job_) return;
    if (!finished_) job_->spoiled = true;
    if (job_->open.fetch_sub(1, std::memory_order_acq_rel) == 1) job_->open.notify_all();
  }
  FileJob& operator*() const { return *job_; }
  FileJob* operator->() const { return job_.get(); }
  void finish() { finished_ = true; }

 private:
  std::shared_ptr<FileJob> job_;  // shared: with the other shares and the tree's event
  bool finished_ = false;
};

// A chunk of a file, in a slab.
struct Piece {
  JobShare job;
  repository::Part* part = nullptr;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
};

// Pieces in one slab: work for one thread.
struct Batch {
  std::shared_ptr<PageBuffer> slab;
  std::vector<Piece> pieces;
  std::size_t bytes = 0;
};

// Files that whoever stores them also looks up and reads: of small ones, that is as much work as storing them.
struct FileGroup {
  struct File {
    JobShare job;
    std::shared_ptr<const UniqueFd> directory;  // shared: with the walk and its other files
  };
  std::vector<File> files;
  std::size_t directories = 0;  // that are kept open for it
};

using Work = std::variant<Batch, FileGroup>;

// A stretch of a file in several pieces, for the hash over all of it. They come in order.
struct Span {
  JobShare job;
  std::shared_ptr<PageBuffer> slab;  // nothing: a hole
  std::size_t offset = 0;            // in the slab
  std::uint64_t length = 0;
  bool last = false;
};

// The walk, in the order in which the tree is written: a directory's entries between its begin and its end.
struct TreeEvent {
  enum class Kind { begin_directory, end_directory, entry } kind = Kind::entry;
  // Of a directory: does it lie above the given paths, only on the way to them?
  enum class Place { above, within } place = Place::within;
  std::string name;       // of an entry, or of the directory at its end; the root's is empty
  source::Status status;  // of what is no file
  std::shared_ptr<FileJob> job;  // of a file; shared: by all names of its inode
  enum class Cache { no, yes } cache = Cache::no;
};
using TreeEvents = std::vector<TreeEvent>;

}  // namespace qcbak::pipeline
