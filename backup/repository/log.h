// The log: the truth about what the repository holds. docs/format.md "Log".
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "backup/repository/keys.h"
#include "backup/repository/snapshot.h"

namespace qcbak::repository {

enum class LogKind : std::uint8_t {
  key_event = 1,
  commit = 2,
  tombstone = 3,
  label = 4,
  hold = 5,
  release = 6,
  lock = 7,
  condemnation = 8,
  collection = 9,
  checkpoint = 10,
  audit = 11,
};
std::string_view name_of(LogKind kind);  // "commit"

struct KeyEvent {
  std::vector<ObjectName> added;
  std::vector<ObjectName> removed;
  std::string reason;
};
struct Commit {
  ObjectName object;
  SnapshotId snapshot;
  std::uint64_t considered = 0;  // number of the last entry taken into account
};
struct Tombstone {
  std::vector<SnapshotId> snapshots;
  std::string reason;
};
struct Relabel {
  SnapshotId snapshot;
  Labels labels;
};
struct Hold {
  SnapshotId snapshot;
  std::string reason;
};
struct Release {
  SnapshotId snapshot;
  std::string reason;
};
struct RetentionLock {
  SnapshotId snapshot;
  Time until;
};
struct Condemnation {
  std::vector<ObjectName> packs;
};
struct Collection {
  std::vector<ObjectName> packs;
};
struct Checkpoint {
  LogHead head;
};
struct Audit {
  std::string json;
};

// In the order of LogKind.
using LogEvent = std::variant<KeyEvent, Commit, Tombstone, Relabel, Hold, Release, RetentionLock, Condemnation,
                              Collection, Checkpoint, Audit>;

struct LogEntry {
  std::uint64_t number = 0;
  crypto::Sha256 previous;
  Time time;
  crypto::SignPublic signer;
  DomainId domain;
  LogEvent event;     // sealed details are empty until they are opened
  Bytes sealed;       // empty: none
  LogKind kind() const { return static_cast<LogKind>(event.index() + 1); }
};

// `head` is the entry it is chained to; head.number 0 and head.hash C for entry 1.
Bytes encode_log_entry(const Binding& binding, const LogHead& head, Time time, const LogEvent& event,
                       const DomainKeys& domain, Random& random);
// Checks form and signature. Whether the signer may sign is the state's to say. Error(damaged).
LogEntry parse_log_entry(const crypto::Sha256& config_hash, ByteView stored);
enum class Signatures { check, trusted };
LogEntry parse_log_entry(const crypto::Sha256& config_hash, ByteView stored, Signatures signatures);
// Opens the sealed details into `event`. Error(damaged).
void open_log_details(const Binding& binding, const DomainKeys& domain, LogEntry& entry);
// The key that opens the sealed details of this entry and nothing else; for entries that have some.
crypto::AeadKey log_details_key(const DomainKeys& domain, const LogEntry& entry);
void open_log_details(const Binding& binding, const crypto::AeadKey& key, LogEntry& entry);

struct SnapshotState {
  DomainId domain;
  ObjectName object;
  std::uint64_t commit_number = 0;
  Time commit_time;
  std::optional<std::uint64_t> label_entry;  // number of the entry that last set the labels
  std::optional<Labels> labels;              // opened on demand
  std::uint64_t holds = 0;                   // 1 while held
  std::optional<std::uint64_t> hold_entry;
  std::string hold_reason;
  std::optional<Time> locked_until;
  std::uint64_t tombstone_number = 0;  // 0: lives
  Time tombstone_time;
};

// What the log says up to some entry.
struct LogState {
  LogHead head;  // number 0 and hash C at the start
  KeySet keys;
  std::map<SnapshotId, SnapshotState> snapshots;  // also those forgotten
  struct CondemnedPack {
    std::uint64_t number = 0;
    Time time;
  };
  using CondemnedPacks = std::map<ObjectName, CondemnedPack>;
  // And not yet collected. What a domain condemns says nothing about the packs of another.
  std::map<DomainId, CondemnedPacks> condemned;
  Time last_time;

  std::vector<SnapshotId> living(const DomainId& domain) const;
  const CondemnedPacks& condemned_in(const DomainId& domain) const;
  bool is_locked(const SnapshotState& snapshot, Time now) const {
    return snapshot.holds > 0 || (snapshot.locked_until && *snapshot.locked_until > now);
  }
};

// Fetches the stored bytes of a key object.
using LoadKeyObject = std::function<std::optional<Bytes>(const ObjectName&)>;
// Error(damaged) when the entry does not follow, its signer may not sign, or it makes no sense.
void apply_log_entry(LogState& state, const crypto::Sha256& config_hash, const LogEntry& entry, ByteView stored,
                     const LoadKeyObject& load);

}  // namespace qcbak::repository
