// A backup about to happen, as often as a test wants: a tree with changes, a simulated medium and a file cache as the
// backup before left them. Each try gets copies, may die at any point, and is then looked at.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "base/error.h"
#include "tests/backup/workshop.h"
#include "tests/simulated/simulated_storage.h"

namespace qcbak::tests {

struct RehearsalOptions {
  std::uint64_t seed = 1;
  std::size_t small_files = 40;          // up to 30 kB each
  std::size_t large_file_bytes = 3U << 20;  // the earlier snapshot's; a part of it changes
  std::size_t new_files = 3;
  std::size_t new_file_bytes = 100'000;  // of each
};

class Rehearsal {
 public:
  explicit Rehearsal(const RehearsalOptions& options = {});

  const Workshop& shop() const { return shop_; }
  std::uint64_t source_bytes() const;
  // As before the backup. Puts the cache back too.
  std::unique_ptr<simulated::Medium> begin() const;
  // The cache as it is now, and back to that.
  void keep_cache(const std::string& name) const;
  void put_back_cache(const std::string& name) const;
  // The backup, by the process that has `storage`. How it ended; an Error it threw is in `error`.
  enum class End { succeeded, failed, died };
  End run(storage::Storage& storage, BackupOptions options = {}, std::stop_token stop = {});
  const std::optional<Error>& error() const { return error_; }
  const BackupResult& result() const { return result_; }

  // What every end of a run must leave, seen by a new process: the earlier snapshot and whatever else was committed are
  // whole; the next backup works at once, and is what is in the tree.
  void expect_usable(simulated::Medium& medium);

 private:
  Workshop shop_;
  std::unique_ptr<simulated::Medium> before_;
  repository::SnapshotId earlier_id_;
  Files earlier_;
  Files now_;
  std::optional<Error> error_;
  BackupResult result_;
};

// What a whole run does to the medium.
simulated::SimulatedStorage::Counters undisturbed(Rehearsal& rehearsal);
// Each change of the medium fails in turn, in each way; power is lost at each step of each; the medium has only so much
// room. Each time the run ends as it should, gives back what it took, and what every end must leave is there.
void expect_every_failing_change_survived(Rehearsal& rehearsal);
void expect_power_loss_at_every_step_survived(Rehearsal& rehearsal);
void expect_full_medium_survived(Rehearsal& rehearsal, const std::vector<std::uint64_t>& free_bytes);

// Regular files below `directory`, named as read_snapshot() names them.
Files files_below(const std::string& directory);

// Threads and descriptors of this process: what a failed run must give back.
struct Resources {
  static Resources used();
  std::size_t threads = 0;
  std::size_t descriptors = 0;
  friend bool operator==(const Resources&, const Resources&) = default;
};
void PrintTo(const Resources& resources, std::ostream* out);

// `size` bytes that no compression shrinks.
void write_random_file(const std::string& path, SeededRandom& random, std::size_t size);
// Until files written before count as settled, so that the file cache takes them.
void let_settle();

}  // namespace qcbak::tests
