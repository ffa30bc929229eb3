#include "backup/repair.h"

#include <gmock/gmock.h>

#include "backup/verify.h"
#include "base/error.h"
#include "tests/backup/small_repository.h"

namespace qcbak::tests {
namespace {

using namespace repository;
using simulated::Medium;
using simulated::PowerLost;
using simulated::SimulatedStorage;
using ::testing::IsEmpty;
using Act = RepairOptions::Act;

const ManualClock& clock_of_repairs() {
  static const ManualClock clock(Time{ManualClock::kStart.ns + 30 * kDayNs});
  return clock;
}

RepairResult run_repair(storage::Storage& storage, Access access = Access::read, RepairOptions options = {}) {
  static SeededRandom random(11);
  const auto repository = open_test_repository(storage, access);
  Progress progress;
  return repair({storage, *repository, repository->domain(""), clock_of_repairs(), random}, options, progress, {});
}

VerifyResult run_verify(const storage::ReadStorage& storage) {
  const auto repository = open_test_repository(storage, Access::read);
  VerifyOptions options;
  options.data = VerifyOptions::Data::read;
  Progress progress;
  return verify(*repository, options, progress, {});
}

bool opens(const storage::ReadStorage& storage) {
  try {
    open_test_repository(storage, Access::read);
    return true;
  } catch (const Error&) {
    return false;
  }
}

std::map<std::string, Bytes> objects_of(const storage::ReadStorage& storage) {
  std::map<std::string, Bytes> objects;
  for (const storage::ObjectInfo& object : storage.list(""))
    objects.emplace(object.name, *storage.get(object.name, kPackLimit));
  return objects;
}

void expect_no_worse(const SmallRepository::Readable& before, const SmallRepository::Readable& after) {
  for (const auto& [snapshot, files] : before) {
    ASSERT_TRUE(after.contains(snapshot));
    for (const auto& [path, content] : files) {
      const auto at = after.at(snapshot).find(path);
      ASSERT_NE(at, after.at(snapshot).end()) << path << " could be read before the repair";
      ASSERT_EQ(at->second, content);
    }
  }
}

std::string text(const VerifyResult& result) {
  std::string all;
  for (const VerifyFinding& finding : result.findings)
    all += std::to_string(static_cast<int>(finding.kind)) + " " + finding.object + ": " + finding.what + "\n";
  return all;
}

// Nothing that could be read is lost, what was lost is named, the second run changes nothing, and the next backup of the
// same files makes everything whole again that a pack can hold.
void expect_good_repair(const SmallRepository& small, Medium& medium, Access access, const std::string& object) {
  SimulatedStorage storage(medium);
  const auto before = SmallRepository::readable(storage);
  const auto objects_before = objects_of(storage);

  RepairOptions only_report;
  only_report.act = Act::only_report;
  const RepairResult planned = run_repair(storage, access, only_report);
  ASSERT_EQ(objects_of(storage), objects_before) << "a dry run changed something";
  const RepairResult result = run_repair(storage, access);
  ASSERT_EQ(planned.salvaged_packs, result.salvaged_packs);
  ASSERT_EQ(planned.records_salvaged, result.records_salvaged);
  ASSERT_EQ(planned.losses.size(), result.losses.size());

  const auto after = SmallRepository::readable(storage);
  expect_no_worse(before, after);
  for (const auto& [name, bytes] : objects_before) {
    const auto now = storage.get(name, kPackLimit);
    ASSERT_TRUE((now && *now == bytes) || name.starts_with("indexes/")) << name << " was touched";
  }
  if (access == Access::read) {
    for (const auto& [snapshot, files] : small.snapshots()) {
      if (!after.contains(snapshot)) continue;  // its commit is lost
      for (const auto& [path, content] : files) {
        if (after.at(snapshot).contains(path)) continue;
        const bool is_named = std::any_of(result.losses.begin(), result.losses.end(), [&](const RepairResult::Loss& loss) {
          return loss.snapshot == snapshot.hex() &&
                 (loss.path.empty() || loss.path == "/" + path ||
                  (loss.path.ends_with('/') && ("/" + path).starts_with(loss.path)));
        });
        ASSERT_TRUE(is_named) << path;
      }
    }
    if (object.starts_with("indexes/")) {
      ASSERT_TRUE(run_verify(storage).clean()) << text(run_verify(storage));
    }
    if (object.starts_with("packs/") || object.starts_with("indexes/")) {
      ASSERT_EQ(run_verify(storage).clean(), result.losses.empty()) << text(run_verify(storage));
    }
  }

  const auto objects_after = objects_of(storage);
  const std::uint64_t mutations = storage.counters().mutations;
  const RepairResult again = run_repair(storage, access);
  ASSERT_EQ(storage.counters().mutations, mutations) << "a second repair changed something";
  ASSERT_EQ(objects_of(storage), objects_after);
  ASSERT_EQ(again.losses.size(), result.losses.size());

  if (access != Access::read || !object.starts_with("packs/")) return;
  SeededRandom random(12);
  for (const auto& [id, files] : small.snapshots()) {
    const auto repository = open_test_repository(storage, Access::write_only);
    StoreOptions options;
    options.chunk_bytes = SmallRepository::kChunkBytes;
    store_snapshot({storage, *repository, repository->domain(""), clock_of_repairs(), random}, files, options);
  }
  const auto whole = SmallRepository::readable(storage);
  for (const auto& [id, files] : small.snapshots()) ASSERT_EQ(whole.at(id), files);
  ASSERT_TRUE(run_verify(storage).clean()) << text(run_verify(storage));
}

void flip_and_repair(std::size_t step, Access access) {
  const SmallRepository small;
  std::size_t offset = 0;
  for (const storage::ObjectInfo& object : small.storage().list("")) {
    for (std::uint64_t at = offset % step; at < object.size_bytes; at += step) {
      SCOPED_TRACE(object.name + " byte " + std::to_string(at));
      const auto medium = small.medium().copy();
      medium->flip_bit(object.name, at * 8 + at % 8);
      if (!opens(SimulatedStorage(*medium))) continue;  // see HealsWhatKeepsARepositoryFromOpening
      expect_good_repair(small, *medium, access, object.name);
      if (::testing::Test::HasFatalFailure()) return;
    }
    offset += object.size_bytes;
  }
}

TEST(Repair, DoesNothingToAnIntactRepository) {
  const SmallRepository small;
  const auto before = objects_of(small.storage());
  const RepairResult result = run_repair(small.storage());
  EXPECT_EQ(objects_of(small.storage()), before);
  EXPECT_THAT(result.losses, IsEmpty());
  EXPECT_THAT(result.indexes_rebuilt, IsEmpty());
  EXPECT_EQ(result.packs_indexed, 0U);
}

TEST(Repair, SalvagesWhatIsGoodAroundAnyByte) { flip_and_repair(211, Access::read); }
TEST(Repair, IsSafeWithoutTheReadingKey) { flip_and_repair(307, Access::write_only); }

TEST(Repair, SalvagesAroundWhatIsMissingOrCutOff) {
  const SmallRepository small;
  for (const storage::ObjectInfo& object : small.storage().list("")) {
    for (const bool lost : {true, false}) {
      SCOPED_TRACE(object.name + (lost ? " lost" : " cut off"));
      const auto medium = small.medium().copy();
      if (lost) medium->lose(object.name);
      else medium->truncate(object.name, object.size_bytes / 2);
      if (!opens(SimulatedStorage(*medium))) continue;
      expect_good_repair(small, *medium, Access::read, object.name);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Repair, HealsEverythingFromACopy) {
  const SmallRepository small;
  SimulatedStorage copy(small.medium());
  const auto original = objects_of(copy);
  for (const auto& [name, bytes] : original) {
    for (const int damage : {0, 1, 2}) {
      SCOPED_TRACE(name + " damage " + std::to_string(damage));
      const auto medium = small.medium().copy();
      if (damage == 0) medium->lose(name);
      if (damage == 1) medium->truncate(name, bytes.size() / 3);
      if (damage == 2) medium->flip_bit(name, bytes.size() * 4);
      SimulatedStorage storage(*medium);
      RepairOptions options;
      options.healthy_copy = &copy;
      if (!opens(storage) || damage == 0) {
        const auto planned = heal_foundations(storage, copy, Act::only_report);
        EXPECT_EQ(heal_foundations(storage, copy, Act::repair), planned);
      }
      ASSERT_TRUE(opens(storage));
      run_repair(storage, Access::write_only, options);
      auto healed = objects_of(storage);
      // A lost index is no damage: its packs are indexed anew. A log that lost its end is one that has not got so far yet.
      if (damage == 0 && (name.starts_with("indexes/") || name == log_path(4))) continue;
      ASSERT_EQ(healed, original);
      ASSERT_TRUE(run_verify(storage).clean());
    }
  }
}

TEST(Repair, HealsLogEntriesOnlyFromACopyOfTheSameLog) {
  const SmallRepository small;
  // Another history of the same repository: entry 4 differs.
  const auto other_medium = small.medium().copy();
  other_medium->lose(log_path(4));
  SimulatedStorage other(*other_medium);
  {
    SeededRandom random(13);
    const auto repository = open_test_repository(other, Access::write_only);
    append_log({other, *repository, repository->domain(""), clock_of_repairs(), random},
               [] { return LogEvent(Audit{"{}"}); });
  }
  const auto medium = small.medium().copy();
  SimulatedStorage storage(*medium);
  EXPECT_THROW(heal_foundations(storage, other, Act::repair), Error);
  EXPECT_EQ(objects_of(storage), objects_of(small.storage()));

  const SmallRepository stranger;
  EXPECT_THROW(heal_foundations(storage, stranger.storage(), Act::repair), Error);
  EXPECT_EQ(objects_of(storage), objects_of(small.storage()));
}

// Wherever the power goes, nothing that could be read is lost, and the next run brings it to the end.
TEST(Repair, SurvivesACrashAtEveryStep) {
  const SmallRepository small;
  for (const storage::ObjectInfo& object : small.storage().list("")) {
    if (!object.name.starts_with("packs/") && !object.name.starts_with("indexes/")) continue;
    const auto damaged = small.medium().copy();
    damaged->flip_bit(object.name, object.size_bytes * 2);
    const auto before = SmallRepository::readable(SimulatedStorage(*damaged));
    bool done = false;
    for (std::uint64_t step = 1; !done; ++step) {
      SCOPED_TRACE(object.name + " step " + std::to_string(step));
      const auto medium = damaged->copy();
      {
        SimulatedStorage process(*medium);
        process.lose_power_at_step(step);
        try {
          run_repair(process);
          done = true;
        } catch (const PowerLost&) {
          medium->power_loss(step);
        }
      }
      SimulatedStorage storage(*medium);
      expect_no_worse(before, SmallRepository::readable(storage));
      if (HasFatalFailure()) return;
      const RepairResult result = run_repair(storage);
      expect_no_worse(before, SmallRepository::readable(storage));
      if (HasFatalFailure()) return;
      ASSERT_EQ(run_verify(storage).clean(), result.losses.empty()) << text(run_verify(storage));
    }
  }
}

}  // namespace
}  // namespace qcbak::tests
