// Changing a repository: the log's next entry, and packs being filled. One Writer for a run, with the writer's lock.
#pragma once

#include <array>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "backup/repository/record.h"
#include "backup/repository/repository.h"
#include "base/clock.h"

namespace qcbak::repository {

inline constexpr int kDefaultCompressionLevel = 3;
inline constexpr std::size_t kRecordTarget = 1U << 20;         // small chunks share a record up to this
inline constexpr std::size_t kRecordChunks = 16U << 10;        // and up to so many: a pack has room for their ids
inline constexpr std::size_t kPublishEntries = 64U << 10;      // an index object is put after so many chunks
inline constexpr std::uint64_t kFreeReserveBytes = 64U << 20;  // left free, so that forget and prune can still run

struct WriteContext {
  storage::Storage& storage;
  Repository& repository;
  const DomainKeys& domain;
  const Clock& clock;
  Random& random;
};

// Takes the writer's lock, waiting up to `wait_ms`; `on_wait` is called once when it has to wait. Removes what unfinished
// puts left behind. Error(busy).
std::unique_ptr<storage::Storage::WriterLock> lock_for_writing(storage::Storage& storage, const Clock& clock,
                                                               std::int64_t wait_ms,
                                                               const std::function<void()>& on_wait);

// Puts the next entry of the log. `make_event` is called with the log read up to its head, again after somebody else's
// entry took the number. Returns the entry's number.
using MakeEvent = std::function<LogEvent()>;
std::uint64_t append_log(const WriteContext& context, const MakeEvent& make_event);

// Fills packs from sealed records of several threads and puts them in the background. Content and metadata go to packs
// of their own, so that listing and collecting touch few packs.
class PackWriter {
 public:
  enum class Stream : std::uint8_t { content = 0, metadata = 1 };

  explicit PackWriter(const WriteContext& context);
  ~PackWriter();  // abandons what was not flushed

  const WriteContext& context() const { return context_; }
  Binding binding() const { return binding_; }

  // The segment in which records of `type` are sealed now. It changes when a pack is full; callers ask for each record.
  std::shared_ptr<OpenSegment> segment(Stream stream, ChunkType type);  // shared: packs in work hold records of it
  void abandon(Stream stream, const std::shared_ptr<OpenSegment>& segment);
  // Thread-safe. Blocks while packs are put more slowly than they are filled. Throws what a put threw.
  void add(Stream stream, const SegmentHeader& segment, RecordInfo record, ByteView sealed);
  // Puts what is left, waits until everything is durable, publishes the index. No add() meanwhile.
  void flush();
  std::uint64_t bytes_stored() const { return bytes_stored_.load(); }
  std::set<ObjectName> stored() const { return stored_; }  // the packs put; after flush()

 private:
  static constexpr std::size_t kQueueLimit = 1;
  struct OpenPack {
    std::mutex mutex;
    std::unique_ptr<PackBuilder> builder;
    std::shared_ptr<OpenSegment> data;
    std::shared_ptr<OpenSegment> map;
  };
  OpenPack& open(Stream stream) { return open_[static_cast<std::size_t>(stream)]; }
  void enqueue(std::unique_ptr<PackBuilder> full);
  void put_packs(std::stop_token stop);
  void put_one(PackBuilder& builder);
  void publish_index();
  void require_free_space(std::uint64_t bytes) const;

  WriteContext context_;
  Binding binding_;
  RunKey run_key_;
  std::array<OpenPack, 2> open_;
  std::atomic<std::uint64_t> bytes_stored_ = 0;
  std::set<ObjectName> stored_;  // by the putting thread

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<PackBuilder>> queue_;
  std::unique_ptr<PackBuilder> spare_;
  bool putting_ = false;
  std::exception_ptr failure_;
  std::jthread thread_;
};

// One thread's way into a PackWriter: gathers small chunks of one type into records.
class ChunkWriter {
 public:
  ChunkWriter(PackWriter& packs, ChunkType type, int compression_level);
  // The id must have been claimed in the index. The plaintext is copied or used before it returns.
  void add(const ChunkId& id, ByteView plaintext);
  void flush();

 private:
  static constexpr std::size_t kAlone = kRecordTarget / 4;  // from this size on a chunk has a record of its own
  static constexpr unsigned kCheckEvery = 8;                // one record in so many is opened again before its pack is put
  void write(std::vector<ChunkRef> chunks, ByteView payload);

  PackWriter& packs_;
  PackWriter::Stream stream_;
  ChunkType type_;
  RecordEncoder encoder_;
  PageBuffer gathered_;
  std::size_t gathered_size_ = 0;
  std::vector<ChunkRef> gathered_chunks_;
  unsigned count_ = 0;
};

// Copies the stored records that hold `ids` out of their packs to new ones, verbatim, and publishes their index. Ids that
// are nowhere are returned.
std::vector<ChunkId> copy_records(const WriteContext& context, const std::vector<ChunkId>& ids);

// The commit. `packs`, ascending, hold what is below `header.reference_root`, as the index knew it; what was condemned
// since is copied out of its pack. Fills in id and salt, puts the snapshot object and the log entry. When it returns the
// snapshot's id, the snapshot is safe.
SnapshotId commit_snapshot(const WriteContext& context, SnapshotHeader header, SnapshotBody body,
                           std::vector<ObjectName> packs);

}  // namespace qcbak::repository
