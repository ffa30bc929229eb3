// An opened repository: its config, its log, and, as far as a key was given, its domains and their indexes.
// Reading needs no lock. What changes the repository is in writer.h.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backup/repository/config.h"
#include "backup/repository/index.h"
#include "backup/repository/log.h"
#include "backup/storage/storage.h"
#include "base/error.h"
#include "base/guarded.h"

namespace qcbak::repository {

struct OpenOptions {
  std::string cache_directory;  // of this user, for all repositories; empty: none
  std::string keys_directory;   // where slots and grants lie apart; empty: in the repository
  enum class Rollback { refuse, accept };
  Rollback rollback = Rollback::refuse;
};

// A snapshot as everybody with the map key sees it.
struct SnapshotInfo {
  SnapshotHeader header;  // labels as the log last set them
  SnapshotState state;
};

class Repository {
 public:
  // Error(no_repository), Error(unsupported), Error(damaged): among others when the log is older than one seen before.
  Repository(const storage::ReadStorage& storage, OpenOptions options);

  // Error(wrong_key) when it opens nothing. Each may be called once.
  void unlock_with_password(ByteView password);
  void unlock_with_credential(ByteView file);
  void unlock_with_seed(const CustodianSeed& seed);

  const storage::ReadStorage& storage() const { return storage_; }
  const Config& config() const { return config_; }
  const crypto::Sha256& config_hash() const { return config_hash_; }
  const LogState& log() const { return log_; }
  const OpenOptions& options() const { return options_; }
  // Entries put since are applied. Returns those that are new.
  std::vector<LogEntry> refresh_log();
  // Every entry in order, with its details opened where the keys are there …
  using VisitLogEntry = std::function<void(const LogEntry&, const crypto::Sha256& hash)>;
  void for_each_log_entry(const VisitLogEntry& visit) const;
  // … or those with the numbers from `first` to `last`, as far as the log goes.
  void for_each_log_entry(std::uint64_t first, std::uint64_t last, const VisitLogEntry& visit) const;

  // Domains that were unlocked.
  const std::vector<DomainKeys>& domains() const { return domains_; }
  // By name; without a name the only one, else Error(usage).
  const DomainKeys& domain(const std::string& name) const;
  const DomainKeys* find_domain(const DomainId& id) const;
  Binding binding(const DomainId& domain) const { return {config_.suite, config_hash_, domain}; }
  // Error(wrong_key) with the next step, when a domain cannot be read.
  void require_reading(const DomainKeys& domain) const;

  // Snapshots that live, of unlocked domains, oldest first. A damaged one is left out and reported.
  struct Damage {
    std::string object;  // its path in the repository
    std::string what;
  };
  std::vector<SnapshotInfo> snapshots(std::vector<Damage>* damage) const;
  SnapshotInfo snapshot(const SnapshotId& id) const;
  StoredSnapshot stored_snapshot(const SnapshotState& state) const;  // hash checked. Error(damaged), Error(not_found)
  SnapshotBody body(const SnapshotInfo& snapshot) const;

  // Loaded at the first call, kept up to date by the caller afterwards; packs that log entries condemn or collect are
  // excluded as they are read. `damage` gets what could not be used. Thread-safe.
  Index& index(const DomainKeys& domain, std::vector<Damage>* damage = nullptr) const;
  // The next call of index() loads it anew. References given before stay good.
  void drop_index(const DomainKeys& domain) const;

  // One index object, from the cache where it is there. Nothing: it is gone, or belongs to another domain. Error(damaged).
  std::optional<IndexSegment> index_object(const DomainKeys& domain, const ObjectName& name) const;

  std::string repository_cache() const;  // the folder of this repository in the cache; empty: none

 private:
  void load_log();
  void adopt(std::vector<DomainKeys> domains);
  std::optional<DomainKeys> open_domain(const DomainId& domain, const SlotObject& slot, const CustodianSeed& seed) const;
  void apply(const LogEntry& entry, ByteView stored);
  void open_annotations();
  void save_log_cache(const std::vector<Bytes>& fresh, bool anew) const;
  void check_seen(const LogHead& head);
  std::string log_cache_path() const;
  void forget_cached_indexes(const DomainKeys& domain, const std::set<std::string>& but) const;
  std::unique_ptr<Index> load_index(const DomainKeys& domain, std::vector<Damage>* damage) const;

  const storage::ReadStorage& storage_;
  OpenOptions options_;
  Config config_;
  crypto::Sha256 config_hash_;
  LogState log_;
  std::vector<LogEntry> annotations_;  // labels and holds, whose details wait for a key
  std::vector<DomainKeys> domains_;
  struct Indexes {
    std::map<DomainId, std::unique_ptr<Index>> loaded;
    std::vector<std::unique_ptr<Index>> dropped;  // other threads may be looking something up
  };
  mutable Guarded<Indexes> indexes_;
};

// A key object, from the repository or from where keys lie apart (empty: nowhere).
std::optional<Bytes> load_key_object(const storage::ReadStorage& storage, const std::string& keys_directory,
                                     const ObjectName& name);
// What is said when there is none.
Error no_repository(const storage::ReadStorage& storage);

// What a new repository starts with.
struct CreateOptions {
  crypto::Suite suite = crypto::Suite::aes_256_gcm;
  std::vector<std::string> domains = {"default"};
  std::string custodian = "default";
  std::string keys_directory;  // slots and grants go there instead
};
// Error(failed) when there is one already. The config is put last.
void create_repository(storage::Storage& storage, const CreateOptions& options, ByteView password, Time now,
                       Random& random);

}  // namespace qcbak::repository
