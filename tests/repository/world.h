// A repository on a simulated medium, its processes, and what was promised to whoever backed up: for tests of what
// collections, crashes and failures leave.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backup/repository/collect.h"
#include "tests/repository/test_repository.h"
#include "tests/simulated/simulated_storage.h"

namespace qcbak::tests {

inline constexpr std::int64_t kGraceNs = kDayNs;
repository::CollectOptions exclusively();
repository::CollectOptions with_grace();

class World {
 public:
  explicit World(std::uint64_t seed);
  World copy(std::uint64_t seed) const;  // the same medium and promises, other randomness

  // One process with the repository open.
  struct Process {
    explicit Process(World& world, Access access = Access::write_only);
    // As a writer does first: what died before is made durable or removed.
    void take_over();
    simulated::SimulatedStorage storage;
    std::unique_ptr<repository::Repository> repository;
    repository::WriteContext context;
    std::unique_ptr<storage::Storage::WriterLock> lock;
  };

  simulated::Medium& medium() { return *medium_; }
  ManualClock& clock() { return *clock_; }
  SeededRandom& random() { return *random_; }
  std::map<repository::SnapshotId, Files>& promised() { return promised_; }

  // Whole operations of processes of their own, which succeed.
  repository::SnapshotId backup(const Files& files);
  void forget(const repository::SnapshotId& id);
  void forget_all();
  repository::CollectResult collect(const repository::CollectOptions& options);

  // What may have happened or not when it was interrupted.
  void unsure_of_commit(const Files& files) { perhaps_committed_.push_back(files); }
  void unsure_of_tombstone(const repository::SnapshotId& id);
  void sure_of_tombstone(const repository::SnapshotId& id) { perhaps_forgotten_.erase(id); }
  // Every promised snapshot reads back, and so does every other that lives; those were in doubt. Their fate is known
  // from now on.
  void expect_whole();
  // The next backup and the next collection work with no manual step.
  void expect_usable();

  std::vector<std::string> names(std::string_view prefix);
  Files files_of(std::size_t count, std::size_t size = 20'000);

 private:
  World(std::unique_ptr<simulated::Medium> medium, std::uint64_t seed);
  std::unique_ptr<simulated::Medium> medium_;
  std::unique_ptr<ManualClock> clock_;
  std::unique_ptr<SeededRandom> random_;
  std::map<repository::SnapshotId, Files> promised_;
  std::map<repository::SnapshotId, Files> perhaps_forgotten_;
  std::vector<Files> perhaps_committed_;
};

}  // namespace qcbak::tests
