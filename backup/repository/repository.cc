#include "backup/repository/repository.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/unique_fd.h"

namespace qcbak::repository {
namespace {

constexpr std::size_t kLogCacheLimit = std::size_t(1) << 30;

std::string index_cache_name(const DomainKeys& domain, const ObjectName& name) {
  return domain.id.hex() + "-" + name.hex();
}

// In the cache an entry has its length and hash before it.
Bytes framed(ByteView entry) {
  Bytes out;
  append_le<std::uint32_t>(out, static_cast<std::uint32_t>(entry.size()));
  append(out, crypto::sha256(entry).view());
  append(out, entry);
  return out;
}

struct CachedLog {
  struct Item {
    LogEntry entry;
    ByteView stored;
  };
  Bytes file;
  std::vector<Item> entries;  // in order from 1, each tied to the one before
  LogHead head;
  bool whole = false;
};

// As far as it is good. Other processes of this user add to the file at the same time: entries can be there twice.
CachedLog read_cached_log(const std::string& path, const crypto::Sha256& config_hash) {
  constexpr std::size_t kFrameHead = 4 + crypto::Sha256::kSize;
  CachedLog cached;
  cached.head.hash = config_hash;
  try {
    cached.file = read_file(path, kLogCacheLimit);
    cached.whole = true;
    for (ByteView rest = cached.file; !rest.empty();) {
      const std::size_t size = rest.size() < kFrameHead ? 0 : load_le<std::uint32_t>(rest.data());
      const ByteView stored = size == 0 || size > rest.size() - kFrameHead ? ByteView() : rest.subspan(kFrameHead, size);
      const crypto::Sha256 hash = crypto::sha256(stored);
      if (stored.empty() || !equal(hash.view(), rest.subspan(4, crypto::Sha256::kSize)))
        throw Error(ErrorCode::damaged, "an entry in the cache is damaged");
      rest = rest.subspan(kFrameHead + size);
      // Signatures were checked before entries were kept; the newest is compared with the storage.
      LogEntry entry = parse_log_entry(config_hash, stored, Signatures::trusted);
      if (entry.number <= cached.head.number) {
        cached.whole = false;
        continue;
      }
      if (entry.number != cached.head.number + 1 || entry.previous != cached.head.hash)
        throw Error(ErrorCode::damaged, "an entry in the cache does not follow");
      cached.head = {entry.number, hash};
      cached.entries.push_back({std::move(entry), stored});
    }
  } catch (const Error&) {
    cached.whole = false;
  }
  return cached;
}

}  // namespace

Repository::Repository(const storage::ReadStorage& storage, OpenOptions options)
    : storage_(storage), options_(std::move(options)) {
  const std::optional<Bytes> stored = storage_.get(kConfigPath, kConfigLimit);
  if (!stored) throw no_repository(storage_);
  config_ = in_context("config", [&] { return parse_config(*stored); });
  config_hash_ = crypto::sha256(*stored);
  log_.head.hash = config_hash_;
  load_log();
}

std::string Repository::repository_cache() const {
  return options_.cache_directory.empty() ? "" : options_.cache_directory + "/" + config_.id.hex();
}

std::string Repository::log_cache_path() const {
  const std::string cache = repository_cache();
  return cache.empty() ? "" : cache + "/log";
}

Error no_repository(const storage::ReadStorage& storage) {
  return Error(ErrorCode::no_repository, "no repository at " + storage.description())
      .with_hint("check --repo or QCBAK_REPO, or make one with: qcbak init");
}

std::optional<Bytes> load_key_object(const storage::ReadStorage& storage, const std::string& keys_directory,
                                     const ObjectName& name) {
  if (auto stored = storage.get(key_path(name), kKeyObjectLimit)) return stored;
  if (keys_directory.empty()) return std::nullopt;
  const std::string path = keys_directory + "/" + name.hex();
  if (::access(path.c_str(), R_OK) != 0) return std::nullopt;
  return read_file(path, kKeyObjectLimit);
}

void Repository::apply(const LogEntry& entry, ByteView stored) {
  apply_log_entry(log_, config_hash_, entry, stored, [this](const ObjectName& name) { return load_key_object(storage_, options_.keys_directory, name); });
  if (entry.kind() == LogKind::label || entry.kind() == LogKind::hold) annotations_.push_back(entry);
  // An index that is loaded must not go on offering chunks of packs that are about to go, or gone.
  const std::vector<ObjectName>* leaving = nullptr;
  if (const auto* condemnation = std::get_if<Condemnation>(&entry.event)) leaving = &condemnation->packs;
  if (const auto* collection = std::get_if<Collection>(&entry.event)) leaving = &collection->packs;
  if (leaving == nullptr) return;
  auto indexes = indexes_.lock();
  if (const auto at = indexes->loaded.find(entry.domain); at != indexes->loaded.end() && at->second)
    for (const ObjectName& pack : *leaving) at->second->exclude(pack);
}

void Repository::load_log() {
  const std::string cache_path = log_cache_path();
  bool cache_is_whole = false;
  if (!cache_path.empty() && ::access(cache_path.c_str(), R_OK) == 0) {
    CachedLog cached = read_cached_log(cache_path, config_hash_);
    cache_is_whole = cached.whole;
    if (cached.head.number > 0) {
      const auto newest = storage_.get(log_path(cached.head.number), kLogEntryLimit);
      const bool same = newest && crypto::sha256(*newest) == cached.head.hash;
      if (!same && options_.rollback == OpenOptions::Rollback::refuse)
        throw Error(ErrorCode::damaged, "the repository was rolled back or replaced: log entry " +
                                            std::to_string(cached.head.number) +
                                            ", seen here before, is missing or different")
            .with_hint("if an older copy was put in place on purpose, run once with --accept-rollback");
      if (!same) cached = {};
      cache_is_whole = cached.whole;
      for (const CachedLog::Item& item : cached.entries)
        in_context("log entry " + std::to_string(item.entry.number), [&] { apply(item.entry, item.stored); });
    }
  }
  const std::uint64_t from_cache = log_.head.number;
  std::vector<Bytes> fresh;
  if (!cache_is_whole && from_cache > 0) {
    for (std::uint64_t number = 1; number <= from_cache; ++number)
      if (auto stored = storage_.get(log_path(number), kLogEntryLimit)) fresh.push_back(std::move(*stored));
  }
  for (;;) {
    const std::uint64_t number = log_.head.number + 1;
    auto stored = storage_.get(log_path(number), kLogEntryLimit);
    if (!stored) break;
    in_context("log entry " + std::to_string(number),
               [&] { apply(parse_log_entry(config_hash_, *stored), *stored); });
    fresh.push_back(std::move(*stored));
  }
  if (log_.head.number == 0) throw Error(ErrorCode::damaged, "the repository's log is missing");
  save_log_cache(fresh, !cache_is_whole);
}

void Repository::save_log_cache(const std::vector<Bytes>& fresh, bool anew) const {
  const std::string path = log_cache_path();
  if (path.empty() || (fresh.empty() && !anew)) return;
  Bytes bytes;
  for (const Bytes& entry : fresh) append(bytes, framed(entry));
  try {
    make_directories(repository_cache());
    if (anew) {
      write_file_durably(path, bytes);
      return;
    }
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    if (!fd) throw_errno("open", path);
    write_full(fd.get(), bytes, path);
  } catch (const Error&) {
    // A cache that cannot be written costs time, nothing else.
  }
}

std::vector<LogEntry> Repository::refresh_log() {
  std::vector<LogEntry> fresh;
  std::vector<Bytes> stored_entries;
  for (;;) {
    const std::uint64_t number = log_.head.number + 1;
    auto stored = storage_.get(log_path(number), kLogEntryLimit);
    if (!stored) break;
    in_context("log entry " + std::to_string(number), [&] {
      LogEntry entry = parse_log_entry(config_hash_, *stored);
      apply(entry, *stored);
      fresh.push_back(std::move(entry));
    });
    stored_entries.push_back(std::move(*stored));
  }
  if (!fresh.empty()) {
    save_log_cache(stored_entries, false);
    open_annotations();
  }
  return fresh;
}

void Repository::for_each_log_entry(const VisitLogEntry& visit) const { for_each_log_entry(1, log_.head.number, visit); }

void Repository::for_each_log_entry(std::uint64_t first, std::uint64_t last, const VisitLogEntry& visit) const {
  check(first >= 1, "entries are numbered from 1");
  for (std::uint64_t number = first; number <= std::min(last, log_.head.number); ++number) {
    in_context("log entry " + std::to_string(number), [&] {
      const auto stored = storage_.get(log_path(number), kLogEntryLimit);
      if (!stored) throw Error(ErrorCode::damaged, "it is missing");
      LogEntry entry = parse_log_entry(config_hash_, *stored);
      if (const DomainKeys* domain = find_domain(entry.domain)) open_log_details(binding(entry.domain), *domain, entry);
      visit(entry, crypto::sha256(*stored));
    });
  }
}

void Repository::open_annotations() {
  std::vector<LogEntry> still_sealed;
  for (LogEntry& entry : annotations_) {
    const DomainKeys* domain = find_domain(entry.domain);
    if (domain == nullptr) {
      still_sealed.push_back(std::move(entry));
      continue;
    }
    open_log_details(binding(entry.domain), *domain, entry);
    if (const auto* relabel = std::get_if<Relabel>(&entry.event)) {
      const auto at = log_.snapshots.find(relabel->snapshot);
      if (at != log_.snapshots.end() && at->second.label_entry == entry.number) at->second.labels = relabel->labels;
    } else if (const auto* hold = std::get_if<Hold>(&entry.event)) {
      const auto at = log_.snapshots.find(hold->snapshot);
      if (at != log_.snapshots.end() && at->second.hold_entry == entry.number) at->second.hold_reason = hold->reason;
    }
  }
  annotations_ = std::move(still_sealed);
}

void Repository::adopt(std::vector<DomainKeys> domains) {
  check(domains_.empty(), "a repository is unlocked once");
  for (DomainKeys& domain : domains) {
    const DomainObject* object = log_.keys.domain(domain.id);
    if (object == nullptr || object->root != domain.root)
      throw Error(ErrorCode::damaged, "the keys of domain \"" + domain.name + "\" do not belong to this repository's log");
    domain.chunking = object->chunking;
    for (const auto& [name, drill] : log_.keys.all<DrillObject>(domain.id)) domain.drill_recipients.push_back(drill->box);
    std::sort(domain.epochs.begin(), domain.epochs.end(),
              [](const EpochKeys& a, const EpochKeys& b) { return a.number < b.number; });
    for (const auto& [name, epoch] : log_.keys.all<EpochObject>(domain.id))
      for (const EpochKeys& opened : domain.epochs)
        if (opened.number == epoch->number &&
            (epoch->map_check != map_check(opened.map_key) || epoch->box != opened.box ||
             (opened.secret && crypto::box_public(*opened.secret) != epoch->box)))
          throw Error(ErrorCode::damaged, "the keys of an epoch are not those that the log names");
  }
  domains_ = std::move(domains);
  open_annotations();
}

// Nothing when the custodian was given no epoch.
std::optional<DomainKeys> Repository::open_domain(const DomainId& domain_id, const SlotObject& slot,
                                                  const CustodianSeed& seed) const {
  const DomainObject* object = log_.keys.domain(domain_id);
  const CustodianKeys keys(seed);
  const crypto::BoxPublic box = crypto::box_public(keys.box);
  // Whoever can write to the storage could sign another log with keys of their own: the root is the one that the
  // custodian's seed vouches for, or none.
  if (box != slot.box || crypto::sign_public(keys.sign) != slot.sign ||
      root_check(binding(domain_id), seed, object->root) != slot.root_check)
    throw Error(ErrorCode::damaged, "the keys of domain \"" + printable(object->name) +
                                        "\" were replaced: its root is not the one that the custodian's key vouches for");
  std::optional<DomainKeys> opened;
  for (const auto& [name, grant] : log_.keys.all<GrantObject>(domain_id)) {
    if (grant->custodian != slot.custodian) continue;
    GrantSecrets secrets = open_grant(*grant, box, keys.box);
    if (secrets.root != object->root) throw Error(ErrorCode::damaged, "a grant of keys names another root");
    if (!opened) {
      opened.emplace(domain_id, crypto::SignSeed(keys.sign.view()));
      opened->name = object->name;
      opened->root = secrets.root;
    }
    EpochKeys epoch;
    epoch.number = grant->epoch;
    epoch.box = crypto::box_public(secrets.epoch_secret);
    epoch.map_key = std::move(secrets.map_key);
    epoch.id_key = std::move(secrets.id_key);
    epoch.secret = std::move(secrets.epoch_secret);
    opened->epochs.push_back(std::move(epoch));
  }
  return opened;
}

void Repository::unlock_with_password(ByteView password) {
  std::vector<DomainKeys> domains;
  bool any_slot = false;
  for (const DomainId& domain : log_.keys.domains()) {
    for (const auto& [name, slot] : log_.keys.all<SlotObject>(domain)) {
      if (!std::holds_alternative<PasswordProtection>(slot->protection)) continue;
      any_slot = true;
      const auto seed = open_with_password(binding(domain), *slot, password);
      if (!seed) continue;
      if (auto opened = open_domain(domain, *slot, *seed)) domains.push_back(std::move(*opened));
      break;
    }
  }
  if (domains.empty()) {
    if (!any_slot)
      throw Error(ErrorCode::wrong_key, "the repository at " + storage_.description() + " has no key that a password opens")
          .with_hint("if its keys lie apart, name their folder with --keys");
    throw Error(ErrorCode::wrong_key, "wrong password for the repository at " + storage_.description())
        .with_hint("check QCBAK_PASSWORD_FILE, QCBAK_PASSWORD_COMMAND or what was typed");
  }
  adopt(std::move(domains));
}

void Repository::unlock_with_credential(ByteView file) {
  Credential credential = parse_credential(file);
  if (credential.config_hash != config_hash_)
    throw Error(ErrorCode::wrong_key, "the credential belongs to another repository than " + storage_.description());
  check_seen(credential.log_head);
  std::vector<DomainKeys> allowed;
  for (DomainKeys& domain : credential.domains) {
    if (!log_.keys.may_sign_log(domain.id, crypto::sign_public(domain.signer)))
      throw Error(ErrorCode::wrong_key, "the credential for domain \"" + domain.name + "\" was revoked")
          .with_hint("a custodian exports a new one with: qcbak key credential");
    allowed.push_back(std::move(domain));
  }
  if (allowed.empty()) throw Error(ErrorCode::wrong_key, "the credential opens no domain");
  adopt(std::move(allowed));
}

void Repository::unlock_with_seed(const CustodianSeed& seed) {
  const crypto::BoxPublic box = crypto::box_public(CustodianKeys(seed).box);
  std::vector<DomainKeys> domains;
  for (const DomainId& domain : log_.keys.domains())
    for (const auto& [name, slot] : log_.keys.all<SlotObject>(domain))
      if (slot->box == box)
        if (auto opened = open_domain(domain, *slot, seed)) domains.push_back(std::move(*opened));
  if (domains.empty()) throw Error(ErrorCode::wrong_key, "this custodian's key opens nothing here");
  adopt(std::move(domains));
}

void Repository::check_seen(const LogHead& head) {
  if (head.number == 0 || options_.rollback == OpenOptions::Rollback::accept) return;
  const auto stored = storage_.get(log_path(head.number), kLogEntryLimit);
  if (!stored || crypto::sha256(*stored) != head.hash)
    throw Error(ErrorCode::damaged, "the repository was rolled back or replaced: log entry " +
                                        std::to_string(head.number) +
                                        ", which the credential remembers, is missing or different")
        .with_hint("if an older copy was put in place on purpose, run once with --accept-rollback");
}

const DomainKeys& Repository::domain(const std::string& name) const {
  for (const DomainKeys& domain : domains_)
    if (domain.name == name) return domain;
  if (!name.empty()) throw Error(ErrorCode::wrong_key, "this key does not open a domain named \"" + printable(name) + "\"");
  if (domains_.size() != 1) {
    std::string names;
    for (const DomainKeys& domain : domains_) names += (names.empty() ? "" : ", ") + domain.name;
    throw Error(ErrorCode::usage, "the repository has several domains: " + names).with_hint("choose one with --domain");
  }
  return domains_.front();
}

const DomainKeys* Repository::find_domain(const DomainId& id) const {
  for (const DomainKeys& domain : domains_)
    if (domain.id == id) return &domain;
  return nullptr;
}

void Repository::require_reading(const DomainKeys& domain) const {
  if (!domain.can_read())
    throw Error(ErrorCode::wrong_key, "a write credential cannot read domain \"" + domain.name + "\"")
        .with_hint("use the password or a read credential");
}

StoredSnapshot Repository::stored_snapshot(const SnapshotState& state) const {
  const std::string path = snapshot_path(state.object);
  const auto stored = storage_.get(path, kSnapshotLimit);
  if (!stored) throw Error(ErrorCode::damaged, "snapshot object " + path + " is missing");
  return in_context(path, [&] {
    if (name_of(*stored) != state.object) throw Error(ErrorCode::damaged, "its bytes do not match its name");
    StoredSnapshot parsed = parse_snapshot(*stored);
    if (parsed.domain != state.domain) throw Error(ErrorCode::damaged, "it belongs to another domain than its commit");
    return parsed;
  });
}

SnapshotInfo Repository::snapshot(const SnapshotId& id) const {
  const auto at = log_.snapshots.find(id);
  if (at == log_.snapshots.end()) throw Error(ErrorCode::not_found, "no snapshot " + id.hex());
  const SnapshotState& state = at->second;
  const DomainKeys* domain = find_domain(state.domain);
  if (domain == nullptr) throw Error(ErrorCode::wrong_key, "this key does not open the domain of snapshot " + id.hex());
  return in_context("snapshot " + id.hex(), [&] {
    SnapshotInfo info{open_snapshot_header(binding(domain->id), *domain, config_.id, stored_snapshot(state)), state};
    if (info.header.id != id) throw Error(ErrorCode::damaged, "its header names another snapshot");
    if (state.labels) info.header.labels = *state.labels;
    return info;
  });
}

std::vector<SnapshotInfo> Repository::snapshots(std::vector<Damage>* damage) const {
  std::vector<SnapshotInfo> found;
  for (const auto& [id, state] : log_.snapshots) {
    if (state.tombstone_number != 0 || find_domain(state.domain) == nullptr) continue;
    try {
      found.push_back(snapshot(id));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::damaged || damage == nullptr) throw;
      damage->push_back({snapshot_path(state.object), error.what()});
    }
  }
  std::sort(found.begin(), found.end(), [](const SnapshotInfo& a, const SnapshotInfo& b) {
    return a.header.time != b.header.time ? a.header.time < b.header.time
                                          : a.state.commit_number < b.state.commit_number;
  });
  return found;
}

SnapshotBody Repository::body(const SnapshotInfo& snapshot) const {
  const DomainKeys* domain = find_domain(snapshot.state.domain);
  check(domain != nullptr, "a snapshot's header was opened by its domain's key");
  require_reading(*domain);
  return in_context("snapshot " + snapshot.header.id.hex(), [&] {
    const Binding bound = binding(domain->id);
    SegmentOpener opener(bound, *domain);
    SnapshotBody body = open_snapshot_body(bound, opener, stored_snapshot(snapshot.state));
    if (body.id != snapshot.header.id) throw Error(ErrorCode::damaged, "its body belongs to another snapshot");
    return body;
  });
}

void Repository::drop_index(const DomainKeys& domain) const {
  auto indexes = indexes_.lock();
  const auto at = indexes->loaded.find(domain.id);
  if (at == indexes->loaded.end()) return;
  indexes->dropped.push_back(std::move(at->second));
  indexes->loaded.erase(at);
}

Index& Repository::index(const DomainKeys& domain, std::vector<Damage>* damage) const {
  auto indexes = indexes_.lock();
  std::unique_ptr<Index>& loaded = indexes->loaded[domain.id];
  if (!loaded) loaded = load_index(domain, damage);
  return *loaded;
}

std::optional<IndexSegment> Repository::index_object(const DomainKeys& domain, const ObjectName& name) const {
  const std::string cache = repository_cache();
  const std::string cached = cache.empty() ? "" : cache + "/index/" + index_cache_name(domain, name);
  if (!cached.empty())
    if (auto segment = IndexSegment::map_file(cached)) return segment;
  const auto stored = storage_.get(index_path(name), kIndexLimit);
  if (!stored || index_domain(*stored) != domain.id) return std::nullopt;
  if (name_of(*stored) != name) throw Error(ErrorCode::damaged, "its bytes do not match its name");
  Bytes plaintext = open_index(binding(domain.id), domain, *stored);
  if (!cached.empty()) {
    try {
      make_directories(cache + "/index");
      IndexSegment::write_file(cached, plaintext);
      if (auto segment = IndexSegment::map_file(cached)) return segment;
    } catch (const Error&) {
      // Held in memory instead.
    }
  }
  return IndexSegment::parse(std::move(plaintext));
}

void Repository::forget_cached_indexes(const DomainKeys& domain, const std::set<std::string>& but) const {
  const std::string cache = repository_cache();
  if (cache.empty()) return;
  std::error_code ignored;
  for (const auto& file : std::filesystem::directory_iterator(cache + "/index", ignored)) {
    const std::string name = file.path().filename().string();
    if (name.starts_with(domain.id.hex()) && !but.contains(name)) std::filesystem::remove(file.path(), ignored);
  }
}

std::unique_ptr<Index> Repository::load_index(const DomainKeys& domain, std::vector<Damage>* damage) const {
  auto index = std::make_unique<Index>();
  const Binding bound = binding(domain.id);
  const auto report = [damage](const std::string& object, const Error& error) {
    if (damage != nullptr) damage->push_back({object, error.what()});
  };

  std::unordered_set<ObjectName, IdHash<ObjectName>> present;
  const std::vector<storage::ObjectInfo> packs = storage_.list("packs/");
  for (const storage::ObjectInfo& pack : packs)
    if (const auto name = name_from_path(pack.name)) present.insert(*name);

  std::set<std::string> cached;
  for (const storage::ObjectInfo& object : storage_.list("indexes/")) {
    const auto name = name_from_path(object.name);
    if (!name) continue;
    cached.insert(index_cache_name(domain, *name));
    try {
      if (auto segment = index_object(domain, *name)) index->add_segment(std::move(*segment), present);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::damaged) throw;
      report(object.name, error);
    }
  }
  forget_cached_indexes(domain, cached);
  for (const storage::ObjectInfo& pack : packs) {
    const auto name = name_from_path(pack.name);
    if (!name || index->knows_pack(*name)) continue;
    try {
      std::array<std::byte, kPackHeaderSize> head{};
      const auto got = storage_.get_range(pack.name, 0, head);
      const auto header = got == kPackHeaderSize ? parse_pack_header(head) : std::nullopt;
      if (header && header->domain != domain.id) continue;
      index->add_pack(*name, static_cast<std::uint32_t>(pack.size_bytes),
                      read_pack_table(storage_, *name, bound, domain));
    } catch (const Error& error) {
      if (error.code() == ErrorCode::not_found) continue;  // collected since it was listed
      if (error.code() != ErrorCode::damaged) throw;
      report(pack.name, error);
    }
  }
  for (const auto& [name, condemned] : log_.condemned_in(domain.id)) index->exclude(name);
  return index;
}

void create_repository(storage::Storage& storage, const CreateOptions& options, ByteView password, Time now,
                       Random& random) {
  if (storage.get(kConfigPath, kConfigLimit))
    throw Error(ErrorCode::failed, "there is already a repository at " + storage.description())
        .with_hint("choose another place, or use this one as it is");
  if (!storage.list("packs/").empty() || !storage.list("snapshots/").empty() || storage.get(log_path(2), kLogEntryLimit))
    throw Error(ErrorCode::damaged, storage.description() + " holds a repository whose config is missing")
        .with_hint("put the file \"config\" back from a copy of the repository; init would destroy what is there");
  // Remains of an init that did not come to its end.
  for (const char* prefix : {"keys/", "log/"})
    for (const storage::ObjectInfo& object : storage.list(prefix)) storage.remove(object.name);

  const Bytes config_bytes = encode_config(new_config(options.suite, now, random));
  const crypto::Sha256 config_hash = crypto::sha256(config_bytes);
  LogHead head{0, config_hash};
  for (const std::string& domain_name : options.domains) {
    const Binding binding{options.suite, config_hash, random.id<DomainId>()};
    const CustodianSeed seed = CustodianSeed::random(random);
    const CustodianKeys custodian(seed);

    DomainObject domain;
    domain.name = domain_name;
    domain.created = now;
    domain.root = crypto::sign_public(custodian.sign);
    std::array<std::byte, 8> chunker_seed;
    random.fill(chunker_seed);
    domain.chunking.seed = load_le<std::uint64_t>(chunker_seed.data());

    SlotObject slot;
    slot.custodian = random.id<CustodianId>();
    slot.name = options.custodian;
    slot.created = now;
    slot.box = crypto::box_public(custodian.box);
    slot.sign = domain.root;
    slot.protection = protect_with_password(binding, slot, seed, password, random);
    slot.root_check = root_check(binding, seed, domain.root);

    EpochKeys keys;
    keys.number = 1;
    keys.map_key = MapKey::random(random);
    keys.id_key = IdKey::random(random);
    keys.secret = crypto::BoxSecret::random(random);
    keys.box = crypto::box_public(*keys.secret);
    const EpochObject epoch{1, now, keys.box, map_check(keys.map_key)};
    const GrantObject grant{1, slot.custodian, seal_grant(slot.box, domain.root, keys)};

    KeyEvent event;
    event.reason = "init";
    for (const KeyContent& content : {KeyContent(domain), KeyContent(slot), KeyContent(epoch), KeyContent(grant)}) {
      const Bytes object = encode_key_object(config_hash, binding.domain, content, custodian.sign);
      const ObjectName name = name_of(object);
      const bool apart = !options.keys_directory.empty() &&
                         (std::holds_alternative<SlotObject>(content) || std::holds_alternative<GrantObject>(content));
      if (apart) write_file_durably(options.keys_directory + "/" + name.hex(), object);
      else storage.put(key_path(name), object);
      event.added.push_back(name);
    }

    DomainKeys signer(binding.domain, crypto::SignSeed(custodian.sign.view()));
    signer.epochs.push_back(std::move(keys));
    const Bytes entry = encode_log_entry(binding, head, now, event, signer, random);
    if (storage.put(log_path(head.number + 1), entry) != storage::PutResult::stored)
      throw Error(ErrorCode::busy, "somebody else is making a repository at " + storage.description());
    head = {head.number + 1, crypto::sha256(entry)};
  }
  if (storage.put(kConfigPath, config_bytes) != storage::PutResult::stored)
    throw Error(ErrorCode::busy, "somebody else is making a repository at " + storage.description());
}

}  // namespace qcbak::repository
