#include "backup/verify.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "backup/pack_scan.h"
#include "backup/tree_check.h"
#include "base/error.h"

namespace qcbak {

using repository::ChunkId;
using repository::DomainId;
using repository::DomainKeys;
using repository::ObjectName;
using repository::Repository;
using repository::SnapshotId;
using repository::SnapshotState;
using repository::StoredSnapshot;
using Kind = VerifyFinding::Kind;

namespace {

using NameSet = std::unordered_set<ObjectName, IdHash<ObjectName>>;

// An object's bytes, or why there are none. What the medium cannot read is a finding as well.
struct Fetched {
  std::optional<Bytes> bytes;
  bool is_missing = false;
  std::string what;

  Kind kind() const { return is_missing ? Kind::missing : Kind::damaged; }
};
Fetched fetch(const storage::ReadStorage& storage, const std::string& path, std::uint64_t limit) {
  try {
    if (auto stored = storage.get(path, limit)) return {std::move(stored), false, {}};
    return {std::nullopt, true, "it is missing"};
  } catch (const Error& error) {
    if (error.code() != ErrorCode::io && error.code() != ErrorCode::damaged) throw;
    return {std::nullopt, false, error.what()};
  }
}

bool is_damage(const Error& error) {
  return error.code() == ErrorCode::damaged || error.code() == ErrorCode::not_found;
}

// Where each chunk of a domain lies, from the packs' own directories.
class Directories {
 public:
  void add(const ObjectName& pack, std::uint64_t length, const repository::PackTable& table) {
    const auto place = static_cast<std::uint32_t>(packs_.size());
    packs_.push_back({pack, static_cast<std::uint32_t>(length)});
    std::uint32_t count = 0;
    for (const repository::PackRecord& record : table.records) {
      for (const repository::ChunkRef& chunk : record.info.chunks)
        entries_.push_back({chunk.id, place, record.offset, record.stored_length, chunk.length});
      count += static_cast<std::uint32_t>(record.info.chunks.size());
    }
    chunk_counts_[pack] = count;
    if (entries_.size() >= kBatch) finish();
  }
  // Now everything that was added can be found.
  void finish() {
    if (packs_.empty()) return;
    NameSet present;
    for (const repository::IndexedPack& pack : packs_) present.insert(pack.name);
    index_.add_segment(repository::IndexSegment::parse(encode_index(packs_, std::move(entries_))), present);
    packs_.clear();
    entries_ = {};
  }
  const repository::Index& index() const { return index_; }
  bool knows(const ObjectName& pack) const { return chunk_counts_.contains(pack); }
  // Of the pack's directory, a chunk that it holds twice counted twice.
  std::uint32_t chunk_count(const ObjectName& pack) const { return chunk_counts_.at(pack); }

 private:
  static constexpr std::size_t kBatch = std::size_t(1) << 20;  // entries, 48 MiB
  std::vector<repository::IndexedPack> packs_;
  std::vector<repository::IndexEntry> entries_;
  std::unordered_map<ObjectName, std::uint32_t, IdHash<ObjectName>> chunk_counts_;
  repository::Index index_;
};

struct Domain {
  const DomainKeys* keys = nullptr;
  Directories directories;
  // Chunks that an index places in packs which are missing or cannot be read.
  std::unordered_map<ChunkId, std::vector<ObjectName>, IdHash<ChunkId>> orphans;
  NameSet indexed;  // packs that some index object lists
};

class Verification {
 public:
  Verification(const Repository& repository, const VerifyOptions& options, Progress& progress, std::stop_token stop)
      : repository_(repository),
        storage_(repository.storage()),
        options_(options),
        progress_(progress),
        stop_(std::move(stop)) {
    for (const DomainKeys& keys : repository.domains()) domains_[keys.id].keys = &keys;
  }

  VerifyResult run() {
    choose_snapshots();
    list_objects();
    check_config();
    check_log();
    check_keys();
    check_packs();
    check_indexes();
    catch_up();
    check_snapshots();
    check_other_snapshot_objects();
    finish();
    return std::move(result_);
  }

 private:
  DamageNumber add(Kind kind, std::string object, std::string what) {
    if (kind != Kind::superfluous) ++progress_.problems;
    VerifyFinding finding;
    finding.kind = kind;
    finding.object = std::move(object);
    finding.what = std::move(what);
    result_.findings.push_back(std::move(finding));
    return static_cast<DamageNumber>(result_.findings.size() - 1);
  }
  // One finding of a pack, however often it is met.
  DamageNumber pack_finding(const ObjectName& name, Kind kind, const std::string& what) {
    const auto [at, added] = pack_findings_.try_emplace(name, 0);
    if (added) at->second = add(kind, repository::pack_path(name), what);
    return at->second;
  }

  void choose_snapshots();
  void list_objects();
  void check_config();
  void check_log();
  void check_log_entry(std::uint64_t number, std::optional<crypto::Sha256>& previous);
  void note_entry(const repository::LogEntry& entry);
  void check_keys();
  bool is_turn_of(const ObjectName& pack) const;
  std::optional<NameSet> packs_of_chosen() const;
  void check_packs();
  void take_pack(PackFindings&& pack);
  void check_indexes();
  void check_index(const ObjectName& name);
  void check_index_entries(const std::string& path, Domain& domain, const repository::IndexSegment& segment);
  void catch_up();
  void check_snapshots();
  void check_snapshot(const SnapshotId& id, const SnapshotState& state, Domain* domain, TreeCheck* trees);
  void check_pack_list(const SnapshotId& id, const std::vector<ObjectName>& packs);
  void name_files();
  DamageSet lost(Domain& domain, const ChunkId& id);
  void check_other_snapshot_objects();
  void finish();

  const Repository& repository_;
  const storage::ReadStorage& storage_;
  const VerifyOptions& options_;
  Progress& progress_;
  std::stop_token stop_;
  VerifyResult result_;

  std::map<DomainId, Domain> domains_;  // unlocked
  std::map<SnapshotId, SnapshotState> chosen_;

  std::map<ObjectName, std::uint64_t> packs_;  // as listed, with their lengths
  std::vector<ObjectName> indexes_, snapshots_, keys_;
  std::set<std::uint64_t> log_numbers_;

  // From the log.
  std::set<ObjectName> keys_added_, keys_removed_;
  NameSet rightly_gone_;  // packs that were collected, or are about to be
  std::unordered_map<ObjectName, SnapshotId, IdHash<ObjectName>> committed_;

  std::map<ObjectName, DamageNumber> pack_findings_;
  std::map<ObjectName, std::vector<std::uint32_t>> bad_records_;  // of packs whose directory could be read
  NameSet vanished_;                                              // listed, and not there when they were read
  std::map<std::string, DamageNumber> nonsense_;

  // While one snapshot is walked.
  struct Walked {
    std::string object;
    std::vector<ObjectName> suspects;  // packs it lists that are missing or cannot be read
  } walked_;
  struct Affected {
    SnapshotId id;
    Domain* domain = nullptr;
    TreeCheck* trees = nullptr;
    ChunkId reference_root;
    ChunkId directory;
  };
  std::vector<Affected> affected_;  // whose files can be named
  std::vector<std::unordered_set<std::uint64_t>> files_seen_;
};

void Verification::choose_snapshots() {
  const auto& all = repository_.log().snapshots;
  if (options_.snapshots.empty()) {
    for (const auto& [id, state] : all)
      if (state.tombstone_number == 0) chosen_.emplace(id, state);
    return;
  }
  for (const SnapshotId& id : options_.snapshots) {
    const auto at = all.find(id);
    if (at == all.end() || at->second.tombstone_number != 0)
      throw Error(ErrorCode::not_found, "no snapshot " + id.hex());
    chosen_.emplace(id, at->second);
  }
}

void Verification::list_objects() {
  for (const storage::ObjectInfo& object : storage_.list("")) {
    const std::string& path = object.name;
    const auto name = repository::name_from_path(path);
    if (path == repository::kConfigPath) continue;
    if (name && path == repository::pack_path(*name)) {
      packs_.emplace(*name, object.size_bytes);
    } else if (name && path == repository::index_path(*name)) {
      indexes_.push_back(*name);
    } else if (name && path == repository::snapshot_path(*name)) {
      snapshots_.push_back(*name);
    } else if (name && path == repository::key_path(*name)) {
      keys_.push_back(*name);
    } else {
      std::uint64_t number = 0;
      constexpr std::size_t kLogPathSize = 16;
      if (path.starts_with("log/") && path.size() == kLogPathSize &&
          path.find_first_not_of("0123456789", 4) == std::string::npos)
        number = std::stoull(path.substr(4));
      if (number > 0) log_numbers_.insert(number);
      else add(Kind::superfluous, path, "it is no object of a repository");
    }
  }
}

void Verification::check_config() {
  const std::string path(repository::kConfigPath);
  const Fetched stored = fetch(storage_, path, repository::kConfigLimit);
  if (!stored.bytes) add(stored.kind(), path, stored.what);
  else if (crypto::sha256(*stored.bytes) != repository_.config_hash())
    add(Kind::damaged, path, "it is not the one that everything here is bound to");
}

void Verification::note_entry(const repository::LogEntry& entry) {
  if (const auto* event = std::get_if<repository::KeyEvent>(&entry.event)) {
    keys_added_.insert(event->added.begin(), event->added.end());
    for (const ObjectName& name : event->added) keys_removed_.erase(name);
    keys_removed_.insert(event->removed.begin(), event->removed.end());
  }
  if (const auto* event = std::get_if<repository::Commit>(&entry.event)) committed_[event->object] = event->snapshot;
  if (const auto* event = std::get_if<repository::Condemnation>(&entry.event))
    rightly_gone_.insert(event->packs.begin(), event->packs.end());
  if (const auto* event = std::get_if<repository::Collection>(&entry.event))
    rightly_gone_.insert(event->packs.begin(), event->packs.end());
}

// `previous`: the hash of the entry before, unless that one is damaged.
void Verification::check_log_entry(std::uint64_t number, std::optional<crypto::Sha256>& previous) {
  const std::string path = repository::log_path(number);
  const Fetched stored = fetch(storage_, path, repository::kLogEntryLimit);
  const auto expected = std::exchange(previous, std::nullopt);
  if (!stored.bytes) {
    add(stored.kind(), path, stored.what);
    return;
  }
  try {
    const repository::LogEntry entry = repository::parse_log_entry(repository_.config_hash(), *stored.bytes);
    if (entry.number != number || (expected && entry.previous != *expected))
      throw Error(ErrorCode::damaged, "it does not follow the entry before");
    if (const DomainKeys* keys = repository_.find_domain(entry.domain)) {
      repository::LogEntry opened = entry;
      repository::open_log_details(repository_.binding(entry.domain), *keys, opened);
    }
    previous = crypto::sha256(*stored.bytes);
    note_entry(entry);
    ++result_.log_entries;
  } catch (const Error& error) {
    if (!is_damage(error)) throw;
    add(Kind::damaged, path, error.what());
  }
}

// The repository was opened from this log, or from a copy of it in a cache: the stored entries are looked at here.
void Verification::check_log() {
  const repository::LogHead head = repository_.log().head;
  std::optional<crypto::Sha256> previous = repository_.config_hash();
  for (std::uint64_t number = 1; number <= head.number; ++number) check_log_entry(number, previous);
  if (previous && *previous != head.hash)
    add(Kind::damaged, repository::log_path(head.number), "it is not the entry that was there when the repository was opened");
  // Entries put since have no gap before them.
  const auto beyond = log_numbers_.upper_bound(head.number);
  if (beyond != log_numbers_.end() && *beyond != head.number + 1)
    add(Kind::missing, repository::log_path(head.number + 1),
        "later entries are there, and cannot be read without it: what they say is not known");
}

void Verification::check_keys() {
  const std::set<ObjectName> present(keys_.begin(), keys_.end());
  std::set<DomainId> whole;  // domains with slots or grants in the repository itself
  for (const ObjectName& name : keys_) {
    const std::string path = repository::key_path(name);
    try {
      const Fetched stored = fetch(storage_, path, repository::kKeyObjectLimit);
      if (!stored.bytes) throw Error(ErrorCode::damaged, stored.what);
      if (repository::name_of(*stored.bytes) != name) throw Error(ErrorCode::damaged, "its bytes do not match its name");
      if (!keys_added_.contains(name)) {
        add(Kind::superfluous, path, "no entry of the log names it");
        continue;
      }
      const repository::KeyObject key = repository::parse_key_object(repository_.config_hash(), *stored.bytes);
      if (std::holds_alternative<repository::SlotObject>(key.content) ||
          std::holds_alternative<repository::GrantObject>(key.content))
        whole.insert(key.domain);
    } catch (const Error& error) {
      if (!is_damage(error)) throw;
      add(Kind::damaged, path, error.what());
    }
  }
  bool any_apart = false;  // a domain none of whose slots and grants are here: made with its keys apart
  for (const DomainId& domain : repository_.log().keys.domains()) any_apart |= !whole.contains(domain);
  for (const ObjectName& name : keys_added_) {
    if (present.contains(name) || keys_removed_.contains(name)) continue;
    const auto& counted = repository_.log().keys.objects();
    const auto at = counted.find(name);
    const bool brought_along = at != counted.end();
    if (brought_along ? whole.contains(at->second.domain) : !any_apart)
      add(Kind::missing, repository::key_path(name),
          brought_along ? "it is only in the folder of keys that was named" : "it is missing");
  }
}

bool Verification::is_turn_of(const ObjectName& pack) const {
  if (options_.sample >= 1) return true;
  const double share = std::max(0.0, options_.sample);
  std::uint64_t leading = 0;
  for (std::size_t i = 0; i < 8; ++i) leading = leading << 8 | std::to_integer<std::uint64_t>(pack.value[i]);
  const double place = std::ldexp(static_cast<double>(leading >> 11), -53);
  const double start = std::fmod(static_cast<double>(options_.day) * share, 1.0);
  return std::fmod(place - start + 1.0, 1.0) < share;
}

// Nothing: all of them. A snapshot's pack list is what it was at the commit; where its chunks went since, the reference
// tree tells.
std::optional<NameSet> Verification::packs_of_chosen() const {
  if (options_.snapshots.empty()) return std::nullopt;
  NameSet wanted;
  for (const auto& [id, state] : chosen_) {
    try {
      const StoredSnapshot stored = repository_.stored_snapshot(state);
      wanted.insert(stored.packs.begin(), stored.packs.end());
      const DomainKeys* keys = repository_.find_domain(state.domain);
      if (keys == nullptr) continue;
      const repository::Index& index = repository_.index(*keys);
      const auto want = [&](const ChunkId& chunk) {
        for (const repository::ChunkPlace& place : index.find_all(chunk, repository::Index::Which::all))
          wanted.insert(place.pack);
      };
      repository::ChunkReader reader(repository_, *keys, index);
      std::unordered_set<ChunkId, IdHash<ChunkId>> seen;
      walk_references(reader, repository_.snapshot(id).header.reference_root, seen,
                      [&](const ChunkId& reference, const repository::ReferenceNode& node) {
                        want(reference);
                        want(node.tree);
                        for (const ChunkId& chunk : node.data) want(chunk);
                      });
    } catch (const Error& error) {
      if (!is_damage(error)) throw;
      return std::nullopt;
    }
  }
  return wanted;
}

void Verification::check_packs() {
  const std::optional<NameSet> wanted = packs_of_chosen();
  const PackDepth full = options_.data == VerifyOptions::Data::read ? PackDepth::records : PackDepth::bytes;
  std::vector<PackJob> jobs;
  std::uint64_t total = 0;
  for (const auto& [name, size] : packs_) {
    const bool whole = (!wanted || wanted->contains(name)) && is_turn_of(name);
    jobs.push_back({name, size, whole ? full : PackDepth::table});
    if (whole) total += size;
  }
  progress_.total_bytes += total;
  scan_packs(repository_, jobs, options_.threads, progress_, stop_,
             [this](PackFindings&& pack) { take_pack(std::move(pack)); });
  for (auto& [id, domain] : domains_) domain.directories.finish();
}

void Verification::take_pack(PackFindings&& pack) {
  ++result_.packs;
  if (pack.bytes_read > 0) ++result_.packs_read;
  result_.bytes_read += pack.bytes_read;
  switch (pack.state) {
    case PackFindings::State::missing: vanished_.insert(pack.name); return;
    case PackFindings::State::foreign: add(Kind::superfluous, repository::pack_path(pack.name), pack.what); return;
    case PackFindings::State::damaged: pack_finding(pack.name, Kind::damaged, pack.what); break;
    case PackFindings::State::good: break;
  }
  if (!pack.table) return;
  for (const repository::PackRecord& record : pack.table->records) result_.chunks += record.info.chunks.size();
  if (!pack.bad_records.empty()) {
    std::sort(pack.bad_records.begin(), pack.bad_records.end());
    bad_records_.emplace(pack.name, std::move(pack.bad_records));
  }
  domains_.at(*pack.domain).directories.add(pack.name, packs_.at(pack.name), *pack.table);
}

void Verification::check_indexes() {
  for (const ObjectName& name : indexes_) {
    if (stop_.stop_requested()) throw Error(ErrorCode::interrupted, "asked to stop");
    check_index(name);
  }
  // Found by its own directory each time the repository is opened, which only takes longer.
  for (auto& [id, domain] : domains_)
    for (const auto& [name, size] : packs_)
      if (domain.directories.knows(name) && !domain.indexed.contains(name) && !rightly_gone_.contains(name) &&
          !pack_findings_.contains(name))
        add(Kind::superfluous, repository::pack_path(name), "no index lists it");
}

void Verification::check_index(const ObjectName& name) {
  const std::string path = repository::index_path(name);
  try {
    const Fetched stored = fetch(storage_, path, repository::kIndexLimit);
    if (stored.is_missing) return;  // a merge or a collection put another in its place meanwhile
    if (!stored.bytes) throw Error(ErrorCode::damaged, stored.what);
    result_.bytes_read += stored.bytes->size();
    if (repository::name_of(*stored.bytes) != name) throw Error(ErrorCode::damaged, "its bytes do not match its name");
    const auto its_domain = repository::index_domain(*stored.bytes);
    if (!its_domain) throw Error(ErrorCode::damaged, "it is no index");
    if (repository_.log().keys.domain(*its_domain) == nullptr) {
      add(Kind::superfluous, path, "it belongs to no domain of this repository");
      return;
    }
    const auto at = domains_.find(*its_domain);
    if (at == domains_.end()) return;
    check_index_entries(path, at->second,
                        repository::IndexSegment::parse(
                            open_index(repository_.binding(*its_domain), *at->second.keys, *stored.bytes)));
  } catch (const Error& error) {
    if (!is_damage(error)) throw;
    add(Kind::damaged, path, error.what());
  }
}

// An index and the directories of the packs it lists say the same, or it is damaged.
void Verification::check_index_entries(const std::string& path, Domain& domain,
                                       const repository::IndexSegment& segment) {
  const repository::Index& index = domain.directories.index();
  const std::vector<repository::IndexedPack>& packs = segment.packs();
  std::vector<bool> known;
  std::vector<std::uint32_t> counts(packs.size(), 0);
  std::uint64_t absent = 0, collected = 0, wrong = 0, partial = 0;
  for (const repository::IndexedPack& pack : packs) {
    known.push_back(domain.directories.knows(pack.name));
    domain.indexed.insert(pack.name);
    if (!packs_.contains(pack.name)) ++(rightly_gone_.contains(pack.name) ? collected : absent);
  }
  for (std::size_t i = 0; i < segment.entry_count(); ++i) {
    const repository::IndexEntry entry = segment.entry(i);
    ++counts[entry.pack];
    const ObjectName& pack = packs[entry.pack].name;
    if (!known[entry.pack]) {
      domain.orphans[entry.id].push_back(pack);
      continue;
    }
    bool found = false;
    for (const repository::ChunkPlace& place : index.find_all(entry.id, repository::Index::Which::all))
      found |= place.pack == pack && place.offset == entry.offset && place.stored_length == entry.stored_length &&
               place.length == entry.length;
    if (!found) ++wrong;
  }
  for (std::size_t i = 0; i < packs.size(); ++i)
    if (known[i] && counts[i] < domain.directories.chunk_count(packs[i].name)) ++partial;
  std::string what;
  const auto say = [&](std::uint64_t count, const char* text) {
    if (count > 0) what += (what.empty() ? "" : "; ") + std::to_string(count) + text;
  };
  say(absent, " of its packs are not there");
  say(wrong, " of its entries point to where no such chunk is");
  say(partial, " of its packs hold chunks that it does not list");
  if (!what.empty()) add(Kind::damaged, path, what);
  else if (collected > 0)  // a collection that was interrupted; the next one takes them out
    add(Kind::superfluous, path, std::to_string(collected) + " of its packs were collected");
}

// Others may have written meanwhile: packs that came, or were collected, and snapshots that were forgotten, are no
// damage.
void Verification::catch_up() {
  for (std::uint64_t number = repository_.log().head.number + 1;; ++number) {
    const auto stored = storage_.get(repository::log_path(number), repository::kLogEntryLimit);
    if (!stored) break;
    try {
      const repository::LogEntry entry = repository::parse_log_entry(repository_.config_hash(), *stored);
      note_entry(entry);
      if (const auto* event = std::get_if<repository::Tombstone>(&entry.event))
        for (const SnapshotId& id : event->snapshots) chosen_.erase(id);
    } catch (const Error& error) {
      if (!is_damage(error)) throw;
      add(Kind::damaged, repository::log_path(number), error.what());
      break;
    }
  }
  std::vector<PackJob> jobs;
  for (const storage::ObjectInfo& object : storage_.list("packs/")) {
    const auto name = repository::name_from_path(object.name);
    if (!name || object.name != repository::pack_path(*name)) continue;
    if (packs_.emplace(*name, object.size_bytes).second) jobs.push_back({*name, object.size_bytes, PackDepth::table});
  }
  scan_packs(repository_, jobs, options_.threads, progress_, stop_,
             [this](PackFindings&& pack) { take_pack(std::move(pack)); });
  for (auto& [id, domain] : domains_) domain.directories.finish();
  for (const ObjectName& name : vanished_) packs_.erase(name);
}

// What a chunk that is needed was lost with; empty when it is there.
DamageSet Verification::lost(Domain& domain, const ChunkId& id) {
  const repository::Index& index = domain.directories.index();
  if (bad_records_.empty() && index.contains(id)) return {};
  DamageSet damage;
  for (const repository::ChunkPlace& place : index.find_all(id, repository::Index::Which::all)) {
    const auto at = bad_records_.find(place.pack);
    if (at == bad_records_.end() || !std::binary_search(at->second.begin(), at->second.end(), place.offset)) return {};
    merge(damage, {pack_findings_.at(place.pack)});
  }
  if (!damage.empty()) return damage;
  const auto orphan = domain.orphans.find(id);
  for (const ObjectName& pack : orphan != domain.orphans.end() ? orphan->second : walked_.suspects)
    merge(damage, {pack_finding(pack, Kind::missing, "it is missing")});
  if (!damage.empty()) return damage;
  const auto [at, added] = nonsense_.try_emplace(walked_.object, 0);
  if (added) at->second = add(Kind::missing, walked_.object, "chunks that it needs are in no pack, " + id.hex() + " among them");
  return {at->second};
}

// Without keys: by what the snapshot says it needs.
void Verification::check_pack_list(const SnapshotId& id, const std::vector<ObjectName>& packs) {
  for (const ObjectName& name : packs) {
    if (!packs_.contains(name)) {
      if (rightly_gone_.contains(name)) continue;
      result_.findings[pack_finding(name, Kind::missing, "it is missing")].snapshots.push_back(id.hex());
    } else if (const auto at = pack_findings_.find(name); at != pack_findings_.end()) {
      result_.findings[at->second].snapshots.push_back(id.hex());
    }
  }
}

void Verification::check_snapshot(const SnapshotId& id, const SnapshotState& state, Domain* domain, TreeCheck* trees) {
  const std::string path = repository::snapshot_path(state.object);
  try {
    const Fetched fetched = fetch(storage_, path, repository::kSnapshotLimit);
    if (!fetched.bytes) {
      result_.findings[add(fetched.kind(), path, fetched.what)].snapshots.push_back(id.hex());
      return;
    }
    result_.bytes_read += fetched.bytes->size();
    if (repository::name_of(*fetched.bytes) != state.object)
      throw Error(ErrorCode::damaged, "its bytes do not match its name");
    const StoredSnapshot stored = repository::parse_snapshot(*fetched.bytes);
    if (stored.domain != state.domain) throw Error(ErrorCode::damaged, "it belongs to another domain than its commit");
    if (domain == nullptr) {
      check_pack_list(id, stored.packs);
      return;
    }
    const repository::Binding binding = repository_.binding(domain->keys->id);
    const repository::SnapshotHeader header =
        repository::open_snapshot_header(binding, *domain->keys, repository_.config().id, stored);
    if (header.id != id) throw Error(ErrorCode::damaged, "its header names another snapshot");
    walked_ = {path, {}};
    for (const ObjectName& name : stored.packs) {
      const bool there = packs_.contains(name) && !(pack_findings_.contains(name) && !domain->directories.knows(name));
      if (!there && !rightly_gone_.contains(name)) walked_.suspects.push_back(name);
    }
    std::optional<ChunkId> directory;
    if (domain->keys->can_read()) {
      repository::SegmentOpener opener(binding, *domain->keys);
      const repository::SnapshotBody body = repository::open_snapshot_body(binding, opener, stored);
      if (body.id != id) throw Error(ErrorCode::damaged, "its body belongs to another snapshot");
      directory = repository::parse_root(body.root).directory;
    }
    const DamageSet& damage = trees->check(header.reference_root, directory);
    for (const DamageNumber number : damage) result_.findings[number].snapshots.push_back(id.hex());
    if (!damage.empty() && directory) affected_.push_back({id, domain, trees, header.reference_root, *directory});
  } catch (const Error& error) {
    if (!is_damage(error)) throw;
    result_.findings[add(Kind::damaged, path, error.what())].snapshots.push_back(id.hex());
  }
}

void Verification::check_snapshots() {
  for (const auto& [id, state] : chosen_)
    if (!domains_.contains(state.domain)) check_snapshot(id, state, nullptr, nullptr);
  for (auto& [domain_id, domain] : domains_) {
    repository::ChunkReader reader(repository_, *domain.keys, domain.directories.index());
    TreeCheck::Questions questions;
    questions.lost = [this, &domain](const ChunkId& id) { return lost(domain, id); };
    questions.nonsense = [this](const std::string& what) {
      const auto [at, added] = nonsense_.try_emplace(what, 0);
      if (added) at->second = add(Kind::damaged, walked_.object, what);
      return at->second;
    };
    questions.length = [&domain](const ChunkId& id) -> std::optional<std::uint32_t> {
      const auto place = domain.directories.index().find(id);
      return place ? std::optional(place->length) : std::nullopt;
    };
    const bool files = options_.data == VerifyOptions::Data::read && domain.keys->can_read();
    TreeCheck trees(reader, questions, files ? TreeCheck::Trees::files : TreeCheck::Trees::references, stop_);
    for (const auto& [id, state] : chosen_)
      if (state.domain == domain_id) check_snapshot(id, state, &domain, &trees);
    name_files();
  }
  result_.snapshots = chosen_.size();
}

// Only what is damaged is walked again, snapshot by snapshot; a path counts once.
void Verification::name_files() {
  for (const Affected& snapshot : affected_) {
    walked_ = {repository::snapshot_path(chosen_.at(snapshot.id).object), {}};
    snapshot.trees->name_lost(
        snapshot.reference_root, snapshot.directory, [this](const std::string& path, const DamageSet& damage) {
          for (const DamageNumber number : damage) {
            if (files_seen_.size() <= number) files_seen_.resize(number + 1);
            if (!files_seen_[number].insert(std::hash<std::string>{}(path)).second) continue;
            VerifyFinding& finding = result_.findings[number];
            ++finding.files_affected;
            if (finding.files.size() < VerifyFinding::kFilesNamed) finding.files.push_back(path);
          }
        });
  }
  affected_.clear();
}

void Verification::check_other_snapshot_objects() {
  NameSet living;
  for (const auto& [id, state] : repository_.log().snapshots)
    if (state.tombstone_number == 0) living.insert(state.object);
  for (const ObjectName& name : snapshots_) {
    if (living.contains(name)) continue;
    const std::string path = repository::snapshot_path(name);
    const Fetched stored = fetch(storage_, path, repository::kSnapshotLimit);
    if (stored.is_missing) continue;
    const bool intact = stored.bytes && repository::name_of(*stored.bytes) == name;
    const bool forgotten = committed_.contains(name);
    if (!forgotten) add(Kind::superfluous, path, intact ? "no commit names it" : "no commit names it, and it is damaged");
    else if (!intact) add(Kind::superfluous, path, "it is damaged, and its snapshot was forgotten");
  }
}

void Verification::finish() {
  // What is condemned goes soon; that it is damaged harms nobody who needs nothing of it.
  for (const auto& [name, number] : pack_findings_) {
    VerifyFinding& finding = result_.findings[number];
    const bool condemned = std::any_of(domains_.begin(), domains_.end(), [&](const auto& domain) {
      return repository_.log().condemned_in(domain.first).contains(name);
    });
    if (condemned && finding.snapshots.empty() && finding.kind == Kind::damaged) {
      finding.kind = Kind::superfluous;
      finding.what += "; it is condemned, and no snapshot needs it";
    }
  }
  for (VerifyFinding& finding : result_.findings) {
    std::sort(finding.snapshots.begin(), finding.snapshots.end());
    finding.snapshots.erase(std::unique(finding.snapshots.begin(), finding.snapshots.end()), finding.snapshots.end());
    std::sort(finding.files.begin(), finding.files.end());
  }
  std::stable_sort(result_.findings.begin(), result_.findings.end(), [](const VerifyFinding& a, const VerifyFinding& b) {
    return a.kind != b.kind ? a.kind < b.kind : a.object < b.object;
  });
}

}  // namespace

bool VerifyResult::clean() const {
  return std::all_of(findings.begin(), findings.end(),
                     [](const VerifyFinding& finding) { return finding.kind == Kind::superfluous; });
}

VerifyResult verify(const Repository& repository, const VerifyOptions& options, Progress& progress,
                    std::stop_token stop) {
  return Verification(repository, options, progress, std::move(stop)).run();
}

}  // namespace qcbak
