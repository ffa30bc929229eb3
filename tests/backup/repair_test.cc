#include "backup/repair.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "tests/backup/damage_checks.h"

namespace qcbak::tests {
namespace {

using namespace repository;
using simulated::PowerLost;
using simulated::SimulatedStorage;
using ::testing::IsEmpty;
using Act = RepairOptions::Act;

TEST(Repair, DoesNothingToAnIntactRepository) {
  const SmallRepository small;
  const auto before = objects_of(small.storage());
  const RepairResult result = run_repair(small.storage());
  EXPECT_EQ(objects_of(small.storage()), before);
  EXPECT_THAT(result.losses, IsEmpty());
  EXPECT_THAT(result.indexes_rebuilt, IsEmpty());
  EXPECT_EQ(result.packs_indexed, 0U);
}

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
      ASSERT_TRUE(verify_at(storage, kContent).clean());
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

  const SmallRepository stranger(8);
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
      ASSERT_EQ(verify_at(storage, kContent).clean(), result.losses.empty()) << text(verify_at(storage, kContent));
    }
  }
}

}  // namespace
}  // namespace qcbak::tests
