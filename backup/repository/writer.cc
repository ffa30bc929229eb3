#include "backup/repository/writer.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "backup/repository/chunk_reader.h"
#include "base/error.h"

namespace qcbak::repository {

std::unique_ptr<storage::Storage::WriterLock> lock_for_writing(storage::Storage& storage, const Clock& clock,
                                                               std::int64_t wait_ms,
                                                               const std::function<void()>& on_wait) {
  constexpr std::int64_t kMillisecond = 1'000'000;
  constexpr auto kPause = std::chrono::milliseconds(100);
  const std::int64_t until = clock.monotonic_ns() + wait_ms * kMillisecond;
  bool told = false;
  for (;;) {
    if (auto lock = storage.try_lock()) {
      storage.remove_leftovers();
      return lock;
    }
    if (clock.monotonic_ns() >= until)
      throw Error(ErrorCode::busy, "another process is writing to the repository at " + storage.description())
          .with_hint("wait until it has ended, or give --wait a longer time");
    if (!told && on_wait) on_wait();
    told = true;
    std::this_thread::sleep_for(kPause);
  }
}

std::uint64_t append_log(const WriteContext& context, const MakeEvent& make_event) {
  constexpr int kTries = 1000;
  Repository& repository = context.repository;
  for (int tries = 0; tries < kTries; ++tries) {
    repository.refresh_log();
    const LogEvent event = make_event();
    const LogHead head = repository.log().head;
    // The log never goes back in time, whatever the clock does: retention and evidence read it in order.
    const Time time = std::max(context.clock.now(), repository.log().last_time);
    const Bytes entry = encode_log_entry(repository.binding(context.domain.id), head, time, event, context.domain,
                                         context.random);
    if (context.storage.put(log_path(head.number + 1), entry) == storage::PutResult::stored) {
      repository.refresh_log();
      return head.number + 1;
    }
  }
  throw Error(ErrorCode::busy, "other writers kept taking the log's next number");
}

PackWriter::PackWriter(const WriteContext& context)
    : context_(context),
      binding_(context.repository.binding(context.domain.id)),
      run_key_(new_run_key(context.domain, context.random)) {
  for (OpenPack& pack : open_) {
    pack.builder = std::make_unique<PackBuilder>();
  }
  thread_ = std::jthread([this](std::stop_token stop) { put_packs(stop); });
}

PackWriter::~PackWriter() {
  {
    // Under the mutex, or the thread could look just before and sleep just after.
    const std::lock_guard lock(mutex_);
    thread_.request_stop();
  }
  changed_.notify_all();
}

std::shared_ptr<OpenSegment> PackWriter::segment(Stream stream, ChunkType type) {
  OpenPack& pack = open(stream);
  const std::lock_guard lock(pack.mutex);
  const bool is_map = type == ChunkType::reference;
  std::shared_ptr<OpenSegment>& segment = is_map ? pack.map : pack.data;
  if (!segment) {
    segment = std::make_shared<OpenSegment>();
    segment->segment = is_map ? new_map_segment(binding_, context_.domain.current_epoch(), context_.random)
                              : new_data_segment(binding_, run_key_, context_.random);
  }
  return segment;
}

void PackWriter::abandon(Stream stream, const std::shared_ptr<OpenSegment>& segment) {
  OpenPack& pack = open(stream);
  const std::lock_guard lock(pack.mutex);
  if (pack.data == segment) pack.data.reset();
  if (pack.map == segment) pack.map.reset();
}

void PackWriter::add(Stream stream, const SegmentHeader& segment, RecordInfo record, ByteView sealed) {
  std::unique_ptr<PackBuilder> full;
  {
    OpenPack& pack = open(stream);
    const std::lock_guard lock(pack.mutex);
    if (!pack.builder->fits(record, sealed.size())) {
      check(!pack.builder->empty(), "a record fits into an empty pack");
      {
        const std::lock_guard queue_lock(mutex_);
        full = std::exchange(pack.builder, spare_ ? std::move(spare_) : std::make_unique<PackBuilder>());
      }
      pack.data.reset();
      pack.map.reset();
    }
    pack.builder->add(segment, std::move(record), sealed);
  }
  if (full) enqueue(std::move(full));
}

void PackWriter::enqueue(std::unique_ptr<PackBuilder> full) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return queue_.size() < kQueueLimit || failure_; });
  if (failure_) std::rethrow_exception(failure_);
  queue_.push_back(std::move(full));
  changed_.notify_all();
}

void PackWriter::put_packs(std::stop_token stop) {
  for (;;) {
    std::unique_ptr<PackBuilder> builder;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !queue_.empty() || stop.stop_requested(); });
      if (stop.stop_requested()) return;
      builder = std::move(queue_.front());
      queue_.pop_front();
      putting_ = true;
      changed_.notify_all();
    }
    std::exception_ptr failure;
    try {
      put_one(*builder);
    } catch (...) {
      failure = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    if (!failure) spare_ = std::move(builder);
    putting_ = false;
    if (failure && !failure_) failure_ = failure;
    changed_.notify_all();
    if (failure) return;
  }
}

void PackWriter::require_free_space(std::uint64_t bytes) const {
  const auto free = context_.storage.free_bytes();
  if (free && *free < bytes + kFreeReserveBytes)
    throw Error(ErrorCode::no_space, "the repository at " + context_.storage.description() + " has only " +
                                         std::to_string(*free >> 20) + " MiB left")
        .with_hint("free space there, or thin out with: qcbak forget --keep-… --prune");
}

void PackWriter::put_one(PackBuilder& builder) {
  FinishedPack pack = builder.finish(binding_, context_.domain.current_epoch(), context_.random);
  require_free_space(pack.length);
  // The name is the hash of the bytes: what exists already is the same pack.
  context_.storage.put(pack_path(pack.name), pack.bytes());
  bytes_stored_ += pack.length;
  stored_.insert(pack.name);
  context_.repository.index(context_.domain).add_pack(pack.name, pack.length, pack.table);
  if (context_.repository.index(context_.domain).unpublished_entries() >= kPublishEntries) publish_index();
  builder.reuse(std::move(pack.buffer));
}

void PackWriter::publish_index() {
  Index& index = context_.repository.index(context_.domain);
  Index::Unpublished unpublished = index.take_unpublished();
  if (unpublished.packs.empty()) return;
  Bytes plaintext = encode_index(unpublished.packs, std::move(unpublished.entries));
  const Bytes stored = seal_index(binding_, context_.domain.current_epoch(), plaintext, context_.random);
  const ObjectName name = name_of(stored);
  context_.storage.put(index_path(name), stored);
  bytes_stored_ += stored.size();
  std::optional<IndexSegment> mapped;
  if (const std::string cache = context_.repository.repository_cache(); !cache.empty()) {
    const std::string path = cache + "/index/" + context_.domain.id.hex() + "-" + name.hex();
    try {
      IndexSegment::write_file(path, plaintext);
      mapped = IndexSegment::map_file(path);
    } catch (const Error&) {
      // Held in memory instead.
    }
  }
  index.publish(mapped ? std::move(*mapped) : IndexSegment::parse(std::move(plaintext)));
}

void PackWriter::flush() {
  for (OpenPack& pack : open_) {
    std::unique_ptr<PackBuilder> rest;
    {
      const std::lock_guard lock(pack.mutex);
      if (!pack.builder->empty()) rest = std::exchange(pack.builder, std::make_unique<PackBuilder>());
      pack.data.reset();
      pack.map.reset();
    }
    if (rest) enqueue(std::move(rest));
  }
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return (queue_.empty() && !putting_) || failure_; });
    if (failure_) std::rethrow_exception(failure_);
  }
  publish_index();
}

ChunkWriter::ChunkWriter(PackWriter& packs, ChunkType type, int compression_level)
    : packs_(packs),
      stream_(type == ChunkType::data ? PackWriter::Stream::content : PackWriter::Stream::metadata),
      type_(type),
      encoder_(packs.binding(), compression_level),
      gathered_(kRecordTarget) {}

void ChunkWriter::add(const ChunkId& id, ByteView plaintext) {
  const ChunkRef chunk{id, static_cast<std::uint32_t>(plaintext.size())};
  if (plaintext.size() >= kAlone) {
    write({chunk}, plaintext);
    return;
  }
  if (gathered_size_ + plaintext.size() > kRecordTarget || gathered_chunks_.size() >= kRecordChunks) flush();
  if (!plaintext.empty()) std::memcpy(gathered_.data() + gathered_size_, plaintext.data(), plaintext.size());
  gathered_size_ += plaintext.size();
  gathered_chunks_.push_back(chunk);
}

void ChunkWriter::flush() {
  if (gathered_chunks_.empty()) return;
  write(std::exchange(gathered_chunks_, {}), ByteView(gathered_.data(), gathered_size_));
  gathered_size_ = 0;
}

void ChunkWriter::write(std::vector<ChunkRef> chunks, ByteView payload) {
  const auto again = count_++ % kCheckEvery == 0 ? RecordEncoder::CheckAgain::yes : RecordEncoder::CheckAgain::no;
  const std::shared_ptr<OpenSegment> segment = packs_.segment(stream_, type_);
  try {
    SealedRecord record = encoder_.encode(*segment, type_, std::move(chunks), payload, again);
    packs_.add(stream_, segment->segment.header, std::move(record.info), record.bytes);
  } catch (...) {
    packs_.abandon(stream_, segment);
    throw;
  }
}

namespace {

// A pack whose bytes hash to its name. Records are copied out of no other, or damage would get a good name.
class WholePack {
 public:
  WholePack(const WriteContext& context, const ObjectName& name, const Binding& binding)
      : bytes_(fetch(context.storage, name)), table_(read_pack_table(bytes_, binding, context.domain)) {}

  // False when there is no record at `offset`.
  bool copy(std::uint32_t offset, PackWriter& to) const {
    const auto record = std::find_if(table_.records.begin(), table_.records.end(),
                                     [offset](const PackRecord& candidate) { return candidate.offset == offset; });
    if (record == table_.records.end()) return false;
    const auto stream = record->info.type == static_cast<std::uint8_t>(ChunkType::data)
                            ? PackWriter::Stream::content
                            : PackWriter::Stream::metadata;
    to.add(stream, table_.segments[record->segment], record->info,
           ByteView(bytes_).subspan(record->offset, record->stored_length));
    return true;
  }

 private:
  static Bytes fetch(const storage::ReadStorage& storage, const ObjectName& name) {
    auto bytes = storage.get(pack_path(name), kPackLimit);
    if (!bytes) throw Error(ErrorCode::not_found, "pack " + name.hex() + " is missing");
    if (name_of(*bytes) != name) throw Error(ErrorCode::damaged, "the bytes of pack " + name.hex() + " do not match its name");
    return std::move(*bytes);
  }
  Bytes bytes_;
  PackTable table_;
};

}  // namespace

std::vector<ChunkId> copy_records(const WriteContext& context, const std::vector<ChunkId>& ids) {
  Index& index = context.repository.index(context.domain);
  const Binding binding = context.repository.binding(context.domain.id);
  std::vector<ChunkId> wanted;
  for (const ChunkId& id : ids)
    if (!index.contains(id)) wanted.push_back(id);
  if (wanted.empty()) return {};

  PackWriter packs(context);
  std::set<ObjectName> useless;  // gone or damaged
  // One pack at a time, and in it each record once. What a pack turns out not to give is looked for in the next.
  for (;;) {
    std::map<ObjectName, std::vector<std::pair<std::uint32_t, ChunkId>>> by_pack;
    std::vector<ChunkId> nowhere;
    for (const ChunkId& id : wanted) {
      const std::vector<ChunkPlace> places = index.find_all(id, Index::Which::all);
      const auto place = std::find_if(places.begin(), places.end(),
                                      [&](const ChunkPlace& candidate) { return !useless.contains(candidate.pack); });
      if (place == places.end()) nowhere.push_back(id);
      else by_pack[place->pack].emplace_back(place->offset, id);
    }
    wanted.clear();
    for (auto& [name, records] : by_pack) {
      std::sort(records.begin(), records.end());
      const auto not_from_here = [&] {
        useless.insert(name);
        for (const auto& [offset, id] : records) wanted.push_back(id);
      };
      try {
        const WholePack pack(context, name, binding);
        for (auto at = records.begin(); at != records.end(); ++at)
          if (at == records.begin() || at->first != std::prev(at)->first)
            if (!pack.copy(at->first, packs))
              throw Error(ErrorCode::damaged, "the index names no record of pack " + name.hex());
      } catch (const Error& error) {
        if (error.code() != ErrorCode::damaged && error.code() != ErrorCode::not_found) throw;
        not_from_here();
      }
    }
    if (wanted.empty()) {
      packs.flush();
      return nowhere;
    }
    wanted.insert(wanted.end(), nowhere.begin(), nowhere.end());
  }
}

namespace {

// The packs that hold what is below `root`; what lies in packs that no longer count is copied out of them first.
std::vector<ObjectName> secure_chunks(const WriteContext& context, const ChunkId& root) {
  constexpr int kRounds = 4;
  for (int round = 0; round < kRounds; ++round) {
    ChunkReader reader(context.repository, context.domain);
    std::unordered_set<ChunkId, IdHash<ChunkId>> seen;
    std::set<ObjectName> used;
    std::vector<ChunkId> lost;
    const auto need = [&](const ChunkId& id) {
      if (const auto place = context.repository.index(context.domain).find(id)) used.insert(place->pack);
      else lost.push_back(id);
    };
    walk_references(reader, root, seen, [&](const ChunkId& reference, const ReferenceNode& node) {
      need(reference);
      need(node.tree);
      for (const ChunkId& id : node.data) need(id);
    });
    if (lost.empty()) return {used.begin(), used.end()};
    const std::vector<ChunkId> missing = copy_records(context, lost);
    if (!missing.empty())
      throw Error(ErrorCode::damaged, "chunk " + missing.front().hex() + " vanished from the repository during the run")
          .with_hint("run the backup again");
  }
  throw Error(ErrorCode::busy, "a collection kept condemning what the run stored");
}

// Packs that are not there no longer count, whatever the index says that this process read some time ago.
void leave_missing_packs(const WriteContext& context, const std::vector<ObjectName>& packs) {
  std::unordered_set<ObjectName, IdHash<ObjectName>> present;
  for (const storage::ObjectInfo& object : context.storage.list("packs/"))
    if (const auto name = name_from_path(object.name)) present.insert(*name);
  for (const ObjectName& name : packs)
    if (!present.contains(name)) context.repository.index(context.domain).exclude(name);
}

}  // namespace

SnapshotId commit_snapshot(const WriteContext& context, SnapshotHeader header, SnapshotBody body,
                           std::vector<ObjectName> packs) {
  Repository& repository = context.repository;
  const Binding binding = repository.binding(context.domain.id);
  header.salt = context.random.id<Salt>();
  header.id = snapshot_id(repository.config().id, context.domain.id, header);
  body.id = header.id;

  leave_missing_packs(context, packs);
  std::optional<ObjectName> object;
  append_log(context, [&]() -> LogEvent {
    // What the log condemned until now has been excluded from the index.
    const Index& index = repository.index(context.domain);
    const bool moved =
        std::any_of(packs.begin(), packs.end(), [&](const ObjectName& name) { return !index.counts(name); });
    if (moved) packs = secure_chunks(context, header.reference_root);
    if (moved || !object) {
      const Segment segment =
          new_data_segment(binding, new_run_key(context.domain, context.random), context.random);
      const Bytes stored = encode_snapshot(binding, context.domain.current_epoch(), segment, packs, header, body,
                                           context.random);
      object = name_of(stored);
      context.storage.put(snapshot_path(*object), stored);
    }
    return Commit{*object, header.id, repository.log().head.number};
  });
  return header.id;
}

}  // namespace qcbak::repository
