#include "backup/repository/collect.h"

#include <algorithm>
#include <set>

#include "backup/repository/usage.h"
#include "base/error.h"

namespace qcbak::repository {
namespace {

constexpr std::size_t kNamesInEntry = 64U << 10;               // 2 MiB of a log entry's 4
constexpr std::uint64_t kBatchBytes = std::uint64_t(1) << 30;  // copied before the packs it came from go

class Collector {
 public:
  Collector(const WriteContext& context, const CollectOptions& options, std::stop_token stop)
      : context_(context), options_(options), stop_(std::move(stop)) {}
  CollectResult run();

 private:
  bool exclusive() const { return options_.grace_ns == 0; }
  LogState const& log() const { return context_.repository.log(); }
  const LogState::CondemnedPacks& condemned_packs() const { return log().condemned_in(context_.domain.id); }
  void stop_if_asked() const;
  void refuse_shortened_log();
  void choose_roots();
  std::vector<Usage::Root> roots() const;
  void mark();
  void remove_snapshot_objects();
  bool is_due(const PackUsage& pack) const;
  bool is_wasteful(const PackUsage& pack) const;
  bool belongs_here(const PackUsage& pack);
  bool may_go(const PackUsage& pack);
  void report();
  void collect_unneeded();
  void rewrite();
  std::vector<PackUsage> next_batch(std::vector<PackUsage>& waiting) const;
  std::vector<ObjectName> copy_needed(const std::vector<PackUsage>& batch);
  void put_pack(PackBuilder& builder, Index::Unpublished& written);
  void publish(Index::Unpublished written);
  void append_where_possible(const MakeEvent& make_event);
  void condemn(const std::vector<ObjectName>& packs);
  std::vector<ObjectName> still_unneeded(const std::vector<ObjectName>& packs);
  void remove(const std::vector<ObjectName>& packs);

  const WriteContext& context_;
  const CollectOptions& options_;
  std::stop_token stop_;
  std::set<SnapshotId> required_;   // living at some time of the run
  std::set<SnapshotId> forgotten_;  // since the oldest condemnation that is still open
  std::uint64_t marked_at_ = 0;     // number of the log's last entry that the mark knows
  std::optional<Usage> usage_;
  CollectResult result_;
  std::uint64_t bytes_removed_ = 0;
  std::uint64_t bytes_written_ = 0;
};

void Collector::stop_if_asked() const {
  if (stop_.stop_requested())
    throw Error(ErrorCode::interrupted, "the collection was stopped; the next one goes on from there");
}

// Where an entry is lost, those behind it are not read: snapshots would look as if they had never been committed.
void Collector::refuse_shortened_log() {
  const std::vector<storage::ObjectInfo> entries = context_.storage.list("log/");
  context_.repository.refresh_log();
  const std::string head = log_path(log().head.number);
  if (std::any_of(entries.begin(), entries.end(), [&](const storage::ObjectInfo& entry) {
        return entry.name.size() == head.size() && entry.name > head;
      }))
    throw Error(ErrorCode::damaged, "log entry " + std::to_string(log().head.number + 1) +
                                        " is missing, though later ones are there; nothing was removed")
        .with_hint("bring it back from the second site or another copy");
}

// Snapshots that are forgotten while packs wait for their removal stay roots until those are gone: what a run that went
// on meanwhile took from them is safe either way.
void Collector::choose_roots() {
  for (const SnapshotId& id : log().living(context_.domain.id)) required_.insert(id);
  if (exclusive()) return;
  std::uint64_t oldest = UINT64_MAX;
  for (const auto& [name, condemned] : condemned_packs()) oldest = std::min(oldest, condemned.number);
  for (const auto& [id, snapshot] : log().snapshots)
    if (snapshot.domain == context_.domain.id && snapshot.tombstone_number > oldest) forgotten_.insert(id);
}

std::vector<Usage::Root> Collector::roots() const {
  std::vector<Usage::Root> roots;
  for (const SnapshotId& id : required_)
    roots.push_back(
        {"snapshot " + id.hex(), context_.repository.snapshot(id).header.reference_root, Usage::Root::Walk::required});
  for (const SnapshotId& id : forgotten_) {
    if (required_.contains(id)) continue;
    try {
      roots.push_back({"snapshot " + id.hex(), context_.repository.snapshot(id).header.reference_root,
                       Usage::Root::Walk::as_far_as_possible});
    } catch (const Error& error) {
      if (error.code() != ErrorCode::damaged) throw;
    }
  }
  return roots;
}

void Collector::mark() {
  marked_at_ = log().head.number;
  context_.repository.drop_index(context_.domain);
  try {
    usage_.emplace(context_.repository, context_.domain, roots(), stop_);
  } catch (Error& error) {
    if (error.code() == ErrorCode::damaged)
      error.with_hint("nothing is collected while a snapshot is damaged: see qcbak verify and repair, or forget it");
    throw;
  }
}

void Collector::remove_snapshot_objects() {
  std::set<ObjectName> known;
  std::set<ObjectName> dead;
  for (const auto& [id, snapshot] : log().snapshots) {
    known.insert(snapshot.object);
    if (snapshot.domain == context_.domain.id && !required_.contains(id) && !forgotten_.contains(id))
      dead.insert(snapshot.object);
  }
  const auto never_committed = [&](const std::string& path, const ObjectName& name) {
    if (!exclusive() || known.contains(name)) return false;
    try {
      const auto stored = context_.storage.get(path, kSnapshotLimit);
      return stored && name_of(*stored) == name && parse_snapshot(*stored).domain == context_.domain.id;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::damaged) throw;
      return false;
    }
  };
  for (const storage::ObjectInfo& object : context_.storage.list("snapshots/")) {
    stop_if_asked();
    const auto name = name_from_path(object.name);
    if (!name || (!dead.contains(*name) && !never_committed(object.name, *name))) continue;
    context_.storage.remove(object.name);
    ++result_.snapshot_objects_removed;
  }
}

bool Collector::is_due(const PackUsage& pack) const {
  const auto at = condemned_packs().find(pack.name);
  return at != condemned_packs().end() &&
         (exclusive() || context_.clock.now().ns - at->second.time.ns >= options_.grace_ns);
}

bool Collector::is_wasteful(const PackUsage& pack) const {
  if (pack.condemned) return is_due(pack);
  const std::uint64_t unneeded = pack.record_bytes - pack.needed_bytes;
  return unneeded > 0 && static_cast<double>(unneeded) >= options_.waste * static_cast<double>(pack.record_bytes);
}

// The pack's own word for it, whatever an index says. One that cannot be read is left to a check.
bool Collector::belongs_here(const PackUsage& pack) {
  for (const std::uint64_t offset :
       {std::uint64_t(0), std::uint64_t(pack.length - std::min<std::size_t>(pack.length, kPackHeaderSize))}) {
    std::array<std::byte, kPackHeaderSize> bytes{};
    const auto got = context_.storage.get_range(pack_path(pack.name), offset, bytes);
    const auto header = got == kPackHeaderSize ? parse_pack_header(bytes) : std::nullopt;
    if (header) return header->domain == context_.domain.id;
  }
  result_.packs_damaged.push_back(pack.name);
  return false;
}

void Collector::condemn(const std::vector<ObjectName>& packs) {
  for (std::size_t at = 0; at < packs.size(); at += kNamesInEntry) {
    const auto some = std::span(packs).subspan(at, std::min(kNamesInEntry, packs.size() - at));
    append_where_possible([&] { return Condemnation{{some.begin(), some.end()}}; });
  }
  result_.packs_condemned += packs.size();
}

// Nothing in the pack is needed, and its own directory agrees.
bool Collector::may_go(const PackUsage& pack) {
  if (pack.needed_bytes > 0 || !belongs_here(pack)) return false;
  try {
    const PackTable table = read_pack_table(context_.storage, pack.name,
                                            context_.repository.binding(context_.domain.id), context_.domain);
    return std::none_of(table.records.begin(), table.records.end(),
                        [&](const PackRecord& record) { return usage_->must_stay(pack.name, record); });
  } catch (const Error& error) {
    if (error.code() == ErrorCode::not_found) return false;
    if (error.code() != ErrorCode::damaged) throw;
    result_.packs_damaged.push_back(pack.name);
    return false;
  }
}

// With nobody else writing, these entries only state intent and outcome: a full disk must not keep packs from going.
void Collector::append_where_possible(const MakeEvent& make_event) {
  try {
    append_log(context_, make_event);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::no_space || !exclusive()) throw;
  }
}

// After a condemnation: what was committed between the mark and it may need those packs. What is committed later does
// not: it takes the condemnation into account.
std::vector<ObjectName> Collector::still_unneeded(const std::vector<ObjectName>& packs) {
  context_.repository.refresh_log();
  bool any_commit = false;
  for (const auto& [id, snapshot] : log().snapshots)
    any_commit |= snapshot.domain == context_.domain.id && snapshot.commit_number > marked_at_;
  if (!any_commit) return packs;
  for (const SnapshotId& id : log().living(context_.domain.id)) required_.insert(id);
  mark();
  std::vector<ObjectName> unneeded;
  for (const ObjectName& name : packs)
    if (const PackUsage* pack = usage_->find(name); pack != nullptr && pack->needed_bytes == 0)
      unneeded.push_back(name);
  return unneeded;
}

void Collector::remove(const std::vector<ObjectName>& packs) {
  for (std::size_t at = 0; at < packs.size(); at += kNamesInEntry) {
    const auto some = std::span(packs).subspan(at, std::min(kNamesInEntry, packs.size() - at));
    for (const ObjectName& name : some) {
      stop_if_asked();
      const auto length = context_.storage.size(pack_path(name));
      if (!length) continue;  // a collection ended between this and the log entry
      context_.storage.remove(pack_path(name));
      bytes_removed_ += *length;
      ++result_.packs_removed;
    }
    append_where_possible([&] { return Collection{{some.begin(), some.end()}}; });
  }
}

void Collector::collect_unneeded() {
  std::vector<ObjectName> to_condemn;
  std::vector<ObjectName> to_remove;
  for (const PackUsage& pack : usage_->packs()) {
    if ((pack.condemned && !is_due(pack)) || !may_go(pack)) continue;
    if (!pack.condemned) to_condemn.push_back(pack.name);
    if (pack.condemned || exclusive()) to_remove.push_back(pack.name);
  }
  if (!to_condemn.empty()) condemn(to_condemn);
  if (!to_remove.empty()) to_remove = still_unneeded(to_remove);
  // Those that went before an interrupted collection could say so.
  for (const auto& [name, condemned] : condemned_packs())
    if (usage_->find(name) == nullptr && !context_.storage.size(pack_path(name)))
      to_remove.push_back(name);
  if (!to_remove.empty()) remove(to_remove);
}

// The next packs to rewrite: as many as there is surely space for, at least one.
std::vector<PackUsage> Collector::next_batch(std::vector<PackUsage>& waiting) const {
  const auto free = context_.storage.free_bytes();
  const std::uint64_t most = free ? std::min(kBatchBytes, *free / 2) : kBatchBytes;
  std::vector<PackUsage> batch;
  std::uint64_t bytes = 0;
  while (!waiting.empty() && (batch.empty() || bytes + waiting.back().needed_bytes <= most)) {
    bytes += waiting.back().needed_bytes;
    batch.push_back(waiting.back());
    waiting.pop_back();
  }
  return batch;
}

void Collector::put_pack(PackBuilder& builder, Index::Unpublished& written) {
  FinishedPack pack =
      builder.finish(context_.repository.binding(context_.domain.id), context_.domain.current_epoch(), context_.random);
  context_.storage.put(pack_path(pack.name), pack.bytes());
  bytes_written_ += pack.length;
  const auto place = static_cast<std::uint32_t>(written.packs.size());
  written.packs.push_back({pack.name, pack.length});
  for (const PackRecord& record : pack.table.records)
    for (const ChunkRef& chunk : record.info.chunks)
      written.entries.push_back({chunk.id, place, record.offset, record.stored_length, chunk.length});
  builder.reuse(std::move(pack.buffer));
}

void Collector::publish(Index::Unpublished written) {
  if (written.packs.empty()) return;
  const Bytes stored = seal_index(context_.repository.binding(context_.domain.id), context_.domain.current_epoch(),
                                  encode_index(written.packs, std::move(written.entries)), context_.random);
  context_.storage.put(index_path(name_of(stored)), stored);
  bytes_written_ += stored.size();
}

// Copies what is needed of the packs to new ones, durable and in an index when it returns; verbatim, and only out of
// packs whose bytes match their names. Returns the packs that are not needed any more.
std::vector<ObjectName> Collector::copy_needed(const std::vector<PackUsage>& batch) {
  const Binding binding = context_.repository.binding(context_.domain.id);
  std::array<PackBuilder, 2> builders;  // content and metadata stay apart
  Index::Unpublished written;
  std::vector<ObjectName> copied;
  try {
    for (const PackUsage& pack : batch) {
      stop_if_asked();
      const auto bytes = context_.storage.get(pack_path(pack.name), kPackLimit);
      if (!bytes || name_of(*bytes) != pack.name) {
        result_.packs_damaged.push_back(pack.name);
        continue;
      }
      const PackTable table = read_pack_table(*bytes, binding, context_.domain);
      std::size_t found = 0;
      const std::vector<std::uint32_t> needed = usage_->needed_records(pack.name);
      for (const PackRecord& record : table.records) {
        const bool is_needed = std::binary_search(needed.begin(), needed.end(), record.offset);
        if (!is_needed && !usage_->must_stay(pack.name, record)) continue;
        if (is_needed) ++found;
        PackBuilder& builder = builders[record.info.type == static_cast<std::uint8_t>(ChunkType::data) ? 0 : 1];
        if (!builder.fits(record.info, record.stored_length)) put_pack(builder, written);
        builder.add(table.segments[record.segment], record.info,
                    ByteView(*bytes).subspan(record.offset, record.stored_length));
      }
      if (found == needed.size())
        copied.push_back(pack.name);
      else
        result_.packs_damaged.push_back(pack.name);  // the index names records that it does not have
    }
    for (PackBuilder& builder : builders)
      if (!builder.empty()) put_pack(builder, written);
    publish(written);
  } catch (const Error& error) {
    // Nobody knows of these packs yet; where space ran out they would only make it worse.
    if (error.code() == ErrorCode::no_space && exclusive())
      for (const IndexedPack& pack : written.packs) context_.storage.remove(pack_path(pack.name));
    throw;
  }
  return copied;
}

// In steps that need little space: copy, publish, condemn, remove.
void Collector::rewrite() {
  std::vector<PackUsage> waiting;
  for (const PackUsage& pack : usage_->packs())
    if (pack.needed_bytes > 0 && is_wasteful(pack) && belongs_here(pack)) waiting.push_back(pack);
  // From the end: condemned packs first, whose turn it is; then those that free most for what is copied.
  std::sort(waiting.begin(), waiting.end(), [](const PackUsage& a, const PackUsage& b) {
    const auto gain = [](const PackUsage& pack) {
      return static_cast<double>(pack.record_bytes - pack.needed_bytes) / static_cast<double>(pack.needed_bytes);
    };
    return a.condemned != b.condemned ? b.condemned : gain(a) < gain(b);
  });
  while (!waiting.empty()) {
    const std::vector<PackUsage> batch = next_batch(waiting);
    std::vector<ObjectName> copied;
    try {
      copied = copy_needed(batch);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::no_space) throw;
      result_.space = CollectResult::Space::too_little;
      return;
    }
    if (copied.empty()) continue;
    std::vector<ObjectName> to_condemn;
    std::vector<ObjectName> to_remove;
    for (const ObjectName& name : copied) {
      const bool condemned = condemned_packs().contains(name);
      if (!condemned) to_condemn.push_back(name);
      if (condemned || exclusive()) to_remove.push_back(name);
    }
    result_.packs_rewritten += copied.size();
    if (!to_condemn.empty()) condemn(to_condemn);
    if (!to_remove.empty()) remove(still_unneeded(to_remove));
  }
}

void Collector::report() {
  for (const PackUsage& pack : usage_->packs()) {
    const bool unneeded = pack.needed_bytes == 0 && (!pack.condemned || is_due(pack));
    if (!unneeded && !is_wasteful(pack)) continue;
    if (!pack.condemned) ++result_.packs_condemned;
    if (!unneeded) {
      ++result_.packs_rewritten;
      bytes_written_ += pack.needed_bytes;
    }
    if (pack.condemned || exclusive()) {
      ++result_.packs_removed;
      bytes_removed_ += pack.length;
    }
  }
}

CollectResult Collector::run() {
  refuse_shortened_log();
  choose_roots();
  mark();
  result_.packs_before = usage_->packs().size();
  result_.chunks_needed = usage_->chunks_needed();
  if (options_.act == CollectOptions::Act::only_report) {
    report();
  } else {
    remove_snapshot_objects();
    collect_unneeded();
    rewrite();
    merge_indexes(context_);
    context_.repository.drop_index(context_.domain);
  }
  result_.bytes_freed = bytes_removed_ - std::min(bytes_removed_, bytes_written_);
  return result_;
}

}  // namespace

CollectResult& CollectResult::operator+=(const CollectResult& other) {
  packs_before += other.packs_before;
  packs_rewritten += other.packs_rewritten;
  packs_condemned += other.packs_condemned;
  packs_removed += other.packs_removed;
  bytes_freed += other.bytes_freed;
  chunks_needed += other.chunks_needed;
  snapshot_objects_removed += other.snapshot_objects_removed;
  packs_damaged.insert(packs_damaged.end(), other.packs_damaged.begin(), other.packs_damaged.end());
  if (other.space == Space::too_little) space = Space::too_little;
  return *this;
}

CollectResult collect(const WriteContext& context, const CollectOptions& options, std::stop_token stop) {
  return Collector(context, options, std::move(stop)).run();
}

}  // namespace qcbak::repository
