// Where each chunk of a domain lies: a cache of the pack directories. docs/format.md "Index".
#pragma once

#include <atomic>
#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "backup/repository/pack.h"

namespace qcbak::repository {

// As stored, and as held in memory.
struct IndexEntry {
  ChunkId id;
  std::uint32_t pack = 0;  // place in a list of packs
  std::uint32_t offset = 0;
  std::uint32_t stored_length = 0;
  std::uint32_t length = 0;  // of the chunk
};
static_assert(sizeof(IndexEntry) == 48);

struct IndexedPack {
  ObjectName name;
  std::uint32_t length = 0;
};

// One index object's plaintext, checked: entries in order, places in range. Backed by memory or by a file map.
class IndexSegment {
 public:
  // Error(damaged).
  static IndexSegment parse(Bytes plaintext);
  // From and to a local file of the plaintext and its hash. Nothing: no such file, or not intact.
  static std::optional<IndexSegment> map_file(const std::string& path);
  static void write_file(const std::string& path, ByteView plaintext);

  const std::vector<IndexedPack>& packs() const { return packs_; }
  std::size_t entry_count() const { return count_; }
  IndexEntry entry(std::size_t place) const;
  // The first place whose id is not less than `id`.
  std::size_t lower_bound(const ChunkId& id) const;

 private:
  struct Mapping;
  IndexSegment() = default;
  void attach(ByteView plaintext);
  std::shared_ptr<const void> owner_;  // shared: segments are copied with the index while readers hold them
  std::vector<IndexedPack> packs_;
  const std::byte* entries_ = nullptr;
  std::size_t count_ = 0;
};

// `entries` need not be in order.
Bytes encode_index(const std::vector<IndexedPack>& packs, std::vector<IndexEntry> entries);

Bytes seal_index(const Binding& binding, const EpochKeys& epoch, ByteView plaintext, Random& random);
Bytes open_index(const Binding& binding, const DomainKeys& domain, ByteView stored);  // Error(damaged)
// The domain an index object belongs to; nothing when it is no index.
std::optional<DomainId> index_domain(ByteView stored);

struct ChunkPlace {
  ObjectName pack;
  std::uint32_t offset = 0;
  std::uint32_t stored_length = 0;
  std::uint32_t length = 0;
};

// All that is known of one domain. Thread-safe.
class Index {
 public:
  // Packs count only when they are in `present` (what the storage lists); entries of others count for nothing.
  void add_segment(IndexSegment segment, const std::unordered_set<ObjectName, IdHash<ObjectName>>& present);
  // A pack that no index object lists yet: found by its own directory, or just stored.
  void add_pack(const ObjectName& name, std::uint32_t length, const PackTable& table);
  // From now on the chunks of this pack count as absent.
  void exclude(const ObjectName& name);

  bool knows_pack(const ObjectName& name) const;
  bool counts(const ObjectName& pack) const;  // known, there, and not excluded
  bool contains(const ChunkId& id) const { return find(id).has_value(); }
  std::optional<ChunkPlace> find(const ChunkId& id) const;
  // Every place, also in excluded packs when asked.
  enum class Which { counted, all };
  std::vector<ChunkPlace> find_all(const ChunkId& id, Which which) const;

  // True: the chunk is absent, and now the caller's to store. False: it is there, or somebody stores it.
  bool claim(const ChunkId& id);

  std::vector<IndexedPack> packs() const;  // that count
  // What it was made of: the index objects, and as the last one what no index object holds. The entries are shared.
  std::vector<IndexSegment> segments() const;
  std::size_t unpublished_entries() const { return unpublished_count_.load(std::memory_order_relaxed); }
  // What no index object holds yet; the packs are then held to be published.
  struct Unpublished {
    std::vector<IndexedPack> packs;
    std::vector<IndexEntry> entries;
  };
  Unpublished take_unpublished();
  // Replaces what take_unpublished() gave by its published form.
  void publish(IndexSegment segment);

 private:
  static constexpr std::uint32_t kClaimed = UINT32_MAX;
  static constexpr std::size_t kShards = 16;
  struct Recent {
    std::uint32_t pack = kClaimed;
    std::uint32_t offset = 0;
    std::uint32_t stored_length = 0;
    std::uint32_t length = 0;
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<ChunkId, Recent, IdHash<ChunkId>> recent;
  };
  struct Attached {
    IndexSegment segment;
    std::vector<std::uint32_t> packs;  // the segment's places in packs_
  };
  struct KnownPack {
    IndexedPack pack;
    bool counted = true;
  };

  Shard& shard(const ChunkId& id) const { return shards_[std::to_integer<std::size_t>(id.value[31]) % kShards]; }
  std::uint32_t place_of(const IndexedPack& pack, bool counted);
  void attach(IndexSegment segment, const std::unordered_set<ObjectName, IdHash<ObjectName>>* present);
  ChunkPlace place(const KnownPack& pack, const IndexEntry& entry) const;
  std::optional<ChunkPlace> find_in_segments(const ChunkId& id) const;  // with mutex_ held

  mutable std::shared_mutex mutex_;  // packs_, numbers_, segments_
  std::vector<KnownPack> packs_;
  std::unordered_map<ObjectName, std::uint32_t, IdHash<ObjectName>> numbers_;
  std::vector<Attached> segments_;
  mutable std::array<Shard, kShards> shards_;

  mutable std::mutex unpublished_mutex_;
  Unpublished unpublished_;
  std::atomic<std::size_t> unpublished_count_ = 0;
};

}  // namespace qcbak::repository
