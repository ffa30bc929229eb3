// A repository as a command uses it: found, opened, unlocked, locked.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backup/repository/writer.h"
#include "cli/command.h"
#include "cli/output.h"

namespace qcbak::cli {

// What --repo or QCBAK_REPO names: a directory. Error(usage) for kinds of places that this version cannot use.
std::string repository_place(const Arguments& arguments);
// Of this user; empty: none. qcbak-recover keeps none unless it is told to: a rescue system forgets it anyway.
std::string cache_directory(const Invocation& invocation);

// Waits as --wait says, and says so. Error(busy), Error(interrupted).
std::unique_ptr<storage::Storage::WriterLock> wait_for_lock(const Invocation& invocation, storage::Storage& storage);

class Session {
 public:
  enum class Keys {
    none,      // nothing is unlocked
    any,       // a password or a credential
    password,  // a custodian's password, which password() then gives
  };
  Session(const Invocation& invocation, Keys keys);

  storage::Storage& storage() { return *storage_; }
  repository::Repository& repository() { return *repository_; }
  ByteView password() const { return password_.view(); }

  // For the rest of the session. Waits as --wait says. Error(busy).
  void lock_for_writing();
  repository::WriteContext context(const repository::DomainKeys& domain) {
    return {*storage_, *repository_, domain, invocation_.clock, invocation_.random};
  }
  const repository::DomainKeys& domain_of(const repository::SnapshotInfo& snapshot) const;
  // All that live, oldest first. What is damaged is left out, named on standard error, and remembered.
  std::vector<repository::SnapshotInfo> snapshots();
  bool found_damage() const { return found_damage_; }

 private:
  void unlock(Keys keys);
  const Invocation& invocation_;
  std::unique_ptr<storage::Storage> storage_;
  std::unique_ptr<repository::Repository> repository_;
  std::unique_ptr<storage::Storage::WriterLock> lock_;
  crypto::SecretBytes password_;
  bool found_damage_ = false;
};

}  // namespace qcbak::cli
