#include "backup/repository/index.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/error.h"
#include "base/unique_fd.h"

namespace qcbak::repository {
namespace {

constexpr std::string_view kMagic = "qcbakix1";
constexpr std::size_t kPackEntry = 36;
constexpr std::size_t kEntry = sizeof(IndexEntry);

[[noreturn]] void malformed() { throw Error(ErrorCode::damaged, "malformed index"); }

bool entry_less(const IndexEntry& a, const IndexEntry& b) {
  return a.id != b.id ? a.id < b.id : a.pack < b.pack;
}

std::uint64_t leading(const std::byte* id) {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | std::to_integer<std::uint64_t>(id[i]);
  return value;
}

}  // namespace

struct IndexSegment::Mapping {
  void* memory = nullptr;
  std::size_t size = 0;
  ~Mapping() {
    if (memory != nullptr) munmap(memory, size);
  }
};

void IndexSegment::attach(ByteView bytes) {
  const auto take = [&bytes](std::size_t size) {
    if (bytes.size() < size) malformed();
    const ByteView taken = bytes.first(size);
    bytes = bytes.subspan(size);
    return taken;
  };
  const std::uint32_t pack_count = load_le<std::uint32_t>(take(4).data());
  if (pack_count > bytes.size() / kPackEntry) malformed();
  packs_.reserve(pack_count);
  for (std::uint32_t i = 0; i < pack_count; ++i) {
    const ByteView pack = take(kPackEntry);
    packs_.push_back({ObjectName(pack.first(32)), load_le<std::uint32_t>(pack.data() + 32)});
  }
  count_ = load_le<std::uint32_t>(take(4).data());
  if (bytes.size() != count_ * kEntry) malformed();
  entries_ = bytes.data();
  for (std::size_t i = 0; i < count_; ++i) {
    const IndexEntry here = entry(i);
    if (here.pack >= pack_count || here.length > kChunkLimit || here.offset > kPackLimit ||
        here.stored_length > kRecordLimit + crypto::kTagSize)
      malformed();
    if (i > 0 && !entry_less(entry(i - 1), here)) malformed();
  }
}

IndexSegment IndexSegment::parse(Bytes plaintext) {
  IndexSegment segment;
  auto owner = std::make_shared<const Bytes>(std::move(plaintext));
  segment.attach(*owner);
  segment.owner_ = std::move(owner);
  return segment;
}

std::optional<IndexSegment> IndexSegment::map_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::nullopt;
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || status.st_size < 40) return std::nullopt;
  auto mapping = std::make_shared<Mapping>();
  mapping->size = static_cast<std::size_t>(status.st_size);
  void* memory = mmap(nullptr, mapping->size, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) return std::nullopt;
  mapping->memory = memory;
  const ByteView all(static_cast<const std::byte*>(memory), mapping->size);
  const ByteView plaintext = all.first(all.size() - 32);
  if (!equal(crypto::sha256(plaintext).view(), all.last(32))) return std::nullopt;
  IndexSegment segment;
  try {
    segment.attach(plaintext);
  } catch (const Error&) {
    return std::nullopt;
  }
  segment.owner_ = std::move(mapping);
  return segment;
}

void IndexSegment::write_file(const std::string& path, ByteView plaintext) {
  Bytes file = to_bytes(plaintext);
  append(file, crypto::sha256(plaintext).view());
  write_file_durably(path, file);
}

IndexEntry IndexSegment::entry(std::size_t place) const {
  const std::byte* at = entries_ + place * kEntry;
  IndexEntry entry;
  entry.id = ChunkId(ByteView(at, 32));
  entry.pack = load_le<std::uint32_t>(at + 32);
  entry.offset = load_le<std::uint32_t>(at + 36);
  entry.stored_length = load_le<std::uint32_t>(at + 40);
  entry.length = load_le<std::uint32_t>(at + 44);
  return entry;
}

// Ids are uniform, so the place is near the id's share of the range: the search starts there and doubles its step.
std::size_t IndexSegment::lower_bound(const ChunkId& id) const {
  if (count_ == 0) return 0;
  const auto below = [&](std::size_t place) { return std::memcmp(entries_ + place * kEntry, id.value.data(), 32) < 0; };
  const std::size_t guess = ((leading(id.value.data()) >> 32) * count_) >> 32;  // count_ has at most 32 bits
  std::size_t low = 0, high = count_, step = 4;
  if (below(guess)) {
    low = guess + 1;
    for (std::size_t at = low + step; at < count_; at += step, step *= 2) {
      if (!below(at)) {
        high = at;
        break;
      }
      low = at + 1;
    }
  } else {
    high = guess;
    while (high > 0) {
      const std::size_t at = high > step ? high - step : 0;
      if (below(at)) {
        low = at + 1;
        break;
      }
      high = at;
      step *= 2;
    }
  }
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (below(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

Bytes encode_index(const std::vector<IndexedPack>& packs, std::vector<IndexEntry> entries) {
  // A chunk that a pack holds twice counts at its first place, whoever writes the index.
  std::sort(entries.begin(), entries.end(), [](const IndexEntry& a, const IndexEntry& b) {
    return entry_less(a, b) || (!entry_less(b, a) && a.offset < b.offset);
  });
  const auto same = [](const IndexEntry& a, const IndexEntry& b) { return a.id == b.id && a.pack == b.pack; };
  entries.erase(std::unique(entries.begin(), entries.end(), same), entries.end());
  Bytes out;
  out.reserve(8 + packs.size() * kPackEntry + entries.size() * kEntry);
  append_le<std::uint32_t>(out, static_cast<std::uint32_t>(packs.size()));
  for (const IndexedPack& pack : packs) {
    append(out, pack.name.view());
    append_le<std::uint32_t>(out, pack.length);
  }
  append_le<std::uint32_t>(out, static_cast<std::uint32_t>(entries.size()));
  for (const IndexEntry& entry : entries) {
    append(out, entry.id.view());
    for (const std::uint32_t value : {entry.pack, entry.offset, entry.stored_length, entry.length})
      append_le<std::uint32_t>(out, value);
  }
  return out;
}

Bytes seal_index(const Binding& binding, const EpochKeys& epoch, ByteView plaintext, Random& random) {
  Bytes out = to_bytes(as_bytes(kMagic));
  append(out, binding.domain.view());
  append(out, seal_with_map_key(binding, epoch.number, epoch.map_key, "index", {}, plaintext, random));
  return out;
}

std::optional<DomainId> index_domain(ByteView stored) {
  if (stored.size() < kMagic.size() + DomainId::kSize || as_text(stored.first(kMagic.size())) != kMagic)
    return std::nullopt;
  return DomainId(stored.subspan(kMagic.size(), DomainId::kSize));
}

Bytes open_index(const Binding& binding, const DomainKeys& domain, ByteView stored) {
  if (index_domain(stored) != binding.domain) malformed();
  const ByteView sealed = stored.subspan(kMagic.size() + DomainId::kSize);
  return open_with_map_key(binding, domain.epoch(sealed_epoch(sealed)).map_key, "index", {}, sealed);
}

std::uint32_t Index::place_of(const IndexedPack& pack, bool counted) {
  const auto [at, added] = numbers_.try_emplace(pack.name, static_cast<std::uint32_t>(packs_.size()));
  if (added) packs_.push_back({pack, counted});
  return at->second;
}

void Index::attach(IndexSegment segment, const std::unordered_set<ObjectName, IdHash<ObjectName>>* present) {
  const std::unique_lock lock(mutex_);
  std::vector<std::uint32_t> places;
  places.reserve(segment.packs().size());
  for (const IndexedPack& pack : segment.packs())
    places.push_back(place_of(pack, present == nullptr || present->contains(pack.name)));
  segments_.push_back({std::move(segment), std::move(places)});
}

void Index::add_segment(IndexSegment segment, const std::unordered_set<ObjectName, IdHash<ObjectName>>& present) {
  attach(std::move(segment), &present);
}

void Index::add_pack(const ObjectName& name, std::uint32_t length, const PackTable& table) {
  std::uint32_t number = 0;
  {
    const std::unique_lock lock(mutex_);
    number = place_of({name, length}, true);
  }
  std::vector<IndexEntry> entries;
  for (const PackRecord& record : table.records)
    for (const ChunkRef& chunk : record.info.chunks)
      entries.push_back({chunk.id, 0, record.offset, record.stored_length, chunk.length});
  for (const IndexEntry& entry : entries) {
    Shard& its_shard = shard(entry.id);
    const std::lock_guard lock(its_shard.mutex);
    its_shard.recent[entry.id] = {number, entry.offset, entry.stored_length, entry.length};
  }
  const std::lock_guard lock(unpublished_mutex_);
  const auto place = static_cast<std::uint32_t>(unpublished_.packs.size());
  unpublished_.packs.push_back({name, length});
  for (IndexEntry& entry : entries) {
    entry.pack = place;
    unpublished_.entries.push_back(entry);
  }
  unpublished_count_ += entries.size();
}

void Index::exclude(const ObjectName& name) {
  const std::unique_lock lock(mutex_);
  if (const auto at = numbers_.find(name); at != numbers_.end()) packs_[at->second].counted = false;
}

bool Index::knows_pack(const ObjectName& name) const {
  const std::shared_lock lock(mutex_);
  return numbers_.contains(name);
}

bool Index::counts(const ObjectName& pack) const {
  const std::shared_lock lock(mutex_);
  const auto at = numbers_.find(pack);
  return at != numbers_.end() && packs_[at->second].counted;
}

ChunkPlace Index::place(const KnownPack& pack, const IndexEntry& entry) const {
  return {pack.pack.name, entry.offset, entry.stored_length, entry.length};
}

std::optional<ChunkPlace> Index::find_in_segments(const ChunkId& id) const {
  for (std::size_t i = segments_.size(); i-- > 0;) {
    const Attached& attached = segments_[i];
    for (std::size_t at = attached.segment.lower_bound(id); at < attached.segment.entry_count(); ++at) {
      const IndexEntry entry = attached.segment.entry(at);
      if (entry.id != id) break;
      const KnownPack& pack = packs_[attached.packs[entry.pack]];
      if (pack.counted) return place(pack, entry);
    }
  }
  return std::nullopt;
}

std::optional<ChunkPlace> Index::find(const ChunkId& id) const {
  const std::shared_lock lock(mutex_);
  {
    Shard& its_shard = shard(id);
    const std::lock_guard shard_lock(its_shard.mutex);
    if (const auto at = its_shard.recent.find(id); at != its_shard.recent.end()) {
      const Recent& recent = at->second;
      if (recent.pack != kClaimed && packs_[recent.pack].counted)
        return ChunkPlace{packs_[recent.pack].pack.name, recent.offset, recent.stored_length, recent.length};
    }
  }
  return find_in_segments(id);
}

std::vector<ChunkPlace> Index::find_all(const ChunkId& id, Which which) const {
  std::vector<ChunkPlace> found;
  const std::shared_lock lock(mutex_);
  {
    Shard& its_shard = shard(id);
    const std::lock_guard shard_lock(its_shard.mutex);
    if (const auto at = its_shard.recent.find(id); at != its_shard.recent.end() && at->second.pack != kClaimed) {
      const KnownPack& pack = packs_[at->second.pack];
      if (pack.counted || which == Which::all)
        found.push_back({pack.pack.name, at->second.offset, at->second.stored_length, at->second.length});
    }
  }
  for (const Attached& attached : segments_) {
    for (std::size_t at = attached.segment.lower_bound(id); at < attached.segment.entry_count(); ++at) {
      const IndexEntry entry = attached.segment.entry(at);
      if (entry.id != id) break;
      const KnownPack& pack = packs_[attached.packs[entry.pack]];
      const auto same = [&](const ChunkPlace& other) { return other.pack == pack.pack.name; };
      if ((pack.counted || which == Which::all) && std::none_of(found.begin(), found.end(), same))
        found.push_back(place(pack, entry));
    }
  }
  return found;
}

bool Index::claim(const ChunkId& id) {
  const std::shared_lock lock(mutex_);
  Shard& its_shard = shard(id);
  const std::lock_guard shard_lock(its_shard.mutex);
  const auto at = its_shard.recent.find(id);
  if (at != its_shard.recent.end() && (at->second.pack == kClaimed || packs_[at->second.pack].counted)) return false;
  if (find_in_segments(id)) return false;
  its_shard.recent[id] = Recent{};
  return true;
}

std::vector<IndexedPack> Index::packs() const {
  const std::shared_lock lock(mutex_);
  std::vector<IndexedPack> counted;
  for (const KnownPack& pack : packs_)
    if (pack.counted) counted.push_back(pack.pack);
  return counted;
}

std::vector<IndexSegment> Index::segments() const {
  std::vector<IndexSegment> segments;
  {
    const std::shared_lock lock(mutex_);
    for (const Attached& attached : segments_) segments.push_back(attached.segment);
  }
  const std::lock_guard lock(unpublished_mutex_);
  if (!unpublished_.packs.empty())
    segments.push_back(IndexSegment::parse(encode_index(unpublished_.packs, unpublished_.entries)));
  return segments;
}

Index::Unpublished Index::take_unpublished() {
  const std::lock_guard lock(unpublished_mutex_);
  unpublished_count_ = 0;
  return std::exchange(unpublished_, {});
}

void Index::publish(IndexSegment segment) {
  std::vector<ChunkId> now_published;
  for (std::size_t i = 0; i < segment.entry_count(); ++i) now_published.push_back(segment.entry(i).id);
  attach(std::move(segment), nullptr);
  for (const ChunkId& id : now_published) {
    Shard& its_shard = shard(id);
    const std::lock_guard lock(its_shard.mutex);
    if (const auto at = its_shard.recent.find(id); at != its_shard.recent.end() && at->second.pack != kClaimed)
      its_shard.recent.erase(at);
  }
}

}  // namespace qcbak::repository
