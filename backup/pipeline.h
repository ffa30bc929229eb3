// What the threads of a backup hand to each other: slabs of file content, batches of pieces to hash and store, spans for
// the hash over a whole file, and the events from which the tree is built. docs/architecture.md "Writing".
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "backup/repository/tree.h"
#include "backup/source/capture.h"

namespace qcbak::pipeline {

inline constexpr std::size_t kSlabSize = 8U << 20;
inline constexpr std::size_t kBatchBytes = 1U << 20;
inline constexpr std::size_t kBatchPieces = 512;
inline constexpr std::size_t kBatchesWaiting = 8;
inline constexpr std::size_t kSpansWaiting = 16;
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

// A file whose content is being stored. Parts keep their place in memory while others are added.
struct FileJob {
  std::deque<repository::Part> parts;
  crypto::Sha256 sha256;
  std::optional<crypto::Sha256Stream> hash;  // of a file in several pieces, while its spans are in work
  std::atomic<std::uint32_t> open = 1;       // pieces and spans in work, and one for the reader
  std::atomic<bool> spoiled = false;    // a piece was given up: its part names no chunk. Known once open is 0

  void done() {
    if (open.fetch_sub(1, std::memory_order_acq_rel) == 1) open.notify_all();
  }
  void wait() const {
    for (std::uint32_t left = open.load(std::memory_order_acquire); left != 0; left = open.load(std::memory_order_acquire))
      open.wait(left, std::memory_order_acquire);
  }
};

// A chunk of a file, in a slab.
struct Piece {
  std::shared_ptr<FileJob> job;  // shared: reader, worker and tree builder each hold it until they are done with it
  repository::Part* part = nullptr;
  bool whole_file = false;  // then its hash is the file's
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
};

// Work for one thread. Whatever happens to it, nobody waits for its pieces when it is gone.
struct Batch {
  std::shared_ptr<PageBuffer> slab;
  std::vector<Piece> pieces;
  std::size_t bytes = 0;
  enum class Work { given_up, done } work = Work::given_up;

  Batch() = default;
  Batch(Batch&&) noexcept = default;
  Batch& operator=(Batch&& other) noexcept {
    slab.swap(other.slab);
    pieces.swap(other.pieces);
    std::swap(bytes, other.bytes);
    std::swap(work, other.work);
    return *this;
  }
  ~Batch() {
    for (const Piece& piece : pieces) {
      if (!piece.job) continue;
      if (work == Work::given_up) piece.job->spoiled = true;
      piece.job->done();
    }
  }
};

// A stretch of a file in several pieces, for the hash over all of it. They come in order.
struct Span {
  std::shared_ptr<FileJob> job;      // nothing, once it was moved from
  std::shared_ptr<PageBuffer> slab;  // nothing: a hole
  std::size_t offset = 0;            // in the slab
  std::uint64_t length = 0;
  bool last = false;
  bool hashed = false;

  Span(std::shared_ptr<FileJob> of, std::shared_ptr<PageBuffer> in, std::size_t at, std::uint64_t bytes)
      : job(std::move(of)), slab(std::move(in)), offset(at), length(bytes) {
    job->open.fetch_add(1, std::memory_order_relaxed);
  }
  Span(Span&&) noexcept = default;
  Span& operator=(Span&&) = delete;
  ~Span() {
    if (!job) return;
    if (!hashed) job->spoiled = true;
    job->done();
  }
};

// The walk, in the order in which the tree is written: a directory's entries between its begin and its end.
struct TreeEvent {
  enum class Kind { begin_directory, end_directory, entry } kind = Kind::entry;
  std::string name;  // of an entry, or of the directory at its end; the root's is empty
  std::string path;  // absolute; of files that go to the cache
  source::Status status;
  std::shared_ptr<FileJob> job;                  // a file with content that was read
  std::vector<repository::Part> known_parts;     // a file known from the cache
  std::optional<crypto::Sha256> known_sha256;    //
  enum class Cache { no, yes } cache = Cache::no;
};
using TreeEvents = std::vector<TreeEvent>;

}  // namespace qcbak::pipeline
