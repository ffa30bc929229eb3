#include "tests/backup/workshop.h"

#include "backup/browse.h"
#include "base/unique_fd.h"

namespace qcbak::tests {

Workshop::Workshop(std::string root) : root_(std::move(root)) {
  if (root_.empty()) {
    directory_.emplace();
    root_ = directory_->path();
  }
  make_directories(source());
  const auto storage = storage::create_local_directory(repository_path());
  SystemRandom random;
  create_test_repository(*storage, SystemClock(), random);
}

void Workshop::in_source(const std::string& script) const {
  run_or_throw({"/bin/sh", "-ec", "cd '" + source() + "'\n" + script});
}

std::unique_ptr<storage::Storage> Workshop::open_storage() const { return storage::open_local_directory(repository_path()); }

std::unique_ptr<repository::Repository> Workshop::open(const storage::ReadStorage& storage, Access access) const {
  repository::OpenOptions options;
  options.cache_directory = cache();
  options.rollback = rollback;
  return open_test_repository(storage, access, options);
}

BackupResult Workshop::backup(BackupOptions options) const {
  return backup_to(*open_storage(), std::move(options));
}

BackupResult Workshop::backup_to(storage::Storage& storage, BackupOptions options, std::stop_token stop) const {
  const SystemClock clock;
  SystemRandom random;
  const auto lock = repository::lock_for_writing(storage, clock, 0, {});
  const auto repository = open(storage, Access::write_only);
  if (options.paths.empty()) options.paths = {source()};
  options.host = "host";
  Progress progress;
  return qcbak::backup({storage, *repository, repository->domain(""), clock, random}, options, progress, stop);
}

RestoreResult Workshop::restore(RestoreOptions options, const std::string& snapshot) const {
  return restore_from(*open_storage(), std::move(options), snapshot);
}

RestoreResult Workshop::restore_from(const storage::ReadStorage& storage, RestoreOptions options,
                                     const std::string& snapshot) const {
  const auto repository = open(storage, Access::read);
  if (options.target.empty()) options.target = target();
  if (options.path.empty()) options.path = source();
  Progress progress;
  return qcbak::restore(*repository, find_snapshot(*repository, snapshot, {}), options, progress, {});
}

std::string Workshop::difference() const {
  return run_or_throw({"rsync", "-aHAXSn", "--checksum", "--delete", "--itemize-changes", source() + "/", target() + "/"});
}

}  // namespace qcbak::tests
