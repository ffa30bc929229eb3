// A source tree, a repository on a local disk, a cache and a target, in one temporary directory.
#pragma once

#include <memory>
#include <string>

#include "backup/backup.h"
#include "backup/restore.h"
#include "backup/storage/local_directory.h"
#include "tests/repository/test_repository.h"
#include "tests/support/run_command.h"
#include "tests/support/temporary_directory.h"

namespace qcbak::tests {

class Workshop {
 public:
  explicit Workshop(std::string root = "");

  const std::string& root() const { return root_; }
  std::string source() const { return root_ + "/source"; }
  std::string target() const { return root_ + "/target"; }
  std::string repository_path() const { return root_ + "/repository"; }
  std::string cache() const { return root_ + "/cache"; }
  // What opening says of a repository that is older than one seen before.
  repository::OpenOptions::Rollback rollback = repository::OpenOptions::Rollback::refuse;
  // Runs a shell script in the source tree; throws when it fails.
  void in_source(const std::string& script) const;

  std::unique_ptr<storage::Storage> open_storage() const;
  std::unique_ptr<repository::Repository> open(const storage::ReadStorage& storage, Access access) const;

  // Each opens the repository anew, as a process would.
  BackupResult backup(BackupOptions options = {}) const;
  RestoreResult restore(RestoreOptions options = {}, const std::string& snapshot = "latest") const;
  // The same with another medium, or with one's own hold on this one. Backing up takes the writer's lock.
  BackupResult backup_to(storage::Storage& storage, BackupOptions options = {}, std::stop_token stop = {}) const;
  RestoreResult restore_from(const storage::ReadStorage& storage, RestoreOptions options = {},
                             const std::string& snapshot = "latest") const;
  // What rsync, with everything it can compare, says differs between source and the restored copy; empty: nothing.
  std::string difference() const;

 private:
  std::optional<TemporaryDirectory> directory_;
  std::string root_;
};

}  // namespace qcbak::tests
