#include "backup/repository/usage.h"

#include <algorithm>
#include <tuple>

#include "base/error.h"

namespace qcbak::repository {
namespace {

void stop_if_asked(const std::stop_token& stop) {
  if (stop.stop_requested())
    throw Error(ErrorCode::interrupted, "the collection was stopped; the next one goes on from there");
}

}  // namespace

Usage::Usage(const Repository& repository, const DomainKeys& domain, const std::vector<Root>& roots,
             std::stop_token stop)
    : repository_(repository), domain_(domain), binding_(repository.binding(domain.id)), stop_(std::move(stop)) {
  load();
  ChunkReader reader(repository, domain);
  // The required ones first: where a walk broke off, marks stand for what was not walked.
  for (const Root& root : roots)
    if (root.walk == Root::Walk::required) in_context(root.what, [&] { walk(reader, root.reference); });
  for (const Root& root : roots) {
    if (root.walk == Root::Walk::required) continue;
    try {
      walk(reader, root.reference);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::damaged) throw;
    }
  }
  gather_records();
  choose_among_copies();
  for (const Record& record : records_)
    if (record.needed()) packs_[record.pack].needed_bytes += record.length();
}

void Usage::load() {
  std::map<ObjectName, std::uint32_t> lengths;
  for (const storage::ObjectInfo& object : repository_.storage().list("packs/"))
    if (const auto name = name_from_path(object.name)) lengths[*name] = static_cast<std::uint32_t>(object.size_bytes);
  std::size_t count = 0;
  for (IndexSegment& segment : repository_.index(domain_).segments()) {
    Source source{std::move(segment), count, {}};
    for (const IndexedPack& pack : source.segment.packs()) {
      const auto length = lengths.find(pack.name);
      if (length == lengths.end()) {
        source.packs.push_back(kAbsent);
        continue;
      }
      const auto [at, added] = numbers_.try_emplace(pack.name, static_cast<std::uint32_t>(packs_.size()));
      if (added) packs_.push_back({pack.name, length->second, 0, 0, repository_.log().condemned_in(domain_.id).contains(pack.name)});
      source.packs.push_back(at->second);
    }
    count += source.segment.entry_count();
    sources_.push_back(std::move(source));
  }
  marked_.resize(count);
  one_of_several_.resize(count);
}

std::vector<Usage::Place> Usage::places(const ChunkId& id) const {
  std::vector<Place> found;
  for (const Source& source : sources_) {
    for (std::size_t at = source.segment.lower_bound(id); at < source.segment.entry_count(); ++at) {
      const IndexEntry entry = source.segment.entry(at);
      if (entry.id != id) break;
      if (const std::uint32_t pack = source.packs[entry.pack]; pack != kAbsent)
        found.push_back({source.first + at, pack, entry.offset});
    }
  }
  return found;
}

bool Usage::mark(const ChunkId& id) {
  const std::vector<Place> found = places(id);
  if (found.empty()) throw Error(ErrorCode::damaged, "chunk " + id.hex() + " is in no pack");
  if (marked_[found.front().number]) return false;
  marked_[found.front().number] = true;
  ++chunks_needed_;
  // Several index objects may name one place.
  const auto elsewhere = [&](const Place& place) {
    return place.pack != found.front().pack || place.offset != found.front().offset;
  };
  if (std::any_of(found.begin(), found.end(), elsewhere)) {
    with_copies_.push_back(id);
    for (const Place& place : found) one_of_several_[place.number] = true;
  }
  return true;
}

// A reference node is marked when it is walked: the marks also say where a walk has been.
void Usage::walk(ChunkReader& reader, const ChunkId& root) {
  std::vector<ChunkId> waiting{root};
  while (!waiting.empty()) {
    stop_if_asked(stop_);
    const ChunkId at = waiting.back();
    waiting.pop_back();
    if (!mark(at)) continue;
    const ReferenceNode node = parse_reference(reader.load(ChunkType::reference, at));
    mark(node.tree);
    for (const ChunkId& id : node.data) mark(id);
    waiting.insert(waiting.end(), node.children.rbegin(), node.children.rend());
  }
}

void Usage::gather_records() {
  records_.reserve(marked_.size());
  for (const Source& source : sources_) {
    for (std::size_t at = 0; at < source.segment.entry_count(); ++at) {
      const IndexEntry entry = source.segment.entry(at);
      const std::uint32_t pack = source.packs[entry.pack];
      if (pack == kAbsent) continue;
      const std::size_t number = source.first + at;
      const std::uint32_t flags = one_of_several_[number] ? kOneOfSeveral : marked_[number] ? kNeeded : 0;
      records_.push_back({pack, entry.offset, (entry.stored_length & ~(kNeeded | kOneOfSeveral)) | flags});
    }
  }
  std::sort(records_.begin(), records_.end(),
            [](const Record& a, const Record& b) { return a.pack != b.pack ? a.pack < b.pack : a.offset < b.offset; });
  // One for each record of a pack, with the flags of all its chunks.
  std::size_t kept = 0;
  for (std::size_t i = 0; i < records_.size(); ++i) {
    if (kept > 0 && records_[kept - 1].pack == records_[i].pack && records_[kept - 1].offset == records_[i].offset)
      records_[kept - 1].length_and_flags |= records_[i].length_and_flags & (kNeeded | kOneOfSeveral);
    else
      records_[kept++] = records_[i];
  }
  records_.resize(kept);
  for (const Record& record : records_) packs_[record.pack].record_bytes += record.length();
}

// The pack's bytes match its name, and its own directory has the chunk there.
bool Usage::is_good_copy(const ChunkId& id, const Place& place) {
  const auto [whole, first] = whole_.try_emplace(place.pack, false);
  try {
    const ObjectName& name = packs_[place.pack].name;
    if (first) {
      stop_if_asked(stop_);
      const auto bytes = repository_.storage().get(pack_path(name), kPackLimit);
      whole->second = bytes && name_of(*bytes) == name;
    }
    if (!whole->second) return false;
    auto table = tables_.find(place.pack);
    if (table == tables_.end()) {
      if (tables_.size() >= kTablesOpen) tables_.clear();
      table = tables_.emplace(place.pack, read_pack_table(repository_.storage(), name, binding_, domain_)).first;
    }
    return std::any_of(table->second.records.begin(), table->second.records.end(), [&](const PackRecord& record) {
      return record.offset == place.offset &&
             std::any_of(record.info.chunks.begin(), record.info.chunks.end(),
                         [&](const ChunkRef& chunk) { return chunk.id == id; });
    });
  } catch (const Error& error) {
    if (error.code() != ErrorCode::damaged && error.code() != ErrorCode::not_found) throw;
    return false;
  }
}

// A chunk that lies in several places is needed from one of them: from a pack that stays rather than from one that is
// condemned, from a record that is needed anyway, from the pack that is needed most. A copy is relied on only after it
// was seen to be good: giving up the good one of two would be a loss.
void Usage::choose_among_copies() {
  std::vector<std::uint64_t> perhaps_needed(packs_.size());
  for (const Record& record : records_)
    if ((record.length_and_flags & (kNeeded | kOneOfSeveral)) != 0) perhaps_needed[record.pack] += record.length();
  for (const ChunkId& id : with_copies_) {
    std::vector<Place> candidates = places(id);
    const auto share = [&](const Place& place) {
      return static_cast<double>(perhaps_needed[place.pack]) /
             static_cast<double>(std::max<std::uint64_t>(packs_[place.pack].record_bytes, 1));
    };
    const auto better = [&](const Place& a, const Place& b) {
      const auto rank = [&](const Place& place) {
        return std::tuple(packs_[place.pack].condemned, !record(place.pack, place.offset).needed(), -share(place),
                          place.pack, place.offset);
      };
      return rank(a) < rank(b);
    };
    std::sort(candidates.begin(), candidates.end(), better);
    const auto chosen =
        std::find_if(candidates.begin(), candidates.end(), [&](const Place& place) { return is_good_copy(id, place); });
    const auto need = [&](const Place& place) { record(place.pack, place.offset).length_and_flags |= kNeeded; };
    if (chosen != candidates.end())
      need(*chosen);
    else
      std::for_each(candidates.begin(), candidates.end(), need);
  }
}

std::vector<Usage::Record>::const_iterator Usage::first_record(std::uint32_t pack) const {
  return std::lower_bound(records_.begin(), records_.end(), pack,
                          [](const Record& record, std::uint32_t number) { return record.pack < number; });
}

Usage::Record& Usage::record(std::uint32_t pack, std::uint32_t offset) {
  const auto at = std::lower_bound(records_.begin(), records_.end(), std::pair(pack, offset),
                                   [](const Record& record, const std::pair<std::uint32_t, std::uint32_t>& place) {
                                     return std::pair(record.pack, record.offset) < place;
                                   });
  check(at != records_.end() && at->pack == pack && at->offset == offset, "every place of the index is in a record");
  return *at;
}

const PackUsage* Usage::find(const ObjectName& pack) const {
  const auto at = numbers_.find(pack);
  return at == numbers_.end() ? nullptr : &packs_[at->second];
}

std::vector<std::uint32_t> Usage::needed_records(const ObjectName& pack) const {
  const std::uint32_t number = numbers_.at(pack);
  std::vector<std::uint32_t> offsets;
  for (auto at = first_record(number); at != records_.end() && at->pack == number; ++at)
    if (at->needed()) offsets.push_back(at->offset);
  return offsets;
}

bool Usage::must_stay(const ObjectName& pack, const PackRecord& in_pack) {
  const std::uint32_t number = numbers_.at(pack);
  for (const ChunkRef& chunk : in_pack.info.chunks) {
    const std::vector<Place> found = places(chunk.id);
    if (found.empty() || !marked_[found.front().number]) continue;
    const auto is_elsewhere = [&](const Place& place) {
      return (place.pack != number || place.offset != in_pack.offset) && record(place.pack, place.offset).needed() &&
             is_good_copy(chunk.id, place);
    };
    if (std::none_of(found.begin(), found.end(), is_elsewhere)) return true;
  }
  return false;
}

}  // namespace qcbak::repository
