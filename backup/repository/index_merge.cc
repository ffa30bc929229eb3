#include <algorithm>
#include <map>

#include "backup/repository/collect.h"
#include "base/error.h"

namespace qcbak::repository {
namespace {

constexpr std::size_t kManyIndexObjects = 16;
constexpr std::size_t kMergedEntries = 256U << 10;  // 12 MiB: a few times that is in memory while one is made
constexpr std::size_t kSmallEntries = kMergedEntries / 2;

using Names = std::unordered_set<ObjectName, IdHash<ObjectName>>;

struct Input {
  ObjectName object;
  IndexSegment segment;
  std::vector<bool> present;  // by place in the segment's list of packs
  std::size_t packs_present = 0;
};

std::vector<Input> read_inputs(const WriteContext& context) {
  std::vector<Input> inputs;
  for (const storage::ObjectInfo& object : context.storage.list("indexes/")) {
    const auto name = name_from_path(object.name);
    if (!name) continue;
    try {
      auto segment = context.repository.index_object(context.domain, *name);
      if (segment) inputs.push_back({*name, std::move(*segment), {}, 0});
    } catch (const Error& error) {
      if (error.code() != ErrorCode::damaged) throw;
      // What cannot be read is left to a check, which names it.
    }
  }
  // Listed afterwards: packs are put before the index object that names them, so what is not here was removed.
  Names present;
  for (const storage::ObjectInfo& object : context.storage.list("packs/"))
    if (const auto name = name_from_path(object.name)) present.insert(*name);
  for (Input& input : inputs) {
    for (const IndexedPack& pack : input.segment.packs()) {
      input.present.push_back(present.contains(pack.name));
      input.packs_present += input.present.back() ? 1 : 0;
    }
  }
  return inputs;
}

// Calls `visit(entry, pack)` for each entry of a pack that is there.
template <class Visit>
void for_each_present(const Input& input, const Visit& visit) {
  for (std::size_t at = 0; at < input.segment.entry_count(); ++at) {
    const IndexEntry entry = input.segment.entry(at);
    if (input.present[entry.pack]) visit(entry, input.segment.packs()[entry.pack]);
  }
}

bool holds(const IndexSegment& segment, const IndexEntry& wanted, const ObjectName& pack) {
  for (std::size_t at = segment.lower_bound(wanted.id); at < segment.entry_count(); ++at) {
    const IndexEntry entry = segment.entry(at);
    if (entry.id != wanted.id) return false;
    if (segment.packs()[entry.pack].name == pack)
      return entry.offset == wanted.offset && entry.stored_length == wanted.stored_length &&
             entry.length == wanted.length;
  }
  return false;
}

// Which packs go together into one object: each whole, so that a lost index object never leaves half a pack known.
std::vector<std::vector<IndexedPack>> group_packs(const std::vector<Input>& inputs) {
  std::map<ObjectName, std::pair<std::uint32_t, std::size_t>> packs;  // length, and most entries any input has
  for (const Input& input : inputs) {
    std::vector<std::size_t> entries(input.segment.packs().size());
    for (std::size_t at = 0; at < input.segment.entry_count(); ++at) ++entries[input.segment.entry(at).pack];
    for (std::size_t place = 0; place < entries.size(); ++place) {
      if (!input.present[place]) continue;
      const IndexedPack& pack = input.segment.packs()[place];
      auto& [length, most] = packs[pack.name];
      length = pack.length;
      most = std::max(most, entries[place]);
    }
  }
  std::vector<std::vector<IndexedPack>> groups;
  std::size_t in_group = 0;
  for (const auto& [name, pack] : packs) {
    if (groups.empty() || in_group + pack.second > kMergedEntries) {
      groups.emplace_back();
      in_group = 0;
    }
    in_group += pack.second;
    groups.back().push_back({name, pack.first});
  }
  return groups;
}

Bytes merge_group(const std::vector<Input>& inputs, const std::vector<IndexedPack>& group) {
  std::map<ObjectName, std::uint32_t> places;
  for (const IndexedPack& pack : group) places.emplace(pack.name, static_cast<std::uint32_t>(places.size()));
  std::vector<IndexEntry> entries;
  for (const Input& input : inputs) {
    for_each_present(input, [&](const IndexEntry& entry, const IndexedPack& pack) {
      const auto at = places.find(pack.name);
      if (at == places.end()) return;
      entries.push_back(entry);
      entries.back().pack = at->second;
    });
  }
  return encode_index(group, std::move(entries));
}

// Every entry of the inputs for the packs of `merged` is in it, and nothing else is.
bool equals_inputs(const IndexSegment& merged, const std::vector<Input>& inputs) {
  Names packs;
  for (const IndexedPack& pack : merged.packs()) packs.insert(pack.name);
  std::size_t distinct = 0;
  bool all_held = true;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    for_each_present(inputs[i], [&](const IndexEntry& entry, const IndexedPack& pack) {
      if (!packs.contains(pack.name)) return;
      all_held = all_held && holds(merged, entry, pack.name);
      const bool before = std::any_of(inputs.begin(), inputs.begin() + static_cast<std::ptrdiff_t>(i),
                                      [&](const Input& earlier) { return holds(earlier.segment, entry, pack.name); });
      if (!before) ++distinct;
    });
  }
  return all_held && distinct == merged.entry_count();
}

// False: the inputs disagree about a pack. They stay as they are; a check compares them with the pack and names it.
bool put_merged(const WriteContext& context, const std::vector<Input>& inputs, const std::vector<IndexedPack>& group) {
  Bytes plaintext = merge_group(inputs, group);
  const Bytes stored = seal_index(context.repository.binding(context.domain.id), context.domain.current_epoch(),
                                  plaintext, context.random);
  // What is compared is what a reader will get: opened again from the bytes that are put.
  const IndexSegment merged =
      IndexSegment::parse(open_index(context.repository.binding(context.domain.id), context.domain, stored));
  if (!equals_inputs(merged, inputs)) return false;
  const ObjectName name = name_of(stored);
  context.storage.put(index_path(name), stored);
  const auto kept = context.storage.get(index_path(name), kIndexLimit);
  if (!kept || name_of(*kept) != name)
    throw Error(ErrorCode::io, "the storage did not keep the index object that it was given");
  return true;
}

}  // namespace

void merge_indexes(const WriteContext& context) {
  std::vector<Input> inputs = read_inputs(context);
  const auto is_small = [](const Input& input) { return input.segment.entry_count() < kSmallEntries; };
  const bool many = static_cast<std::size_t>(std::count_if(inputs.begin(), inputs.end(), is_small)) > kManyIndexObjects;
  std::vector<Input> merging;
  for (Input& input : inputs) {
    if (input.packs_present == 0)
      context.storage.remove(index_path(input.object));
    else if (input.packs_present < input.present.size() || (many && is_small(input)))
      merging.push_back(std::move(input));
  }
  if (merging.empty()) return;
  try {
    for (const std::vector<IndexedPack>& group : group_packs(merging))
      if (!put_merged(context, merging, group)) return;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::no_space) throw;
    return;
  }
  for (const Input& input : merging) context.storage.remove(index_path(input.object));
}

}  // namespace qcbak::repository
