#include "backup/repair.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "backup/pack_scan.h"
#include "backup/tree_check.h"
#include "backup/verify.h"
#include "base/error.h"

namespace qcbak {

using repository::ChunkId;
using repository::ChunkType;
using repository::ObjectName;
using repository::PackRecord;
using repository::PackWriter;
using repository::SnapshotId;
using Kind = VerifyFinding::Kind;

namespace {

using NameSet = std::unordered_set<ObjectName, IdHash<ObjectName>>;

bool is_damage(const Error& error) {
  return error.code() == ErrorCode::damaged || error.code() == ErrorCode::not_found;
}

// A medium that cannot read an object has no good bytes of it.
std::optional<Bytes> get_if_readable(const storage::ReadStorage& storage, const std::string& path, std::uint64_t limit) {
  try {
    return storage.get(path, limit);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::io && error.code() != ErrorCode::damaged) throw;
    return std::nullopt;
  }
}

std::uint64_t limit_of(const std::string& path) {
  if (path.starts_with("packs/")) return repository::kPackLimit;
  if (path.starts_with("indexes/")) return repository::kIndexLimit;
  if (path.starts_with("snapshots/")) return repository::kSnapshotLimit;
  if (path.starts_with("keys/")) return repository::kKeyObjectLimit;
  return repository::kLogEntryLimit;
}

void put_back(storage::Storage& storage, const std::string& path, ByteView bytes) {
  if (storage.size(path)) storage.replace(path, bytes);
  else storage.put(path, bytes);
}

// Makes lost reference nodes again. They are content-addressed: made from the same tree they have the same id.
class ReferenceRebuild {
 public:
  using Store = std::function<void(const ChunkId&, ByteView plaintext)>;
  ReferenceRebuild(repository::ChunkReader& reader, const repository::DomainKeys& domain, Store store)
      : reader_(reader), domain_(domain), store_(std::move(store)) {}

  void rebuild_below(const ChunkId& reference, const ChunkId& tree, std::size_t depth = 0) {
    if (is_intact(reference, 0) || depth > kDepthLimit || !seen_.insert(reference).second) return;
    const auto mirror = load_reference(reference);
    if (!mirror) {
      rebuild(reference, tree);
      return;
    }
    const auto children = children_of(tree);
    if (!children || children->size() != mirror->children.size()) return;
    for (std::size_t i = 0; i < children->size(); ++i)
      rebuild_below(mirror->children[i], (*children)[i], depth + 1);
  }

 private:
  static constexpr std::size_t kDepthLimit = std::size_t(repository::kTreeDepthLimit) * 2;

  std::optional<repository::ReferenceNode> load_reference(const ChunkId& id) {
    try {
      return repository::parse_reference(reader_.load(ChunkType::reference, id));
    } catch (const Error& error) {
      if (!is_damage(error)) throw;
      return std::nullopt;
    }
  }
  std::optional<repository::Node> load_tree(const ChunkId& id) {
    try {
      return repository::parse_node(reader_.load(ChunkType::tree, id));
    } catch (const Error& error) {
      if (!is_damage(error)) throw;
      return std::nullopt;
    }
  }
  static std::vector<ChunkId> children_in(const repository::Node& node) {
    std::vector<ChunkId> children;
    for (const repository::Branch& branch : node.branches) children.push_back(branch.child);
    for (const repository::Entry& entry : node.entries)
      if (entry.directory) children.push_back(*entry.directory);
      else if (entry.content_node) children.push_back(*entry.content_node);
    return children;
  }
  std::optional<std::vector<ChunkId>> children_of(const ChunkId& tree) {
    const auto node = load_tree(tree);
    return node ? std::optional(children_in(*node)) : std::nullopt;
  }

  bool is_intact(const ChunkId& reference, std::size_t depth) {
    const auto [at, added] = intact_.try_emplace(reference, false);
    if (!added || depth > kDepthLimit) return at->second;
    const auto mirror = load_reference(reference);
    bool intact = mirror.has_value();
    if (mirror)
      for (const ChunkId& child : mirror->children) intact &= is_intact(child, depth + 1);
    intact_[reference] = intact;
    return intact;
  }

  void rebuild(const ChunkId& wanted, const ChunkId& tree) {
    for (auto epoch = domain_.epochs.rbegin(); epoch != domain_.epochs.rend(); ++epoch) {
      const repository::ChunkNamer namer(epoch->id_key);
      std::map<ChunkId, Bytes> made;
      if (make(namer, tree, made, 0) != wanted) continue;
      for (const auto& [id, plaintext] : made) store_(id, plaintext);
      return;
    }
  }
  // Nothing when parts of the tree are lost.
  std::optional<ChunkId> make(const repository::ChunkNamer& namer, const ChunkId& tree, std::map<ChunkId, Bytes>& made,
                              std::size_t depth) {
    const auto node = depth > kDepthLimit ? std::nullopt : load_tree(tree);
    if (!node) return std::nullopt;
    Bytes data, children;
    const auto take = [&data](const std::vector<repository::Part>& parts) {
      for (const repository::Part& part : parts)
        if (part.chunk) append(data, part.chunk->view());
    };
    take(node->parts);
    for (const repository::Entry& entry : node->entries) take(entry.parts);
    for (const ChunkId& child : children_in(*node)) {
      const auto reference = make(namer, child, made, depth + 1);
      if (!reference) return std::nullopt;
      append(children, reference->view());
    }
    Bytes plaintext = repository::encode_reference(tree, data, children);
    const ChunkId id = namer.name(ChunkType::reference, crypto::sha256(plaintext));
    made.emplace(id, std::move(plaintext));
    return id;
  }

  repository::ChunkReader& reader_;
  const repository::DomainKeys& domain_;
  Store store_;
  std::unordered_map<ChunkId, bool, IdHash<ChunkId>> intact_;
  std::unordered_set<ChunkId, IdHash<ChunkId>> seen_;
};

class Repair {
 public:
  Repair(const repository::WriteContext& context, const RepairOptions& options, Progress& progress, std::stop_token stop)
      : context_(context),
        repository_(context.repository),
        storage_(context.storage),
        domain_(context.domain),
        binding_(repository_.binding(domain_.id)),
        changing_(options.act == RepairOptions::Act::repair),
        options_(options),
        progress_(progress),
        stop_(std::move(stop)) {}

  RepairResult run() {
    find_damage();
    if (options_.healthy_copy != nullptr) {
      heal();
      if (changing_ && !result_.healed_objects.empty()) find_damage();
    }
    // An index that is wrong would mislead all that follows.
    rebuild_indexes();
    salvage_packs();
    if (!damaged_.empty()) rebuild_references();
    if (!damaged_.empty()) list_losses();
    return std::move(result_);
  }

 private:
  using Bad = std::map<ObjectName, std::vector<std::uint32_t>>;  // pack → offsets of records; see unreadable_

  void find_damage();
  void heal();
  std::optional<crypto::Sha256> hash_by_the_next(std::uint64_t number) const;

  std::optional<repository::IndexSegment> open_index(const ObjectName& name) const;
  bool may_remove_index(const std::string& path) const;
  void rebuild_indexes();

  void salvage_packs();
  bool salvage(const ObjectName& name, std::optional<PackWriter>& packs);
  bool is_good_elsewhere(const PackRecord& record, const ObjectName& pack) const;
  bool is_good(const ChunkId& id) const;
  static constexpr DamageNumber kLost = 0, kUnreadable = 1;
  void list_packs();
  void rebuild_references();
  void list_losses();
  void list_losses_of(const SnapshotId& id, TreeCheck& trees, std::vector<ChunkId>& lost_chunks);

  const repository::WriteContext& context_;
  repository::Repository& repository_;
  storage::Storage& storage_;
  const repository::DomainKeys& domain_;
  repository::Binding binding_;
  bool changing_;
  const RepairOptions& options_;
  Progress& progress_;
  std::stop_token stop_;
  RepairResult result_;

  std::map<std::string, Kind> damaged_;  // paths; neither superfluous nor healed
  std::set<std::string> healed_;         // also those that only would be
  NameSet bad_indexes_;
  Bad bad_records_;
  NameSet present_;     // packs that are there
  NameSet unreadable_;  // packs that are missing, or whose directory is lost
  std::unordered_set<ChunkId, IdHash<ChunkId>> made_again_;
};

void Repair::find_damage() {
  VerifyOptions options;
  if (domain_.can_read()) options.data = VerifyOptions::Data::read;
  repository_.drop_index(domain_);
  damaged_.clear();
  for (const VerifyFinding& finding : verify(repository_, options, progress_, stop_).findings)
    if (finding.kind != Kind::superfluous) damaged_.emplace(finding.object, finding.kind);
}

void Repair::heal() {
  const storage::ReadStorage& copy = *options_.healthy_copy;
  const auto heal_one = [&](const std::string& path, ByteView bytes) {
    if (changing_) put_back(storage_, path, bytes);
    result_.healed_objects.push_back(path);
    healed_.insert(path);
  };
  std::map<std::uint64_t, Kind> log;
  for (const auto& [path, kind] : damaged_) {
    if (stop_.stop_requested()) throw Error(ErrorCode::interrupted, "asked to stop");
    if (path.starts_with("log/")) {
      log.emplace(std::stoull(path.substr(4)), kind);
      continue;
    }
    const auto bytes = get_if_readable(copy, path, limit_of(path));
    if (!bytes) continue;
    const auto name = repository::name_from_path(path);
    const bool right = path == repository::kConfigPath ? crypto::sha256(*bytes) == repository_.config_hash()
                                                       : name && repository::name_of(*bytes) == *name;
    // What is wrong although its bytes match its name is no better in a copy.
    const auto ours = right ? get_if_readable(storage_, path, limit_of(path)) : std::nullopt;
    if (right && (!ours || !equal(*ours, *bytes))) heal_one(path, *bytes);
  }
  // Each entry's hash is in the next one, so the last come first.
  for (auto at = log.rbegin(); at != log.rend(); ++at) {
    const std::string path = repository::log_path(at->first);
    const auto bytes = get_if_readable(copy, path, repository::kLogEntryLimit);
    if (!bytes) continue;
    if (at->first > repository_.log().head.number) {
      try {
        const repository::LogEntry entry = repository::parse_log_entry(repository_.config_hash(), *bytes);
        const auto next = hash_by_the_next(at->first);
        if (entry.number == at->first && entry.previous == repository_.log().head.hash && next &&
            *next == crypto::sha256(*bytes))
          heal_one(path, *bytes);
      } catch (const Error& error) {
        if (!is_damage(error)) throw;
      }
    } else if (const auto hash = hash_by_the_next(at->first); hash && crypto::sha256(*bytes) == *hash) {
      heal_one(path, *bytes);
    }
  }
  if (changing_) repository_.refresh_log();
  for (const std::string& path : healed_) damaged_.erase(path);
}

// What the entry after it says that an entry's hash is.
std::optional<crypto::Sha256> Repair::hash_by_the_next(std::uint64_t number) const {
  if (number == repository_.log().head.number) return repository_.log().head.hash;
  const std::string path = repository::log_path(number + 1);
  for (const storage::ReadStorage* storage :
       {static_cast<const storage::ReadStorage*>(&storage_), options_.healthy_copy}) {
    if (storage != &storage_ && !healed_.contains(path)) break;
    const auto bytes = get_if_readable(*storage, path, repository::kLogEntryLimit);
    if (!bytes) continue;
    try {
      const repository::LogEntry entry = repository::parse_log_entry(repository_.config_hash(), *bytes);
      if (entry.number == number + 1) return entry.previous;
    } catch (const Error& error) {
      if (!is_damage(error)) throw;
    }
  }
  return std::nullopt;
}

// An intact index of this domain.
std::optional<repository::IndexSegment> Repair::open_index(const ObjectName& name) const {
  const auto stored = get_if_readable(storage_, repository::index_path(name), repository::kIndexLimit);
  if (!stored || repository::name_of(*stored) != name || repository::index_domain(*stored) != domain_.id)
    return std::nullopt;
  try {
    return repository::IndexSegment::parse(repository::open_index(binding_, domain_, *stored));
  } catch (const Error& error) {
    if (!is_damage(error)) throw;
    return std::nullopt;
  }
}

// It is ours, or of nobody whose keys are not here.
bool Repair::may_remove_index(const std::string& path) const {
  const auto stored = get_if_readable(storage_, path, repository::kIndexLimit);
  if (stored && repository::index_domain(*stored) == domain_.id) return true;
  const std::vector<repository::DomainId> all = repository_.log().keys.domains();
  return all.size() == 1 && all.front() == domain_.id;
}

void Repair::rebuild_indexes() {
  std::vector<std::string> bad;
  for (const auto& [path, kind] : damaged_) {
    if (!path.starts_with("indexes/") || !may_remove_index(path)) continue;
    bad.push_back(path);
    bad_indexes_.insert(*repository::name_from_path(path));
  }
  NameSet listed;
  for (const storage::ObjectInfo& object : storage_.list("indexes/")) {
    const auto name = repository::name_from_path(object.name);
    if (!name || bad_indexes_.contains(*name)) continue;
    if (const auto segment = open_index(*name))
      for (const repository::IndexedPack& pack : segment->packs()) listed.insert(pack.name);
  }

  constexpr std::size_t kEntriesInIndex = std::size_t(1) << 20;
  std::vector<repository::IndexedPack> packs;
  std::vector<repository::IndexEntry> entries;
  const auto put = [&] {
    if (packs.empty()) return;
    const Bytes stored = seal_index(binding_, domain_.current_epoch(), encode_index(packs, std::move(entries)),
                                    context_.random);
    if (changing_) storage_.put(repository::index_path(repository::name_of(stored)), stored);
    result_.packs_indexed += packs.size();
    packs.clear();
    entries = {};
  };
  PackScanner scanner(repository_);
  for (const storage::ObjectInfo& object : storage_.list("packs/")) {
    if (stop_.stop_requested()) throw Error(ErrorCode::interrupted, "asked to stop");
    const auto name = repository::name_from_path(object.name);
    if (!name || listed.contains(*name) || repository_.log().condemned_in(domain_.id).contains(*name)) continue;
    const PackFindings pack = scanner.scan(*name, object.size_bytes, PackDepth::table);
    if (!pack.table || pack.keys != &domain_) continue;
    const auto place = static_cast<std::uint32_t>(packs.size());
    packs.push_back({*name, static_cast<std::uint32_t>(object.size_bytes)});
    for (const PackRecord& record : pack.table->records)
      for (const repository::ChunkRef& chunk : record.info.chunks)
        entries.push_back({chunk.id, place, record.offset, record.stored_length, chunk.length});
    if (entries.size() >= kEntriesInIndex) put();
  }
  put();
  for (const std::string& path : bad) {
    if (changing_) storage_.remove(path);
    result_.indexes_rebuilt.push_back(path);
    damaged_.erase(path);
  }
  repository_.drop_index(domain_);
}

bool Repair::is_good(const ChunkId& id) const {
  if (made_again_.contains(id)) return true;
  for (const repository::ChunkPlace& place : repository_.index(domain_).find_all(id, repository::Index::Which::all)) {
    if (!present_.contains(place.pack) || unreadable_.contains(place.pack)) continue;
    const auto bad = bad_records_.find(place.pack);
    if (bad == bad_records_.end() ||
        std::find(bad->second.begin(), bad->second.end(), place.offset) == bad->second.end())
      return true;
  }
  return false;
}

bool Repair::is_good_elsewhere(const PackRecord& record, const ObjectName& pack) const {
  const repository::Index& index = repository_.index(domain_);
  return std::all_of(record.info.chunks.begin(), record.info.chunks.end(), [&](const repository::ChunkRef& chunk) {
    const auto places = index.find_all(chunk.id, repository::Index::Which::counted);
    return std::any_of(places.begin(), places.end(), [&](const repository::ChunkPlace& place) {
      return place.pack != pack && !damaged_.contains(repository::pack_path(place.pack)) &&
             !unreadable_.contains(place.pack);
    });
  });
}

// Copies what is good out of a damaged pack. True when nothing can be gained by keeping the pack.
bool Repair::salvage(const ObjectName& name, std::optional<PackWriter>& packs) {
  const auto size = storage_.size(repository::pack_path(name));
  if (!size) return false;
  PackScanner scanner(repository_);
  PackFindings findings = scanner.scan(name, *size, PackDepth::records);
  if (findings.state == PackFindings::State::good || findings.state == PackFindings::State::foreign) return false;
  if (!findings.table) {
    unreadable_.insert(name);
    // Of this domain, as far as anybody knows. Whatever lies there now, bytes of another pack may be among it.
    return findings.keys == &domain_ || repository_.index(domain_).knows_pack(name);
  }
  if (findings.keys != &domain_) return false;
  bad_records_[name] = findings.bad_records;

  PageBuffer pack(*size), scratch(repository::kRecordLimit + crypto::kTagSize);
  if (!read_pack_bytes(storage_, name, pack.span().first(*size))) return false;
  repository::RecordDecoder decoder(binding_, domain_);
  for (const PackRecord& record : findings.table->records) {
    if (stop_.stop_requested()) throw Error(ErrorCode::interrupted, "asked to stop");
    const repository::SegmentHeader& segment = findings.table->segments[record.segment];
    const bool openable = segment.kind == repository::SegmentKind::map || domain_.can_read();
    const ByteView stored = ByteView(pack.data(), *size).subspan(record.offset, record.stored_length);
    bool good = openable;
    if (openable) {
      // Decoding overwrites: a copy is opened, and the bytes it was made of are what is put.
      std::copy(stored.begin(), stored.end(), scratch.data());
      try {
        decoder.decode(segment, record.info, scratch.span().first(stored.size()),
                       repository::RecordDecoder::Hashes::check);
      } catch (const Error& error) {
        if (!is_damage(error) && error.code() != ErrorCode::wrong_key) throw;
        good = false;
      }
    }
    if (!good) {
      if (openable) ++result_.records_lost;
      continue;
    }
    if (is_good_elsewhere(record, name)) continue;
    ++result_.records_salvaged;
    if (!changing_) continue;
    if (!packs) packs.emplace(context_);
    packs->add(record.info.type == static_cast<std::uint8_t>(ChunkType::data) ? PackWriter::Stream::content
                                                                              : PackWriter::Stream::metadata,
               segment, record.info, stored);
  }
  return findings.unproven_records == 0;
}

void Repair::salvage_packs() {
  std::vector<ObjectName> condemned;
  std::optional<PackWriter> packs;
  for (const auto& [path, kind] : damaged_) {
    if (!path.starts_with("packs/")) continue;
    const ObjectName name = *repository::name_from_path(path);
    if (kind == Kind::missing) {
      unreadable_.insert(name);
      continue;
    }
    *progress_.current.lock() = path;
    const std::uint64_t before = result_.records_salvaged;
    const bool done_with = salvage(name, packs);
    if (done_with && !repository_.log().condemned_in(domain_.id).contains(name)) condemned.push_back(name);
    else if (!done_with && bad_records_.contains(name)) result_.unproven_packs.push_back(path);
    if (done_with && (result_.records_salvaged > before || (!condemned.empty() && condemned.back() == name)))
      result_.salvaged_packs.push_back(path);
  }
  if (packs) packs->flush();
  if (!changing_ || condemned.empty()) return;
  // What was copied is durable; from here on the damaged packs are as good as absent.
  repository::append_log(context_, [&] { return repository::LogEvent(repository::Condemnation{condemned}); });
  for (const ObjectName& name : condemned) repository_.index(domain_).exclude(name);
}

void Repair::list_packs() {
  present_.clear();
  for (const storage::ObjectInfo& object : storage_.list("packs/"))
    if (const auto name = repository::name_from_path(object.name)) present_.insert(*name);
  for (const std::string& path : healed_)
    if (path.starts_with("packs/")) present_.insert(*repository::name_from_path(path));
}

void Repair::rebuild_references() {
  if (!domain_.can_read()) return;
  list_packs();
  std::optional<PackWriter> packs;
  std::optional<repository::ChunkWriter> writer;
  repository::ChunkReader reader(repository_, domain_, repository_.index(domain_));
  ReferenceRebuild rebuild(reader, domain_, [&](const ChunkId& id, ByteView plaintext) {
    if (is_good(id) || !made_again_.insert(id).second) return;
    ++result_.references_rebuilt;
    if (!changing_ || !repository_.index(domain_).claim(id)) return;
    if (!packs) {
      packs.emplace(context_);
      writer.emplace(*packs, ChunkType::reference, repository::kDefaultCompressionLevel);
    }
    writer->add(id, plaintext);
  });
  for (const SnapshotId& id : repository_.log().living(domain_.id)) {
    try {
      const repository::SnapshotInfo info = repository_.snapshot(id);
      const auto root = repository::parse_root(repository_.body(info).root).directory;
      rebuild.rebuild_below(info.header.reference_root, *root);
    } catch (const Error& error) {
      if (!is_damage(error)) throw;
    }
  }
  if (!packs) return;
  writer->flush();
  packs->flush();
}

void Repair::list_losses_of(const SnapshotId& id, TreeCheck& trees, std::vector<ChunkId>& lost_chunks) {
  const auto lose = [&](const std::string& path, const std::string& what) {
    result_.losses.push_back({id.hex(), path, what});
  };
  std::optional<repository::SnapshotInfo> info;
  std::optional<ChunkId> directory;
  try {
    info = repository_.snapshot(id);
    if (domain_.can_read()) directory = repository::parse_root(repository_.body(*info).root).directory;
  } catch (const Error& error) {
    if (!is_damage(error)) throw;
    lose("", "the snapshot cannot be read: " + std::string(error.what()));
    return;
  }
  lost_chunks.clear();
  const DamageSet damage = trees.check(info->header.reference_root, directory);
  if (damage.empty()) return;
  const std::size_t before = result_.losses.size();
  if (directory)
    trees.name_lost(info->header.reference_root, *directory, [&](const std::string& path, const DamageSet&) {
      lose(path, path.ends_with('/') ? "the directory's entries are lost" : "parts of its content are lost");
    });
  for (const ChunkId& chunk : lost_chunks)
    if (!directory) lose("", "chunk " + chunk.hex());
  // A run that only reports cannot read what it would have made again.
  const bool certain = changing_ || damage != DamageSet{kUnreadable};
  if (certain && result_.losses.size() == before)
    lose("", directory ? "nothing but what collecting needs to know" : "chunks that it shares with snapshots above");
}

void Repair::list_losses() {
  list_packs();
  std::vector<ChunkId> lost_chunks;
  repository::ChunkReader reader(repository_, domain_, repository_.index(domain_));
  TreeCheck::Questions questions;
  questions.lost = [&](const ChunkId& id) -> DamageSet {
    if (is_good(id)) return {};
    lost_chunks.push_back(id);
    return {kLost};
  };
  questions.nonsense = [](const std::string&) { return kUnreadable; };
  questions.length = [](const ChunkId&) -> std::optional<std::uint32_t> { return std::nullopt; };
  TreeCheck trees(reader, questions, TreeCheck::Trees::references, stop_);
  for (const SnapshotId& id : repository_.log().living(domain_.id))
    list_losses_of(id, trees, lost_chunks);
}

}  // namespace

RepairResult repair(const repository::WriteContext& context, const RepairOptions& options, Progress& progress,
                    std::stop_token stop) {
  return Repair(context, options, progress, std::move(stop)).run();
}

std::vector<std::string> heal_foundations(storage::Storage& storage, const storage::ReadStorage& healthy_copy,
                                          RepairOptions::Act act) {
  const auto copy = in_context("the copy at " + healthy_copy.description(),
                               [&] { return repository::Repository(healthy_copy, {}); });
  const auto bytes_of = [&](const std::string& path) {
    auto bytes = get_if_readable(healthy_copy, path, limit_of(path));
    if (!bytes) throw Error(ErrorCode::damaged, "the copy at " + healthy_copy.description() + " lost " + path);
    return std::move(*bytes);
  };
  std::vector<std::pair<std::string, Bytes>> wanted;
  bool same_repository = false;

  const std::string config_path(repository::kConfigPath);
  const auto config = get_if_readable(storage, config_path, repository::kConfigLimit);
  if (config && crypto::sha256(*config) == copy.config_hash()) same_repository = true;
  else wanted.emplace_back(config_path, bytes_of(config_path));

  std::uint64_t last = 0;
  for (const storage::ObjectInfo& object : storage.list("log/"))
    if (object.name.find_first_not_of("0123456789", 4) == std::string::npos)
      last = std::max<std::uint64_t>(last, std::stoull(object.name.substr(4)));
  std::set<ObjectName> keys;
  copy.for_each_log_entry([&](const repository::LogEntry& entry, const crypto::Sha256& hash) {
    if (const auto* event = std::get_if<repository::KeyEvent>(&entry.event)) {
      keys.insert(event->added.begin(), event->added.end());
      for (const ObjectName& name : event->removed) keys.erase(name);
    }
    const std::string path = repository::log_path(entry.number);
    const auto ours = get_if_readable(storage, path, repository::kLogEntryLimit);
    if (ours && crypto::sha256(*ours) == hash) {
      same_repository = true;
      return;
    }
    if (!ours && entry.number > last) return;  // put since, or rolled back here: not for a repair to decide
    if (ours) {
      bool signed_right = true;
      try {
        repository::parse_log_entry(copy.config_hash(), *ours);
      } catch (const Error& error) {
        if (!is_damage(error)) throw;
        signed_right = false;
      }
      if (signed_right)
        throw Error(ErrorCode::damaged, "log entry " + std::to_string(entry.number) + " is another one at " +
                                            healthy_copy.description() + ": one of the two repositories was rolled back");
    }
    wanted.emplace_back(path, bytes_of(path));
  });
  if (!same_repository)
    throw Error(ErrorCode::damaged, "nothing shows that " + healthy_copy.description() + " is a copy of this repository");
  for (const ObjectName& name : keys) {
    const std::string path = repository::key_path(name);
    const auto ours = get_if_readable(storage, path, repository::kKeyObjectLimit);
    if (ours && repository::name_of(*ours) == name) continue;
    const auto bytes = get_if_readable(healthy_copy, path, repository::kKeyObjectLimit);
    if (bytes && repository::name_of(*bytes) == name) wanted.emplace_back(path, *bytes);
  }
  std::vector<std::string> healed;
  for (const auto& [path, bytes] : wanted) {
    if (act == RepairOptions::Act::repair) put_back(storage, path, bytes);
    healed.push_back(path);
  }
  return healed;
}

}  // namespace qcbak
