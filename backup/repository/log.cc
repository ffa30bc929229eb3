#include "backup/repository/log.h"

#include <algorithm>
#include <array>

#include "base/error.h"

namespace qcbak::repository {
namespace {

constexpr std::string_view kLogPurpose = "log";

Bytes signed_message(const crypto::Sha256& config_hash, ByteView payload) {
  Bytes message = to_bytes(as_bytes("qcbak1 log"));
  message.push_back(std::byte{0});
  append(message, config_hash.view());
  append(message, payload);
  return message;
}

Bytes number_context(std::uint64_t number) {
  Bytes context;
  append_le<std::uint64_t>(context, number);
  return context;
}

template <class Id>
Bytes join(const std::vector<Id>& ids) {
  Bytes joined;
  for (const Id& id : ids) append(joined, id.view());
  return joined;
}

template <class Id>
std::vector<Id> split(ByteView joined) {
  if (joined.size() % Id::kSize != 0) throw Error(ErrorCode::damaged, "a log entry's list is cut off");
  std::vector<Id> ids;
  for (; !joined.empty(); joined = joined.subspan(Id::kSize)) ids.emplace_back(joined.first(Id::kSize));
  return ids;
}

// The open details of an event, a map; and the sealed ones, empty when it has none.
struct Details {
  Bytes open;
  Bytes sealed;
};

void seal_text(Bytes& sealed, std::string_view text) { cbor::Writer(sealed).map(1).uint(1).text(text); }

Details details_of(const LogEvent& event) {
  Details details;
  cbor::Writer open(details.open);
  struct {
    cbor::Writer& open;
    Bytes& sealed;
    void operator()(const KeyEvent& e) {
      open.map(2).uint(1).bytes(join(e.added)).uint(2).bytes(join(e.removed));
      seal_text(sealed, e.reason);
    }
    void operator()(const Commit& e) {
      open.map(3).uint(1).bytes(e.object.view()).uint(2).bytes(e.snapshot.view()).uint(3).uint(e.considered);
    }
    void operator()(const Tombstone& e) {
      open.map(1).uint(1).bytes(join(e.snapshots));
      seal_text(sealed, e.reason);
    }
    void operator()(const Relabel& e) {
      open.map(1).uint(1).bytes(e.snapshot.view());
      cbor::Writer writer(sealed);
      writer.map(1).uint(1);
      write_labels(writer, e.labels);
    }
    void operator()(const Hold& e) {
      open.map(1).uint(1).bytes(e.snapshot.view());
      seal_text(sealed, e.reason);
    }
    void operator()(const Release& e) {
      open.map(1).uint(1).bytes(e.snapshot.view());
      seal_text(sealed, e.reason);
    }
    void operator()(const RetentionLock& e) {
      open.map(2).uint(1).bytes(e.snapshot.view()).uint(2).integer(e.until.ns);
    }
    void operator()(const Condemnation& e) { open.map(1).uint(1).bytes(join(e.packs)); }
    void operator()(const Collection& e) { open.map(1).uint(1).bytes(join(e.packs)); }
    void operator()(const Checkpoint& e) {
      open.map(2).uint(1).uint(e.head.number).uint(2).bytes(e.head.hash.view());
    }
    void operator()(const Audit& e) {
      open.map(0);
      seal_text(sealed, e.json);
    }
  } visitor{open, details.sealed};
  std::visit(visitor, event);
  return details;
}

LogEvent read_open(LogKind kind, cbor::Reader& reader) {
  cbor::MapReader map(reader);
  const auto need = [&](std::uint64_t key) -> cbor::Reader& {
    if (!map.next() || map.key() != key) throw Error(ErrorCode::damaged, "a log entry lacks a detail");
    return reader;
  };
  const auto snapshot = [&] { return SnapshotId(need(1).bytes_of(SnapshotId::kSize)); };
  LogEvent event;
  switch (kind) {
    case LogKind::key_event: {
      KeyEvent e;
      e.added = split<ObjectName>(need(1).bytes());
      e.removed = split<ObjectName>(need(2).bytes());
      event = std::move(e);
      break;
    }
    case LogKind::commit: {
      Commit e;
      e.object = ObjectName(need(1).bytes_of(ObjectName::kSize));
      e.snapshot = SnapshotId(need(2).bytes_of(SnapshotId::kSize));
      e.considered = need(3).uint();
      event = e;
      break;
    }
    case LogKind::tombstone: event = Tombstone{split<SnapshotId>(need(1).bytes()), {}}; break;
    case LogKind::label: event = Relabel{snapshot(), {}}; break;
    case LogKind::hold: event = Hold{snapshot(), {}}; break;
    case LogKind::release: event = Release{snapshot(), {}}; break;
    case LogKind::lock: {
      RetentionLock e;
      e.snapshot = snapshot();
      e.until.ns = need(2).integer();
      event = e;
      break;
    }
    case LogKind::condemnation: event = Condemnation{split<ObjectName>(need(1).bytes())}; break;
    case LogKind::collection: event = Collection{split<ObjectName>(need(1).bytes())}; break;
    case LogKind::checkpoint: {
      Checkpoint e;
      e.head.number = need(1).uint();
      e.head.hash = crypto::Sha256(need(2).bytes_of(crypto::Sha256::kSize));
      event = e;
      break;
    }
    case LogKind::audit: event = Audit{}; break;
  }
  if (map.next()) map.unknown();
  return event;
}

}  // namespace

std::string_view name_of(LogKind kind) {
  constexpr std::array<std::string_view, 11> kNames = {"key",  "commit",       "tombstone",  "label",      "hold", "release",
                                                       "lock", "condemnation", "collection", "checkpoint", "audit"};
  return kNames.at(static_cast<std::size_t>(kind) - 1);
}

Bytes encode_log_entry(const Binding& binding, const LogHead& head, Time time, const LogEvent& event,
                       const DomainKeys& domain, Random& random) {
  const std::uint64_t number = head.number + 1;
  const Details details = details_of(event);
  Bytes payload;
  cbor::Writer writer(payload);
  writer.map(details.sealed.empty() ? 7 : 8).uint(1).uint(number).uint(2).bytes(head.hash.view());
  writer.uint(3).integer(time.ns).uint(4).uint(event.index() + 1);
  writer.uint(5).bytes(crypto::sign_public(domain.signer).view()).uint(6).bytes(domain.id.view());
  writer.uint(7).raw(details.open);
  if (!details.sealed.empty()) {
    const EpochKeys& epoch = domain.current_epoch();
    writer.uint(8).raw(seal_with_map_key(binding, epoch.number, epoch.map_key, kLogPurpose, number_context(number),
                                         details.sealed, random));
  }
  const crypto::Signature signature = crypto::sign(domain.signer, signed_message(binding.config_hash, payload));
  Bytes out;
  cbor::Writer(out).array(2).bytes(payload).bytes(signature.view());
  return out;
}

LogEntry parse_log_entry(const crypto::Sha256& config_hash, ByteView stored) {
  return parse_log_entry(config_hash, stored, Signatures::check);
}

LogEntry parse_log_entry(const crypto::Sha256& config_hash, ByteView stored, Signatures signatures) {
  cbor::Reader outer(stored);
  outer.array_of(2);
  const ByteView payload = outer.bytes();
  const crypto::Signature signature(outer.bytes_of(crypto::Signature::kSize));
  outer.finish();
  LogEntry entry;
  cbor::Reader reader(payload);
  std::uint64_t kind = 0;
  unsigned seen = 0;
  for (cbor::MapReader map(reader); map.next(); ++seen) {
    switch (map.key()) {
      case 1: entry.number = reader.uint(); break;
      case 2: entry.previous = crypto::Sha256(reader.bytes_of(crypto::Sha256::kSize)); break;
      case 3: entry.time.ns = reader.integer(); break;
      case 4:
        kind = reader.uint();
        if (kind < 1 || kind > 11) throw Error(ErrorCode::damaged, "a log entry of an unknown kind");
        break;
      case 5: entry.signer = crypto::SignPublic(reader.bytes_of(crypto::SignPublic::kSize)); break;
      case 6: entry.domain = DomainId(reader.bytes_of(DomainId::kSize)); break;
      case 7:
        if (kind == 0) throw Error(ErrorCode::damaged, "a log entry without a kind");
        entry.event = read_open(static_cast<LogKind>(kind), reader);
        break;
      case 8: entry.sealed = to_bytes(reader.skip()); break;
      default: map.unknown();
    }
  }
  reader.finish();
  if (seen < 7 || (seen == 7 && !entry.sealed.empty()))
    throw Error(ErrorCode::damaged, "an incomplete log entry");
  if (signatures == Signatures::check &&
      !crypto::verify(entry.signer, signed_message(config_hash, payload), signature))
    throw Error(ErrorCode::damaged, "the signature of a log entry does not hold");
  return entry;
}

crypto::AeadKey log_details_key(const DomainKeys& domain, const LogEntry& entry) {
  return sealed_message_key(domain.epoch(sealed_epoch(entry.sealed)).map_key, kLogPurpose, entry.sealed);
}

void open_log_details(const Binding& binding, const DomainKeys& domain, LogEntry& entry) {
  if (!entry.sealed.empty()) open_log_details(binding, log_details_key(domain, entry), entry);
}

void open_log_details(const Binding& binding, const crypto::AeadKey& key, LogEntry& entry) {
  const Bytes plaintext =
      open_with_message_key(binding, key, kLogPurpose, number_context(entry.number), entry.sealed);
  cbor::Reader reader(plaintext);
  cbor::MapReader map(reader);
  if (!map.next() || map.key() != 1) throw Error(ErrorCode::damaged, "a log entry lacks a detail");
  if (auto* relabel = std::get_if<Relabel>(&entry.event)) {
    relabel->labels = read_labels(reader);
  } else {
    const std::string text(reader.text());
    if (auto* key_event = std::get_if<KeyEvent>(&entry.event)) key_event->reason = text;
    if (auto* tombstone = std::get_if<Tombstone>(&entry.event)) tombstone->reason = text;
    if (auto* hold = std::get_if<Hold>(&entry.event)) hold->reason = text;
    if (auto* release = std::get_if<Release>(&entry.event)) release->reason = text;
    if (auto* audit = std::get_if<Audit>(&entry.event)) audit->json = text;
  }
  if (map.next()) map.unknown();
  reader.finish();
}

std::vector<SnapshotId> LogState::living(const DomainId& domain) const {
  std::vector<SnapshotId> ids;
  for (const auto& [id, snapshot] : snapshots)
    if (snapshot.domain == domain && snapshot.tombstone_number == 0) ids.push_back(id);
  return ids;
}

const LogState::CondemnedPacks& LogState::condemned_in(const DomainId& domain) const {
  static const CondemnedPacks none;
  const auto at = condemned.find(domain);
  return at == condemned.end() ? none : at->second;
}

namespace {

SnapshotState* known_snapshot(LogState& state, const LogEntry& entry, const SnapshotId& id) {
  const auto at = state.snapshots.find(id);
  return at == state.snapshots.end() || at->second.domain != entry.domain ? nullptr : &at->second;
}

void apply_key_event(LogState& state, const crypto::Sha256& config_hash, const LogEntry& entry, const KeyEvent& event,
                     const LoadKeyObject& load) {
  // A domain's first key event brings the keys that its own signature is checked against, so objects come first.
  std::vector<std::pair<ObjectName, KeyObject>> waiting;
  for (const ObjectName& name : event.added) {
    const std::optional<Bytes> stored = load(name);
    // A slot or grant that lies apart from the repository counts once it is brought along.
    if (!stored) continue;
    if (name_of(*stored) != name)
      throw Error(ErrorCode::damaged, "key object " + name.hex() + " is not what was stored");
    KeyObject object = parse_key_object(config_hash, *stored);
    if (object.domain != entry.domain)
      throw Error(ErrorCode::damaged, "key object " + name.hex() + " belongs to another domain");
    waiting.emplace_back(name, std::move(object));
  }
  const auto rank = [](const KeyObject& object) { return object.content.index(); };
  std::stable_sort(waiting.begin(), waiting.end(),
                   [&](const auto& a, const auto& b) { return rank(a.second) < rank(b.second); });
  for (auto& [name, object] : waiting) state.keys.add(name, std::move(object));
}

struct Apply {
  LogState& state;
  const LogEntry& entry;

  void operator()(const KeyEvent& event) {
    for (const ObjectName& name : event.removed) state.keys.remove(name);
  }
  void operator()(const Commit& event) {
    SnapshotState snapshot;
    snapshot.domain = entry.domain;
    snapshot.object = event.object;
    snapshot.commit_number = entry.number;
    snapshot.commit_time = entry.time;
    if (event.considered >= entry.number) throw Error(ErrorCode::damaged, "a commit that considers the future");
    // The same snapshot again (sealed anew, or repaired) replaces the object; a forgotten one does not come back.
    const auto [at, added] = state.snapshots.try_emplace(event.snapshot, snapshot);
    if (!added && at->second.domain == entry.domain) at->second.object = event.object;
  }
  void operator()(const Tombstone& event) {
    for (const SnapshotId& id : event.snapshots) {
      SnapshotState* snapshot = known_snapshot(state, entry, id);
      if (snapshot == nullptr || snapshot->tombstone_number != 0 || state.is_locked(*snapshot, entry.time)) continue;
      snapshot->tombstone_number = entry.number;
      snapshot->tombstone_time = entry.time;
    }
  }
  void operator()(const Relabel& event) {
    if (SnapshotState* snapshot = known_snapshot(state, entry, event.snapshot)) {
      snapshot->label_entry = entry.number;
      snapshot->labels = event.labels;
    }
  }
  void operator()(const Hold& event) {
    if (SnapshotState* snapshot = known_snapshot(state, entry, event.snapshot)) {
      snapshot->holds = 1;
      snapshot->hold_entry = entry.number;
      snapshot->hold_reason = event.reason;
    }
  }
  void operator()(const Release& event) {
    if (SnapshotState* snapshot = known_snapshot(state, entry, event.snapshot)) {
      snapshot->holds = 0;
      snapshot->hold_entry.reset();
      snapshot->hold_reason.clear();
    }
  }
  void operator()(const RetentionLock& event) {
    if (SnapshotState* snapshot = known_snapshot(state, entry, event.snapshot))
      if (!snapshot->locked_until || *snapshot->locked_until < event.until) snapshot->locked_until = event.until;
  }
  void operator()(const Condemnation& event) {
    for (const ObjectName& pack : event.packs) state.condemned[entry.domain][pack] = {entry.number, entry.time};
  }
  void operator()(const Collection& event) {
    const auto at = state.condemned.find(entry.domain);
    if (at == state.condemned.end()) return;
    for (const ObjectName& pack : event.packs) at->second.erase(pack);
    if (at->second.empty()) state.condemned.erase(at);
  }
  void operator()(const Checkpoint&) {}
  void operator()(const Audit&) {}
};

}  // namespace

void apply_log_entry(LogState& state, const crypto::Sha256& config_hash, const LogEntry& entry, ByteView stored,
                     const LoadKeyObject& load) {
  if (entry.number != state.head.number + 1 || entry.previous != state.head.hash)
    throw Error(ErrorCode::damaged, "log entry " + std::to_string(state.head.number + 1) +
                                        " does not follow the entry before: the log was altered");
  if (entry.number > 1 && entry.time < state.last_time)
    throw Error(ErrorCode::damaged, "log entry " + std::to_string(entry.number) + " is older than the one before");
  if (const auto* key_event = std::get_if<KeyEvent>(&entry.event))
    apply_key_event(state, config_hash, entry, *key_event, load);
  if (!state.keys.may_sign_log(entry.domain, entry.signer))
    throw Error(ErrorCode::damaged, "log entry " + std::to_string(entry.number) + " was signed by somebody who may not");
  std::visit(Apply{state, entry}, entry.event);
  state.head = {entry.number, crypto::sha256(stored)};
  state.last_time = entry.time;
}

}  // namespace qcbak::repository
