// A small repository in a simulated medium with everything in it that can be damaged: three snapshots that share some of
// their packs, two of which were forgotten later or not, directories in directories, a file of many chunks.
#pragma once

#include <map>
#include <memory>

#include "tests/repository/test_repository.h"
#include "tests/simulated/simulated_storage.h"

namespace qcbak::tests {

class SmallRepository {
 public:
  static constexpr std::size_t kChunkBytes = 16;
  explicit SmallRepository(std::uint64_t seed = 7);
  simulated::Medium& medium() const { return *medium_; }
  storage::Storage& storage() const { return *storage_; }
  const std::map<repository::SnapshotId, Files>& snapshots() const { return snapshots_; }
  const Clock& clock() const { return clock_; }
  Random& random() const { return random_; }

  // Every file that can still be read with the right content, by snapshot. Empty when the repository does not open.
  using Readable = std::map<repository::SnapshotId, Files>;
  static Readable readable(const storage::ReadStorage& storage);

 private:
  std::unique_ptr<simulated::Medium> medium_ = std::make_unique<simulated::Medium>();
  std::unique_ptr<simulated::SimulatedStorage> storage_;
  ManualClock clock_;
  mutable SeededRandom random_;
  std::map<repository::SnapshotId, Files> snapshots_;
};

}  // namespace qcbak::tests
