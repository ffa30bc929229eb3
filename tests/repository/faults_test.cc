// Every operation that changes a repository, with power lost, failures and a full disk at each of its steps. Whatever
// happens: what was acknowledged is whole, and the next backup and collection work with no manual step.
#include <gmock/gmock.h>

#include "base/error.h"
#include "tests/repository/world.h"

namespace qcbak::repository {
namespace {

using namespace tests;
using simulated::PowerLost;
using simulated::SimulatedStorage;
using Failure = SimulatedStorage::Failure;

struct Operation {
  const char* name;
  void (*prepare)(World& world);
  void (*run)(World& world, World::Process& process);
};
void PrintTo(const Operation& operation, std::ostream* out) { *out << operation.name; }

// A snapshot that stays, one that is forgotten and shared a file with the former, an unfinished run, a stale index.
void prepare_collection(World& world) {
  Files files = world.files_of(4, 6000);
  const SnapshotId first = world.backup(files);
  files.erase(std::next(files.begin()), files.end());
  files["own"] = random_content(world.random(), 3000);
  world.backup(files);
  const SnapshotId alone = world.backup(world.files_of(2, 3000));
  World::Process dead(world);
  store_files(dead.context, world.files_of(1, 3000));
  world.forget(first);
  world.forget(alone);
}

void prepare_removal(World& world) {
  prepare_collection(world);
  world.collect(with_grace());
  world.clock().advance(kGraceNs);
}

void run_backup(World& world, World::Process& process) {
  Files files = world.promised().begin()->second;
  files["new"] = random_content(world.random(), 7000);
  world.unsure_of_commit(files);
  world.promised()[store_snapshot(process.context, files)] = files;
}

void run_forget(World& world, World::Process& process) {
  const SnapshotId id = world.promised().begin()->first;
  world.unsure_of_tombstone(id);
  append_log(process.context, [&] { return Tombstone{{id}, "test"}; });
  world.sure_of_tombstone(id);
}

const Operation kOperations[] = {
    {"Backup", prepare_collection, run_backup},
    // Reuses chunks of packs that are condemned before its commit.
    {"CommitThatCopies", [](World& world) { prepare_collection(world); },
     [](World& world, World::Process& process) {
       const Files files = world.files_of(2, 5000);
       StoredFiles stored = store_files(process.context, files);
       {
         World::Process collector(world);
         collect(collector.context, with_grace(), {});
       }
       world.unsure_of_commit(files);
       world.promised()[commit_snapshot(process.context, stored.header, stored.body, stored.packs)] = files;
     }},
    {"Forget", prepare_collection, run_forget},
    {"Collect", prepare_collection,
     [](World&, World::Process& process) { collect(process.context, exclusively(), {}); }},
    {"CollectWithGrace", prepare_collection,
     [](World&, World::Process& process) { collect(process.context, with_grace(), {}); }},
    {"CollectAfterGrace", prepare_removal,
     [](World&, World::Process& process) { collect(process.context, with_grace(), {}); }},
    {"MergeIndexes",
     [](World& world) {
       for (int i = 0; i < 17; ++i) world.backup(world.files_of(1, 300));
     },
     [](World&, World::Process& process) { merge_indexes(process.context); }},
};

class FaultsTest : public testing::TestWithParam<Operation> {
 protected:
  // Runs the operation with a fault planned by `plan(storage, n)` for n = 1, 2, … until it gets through untouched.
  // `planned(storage)` says whether the fault came. `afterwards` is done before what is left is looked at.
  template <class Plan, class Planned, class Afterwards>
  void at_every(const Plan& plan, const Planned& planned, const Afterwards& afterwards) {
    World base(1);
    GetParam().prepare(base);
    constexpr std::uint64_t kMost = 2000;
    for (std::uint64_t n = 1; n < kMost; ++n) {
      SCOPED_TRACE(n);
      World world = base.copy(n);
      bool came = false;
      {
        World::Process process(world);
        plan(process.storage, n);
        try {
          GetParam().run(world, process);
        } catch (const PowerLost&) {
        } catch (const Error& error) {
          EXPECT_NE(error.code(), ErrorCode::damaged) << error.what();
        }
        came = planned(process.storage, n);
      }
      afterwards(world, n);
      world.expect_usable();
      if (!came || HasFatalFailure() || HasNonfatalFailure()) return;
    }
    FAIL() << "never got through";
  }
};

TEST_P(FaultsTest, PowerIsLost) {
  std::uint64_t steps_before = 0;
  at_every(
      [&](SimulatedStorage& storage, std::uint64_t n) {
        steps_before = storage.counters().steps;
        storage.lose_power_at_step(n);
      },
      [&](SimulatedStorage& storage, std::uint64_t n) { return storage.counters().steps >= steps_before + n; },
      [](World& world, std::uint64_t n) { world.medium().power_loss(n); });
}

TEST_P(FaultsTest, TheProcessIsKilled) {
  std::uint64_t steps_before = 0;
  at_every(
      [&](SimulatedStorage& storage, std::uint64_t n) {
        steps_before = storage.counters().steps;
        storage.lose_power_at_step(n);
      },
      [&](SimulatedStorage& storage, std::uint64_t n) { return storage.counters().steps >= steps_before + n; },
      [](World&, std::uint64_t) {});
}

TEST_P(FaultsTest, AChangeFails) {
  for (const Failure failure : {Failure::before, Failure::after, Failure::flush}) {
    SCOPED_TRACE(static_cast<int>(failure));
    std::uint64_t before = 0;
    at_every(
        [&](SimulatedStorage& storage, std::uint64_t n) {
          before = storage.counters().mutations;
          storage.fail_mutation(n, failure);
        },
        [&](SimulatedStorage& storage, std::uint64_t n) { return storage.counters().mutations >= before + n; },
        [&](World& world, std::uint64_t n) {
          if (failure == Failure::flush) world.medium().power_loss(n);
        });
  }
}

TEST_P(FaultsTest, AReadFails) {
  std::uint64_t before = 0;
  at_every(
      [&](SimulatedStorage& storage, std::uint64_t n) {
        before = storage.counters().reads;
        storage.fail_read(n);
      },
      [&](SimulatedStorage& storage, std::uint64_t n) { return storage.counters().reads >= before + n; },
      [](World&, std::uint64_t) {});
}

TEST_P(FaultsTest, TheDiskIsFullFromSomePutOn) {
  std::uint64_t puts = 0;
  at_every(
      [&](SimulatedStorage& storage, std::uint64_t n) {
        puts = 0;
        storage.before_mutations([&puts, n](SimulatedStorage::Call call, std::string_view name) {
          if (call == SimulatedStorage::Call::put && ++puts >= n)
            throw Error(ErrorCode::no_space, "no space for " + std::string(name));
        });
      },
      [&](SimulatedStorage&, std::uint64_t n) { return puts >= n; }, [](World&, std::uint64_t) {});
}

std::string operation_name(const testing::TestParamInfo<Operation>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Repository, FaultsTest, testing::ValuesIn(kOperations), operation_name);

// A pack that cannot be put must end the run with that error, also while others wait to be put.
TEST(Faults, APackThatCannotBePutEndsTheRun) {
  for (const std::uint64_t failing : {1U, 2U, 3U}) {
    World world(1);
    World::Process process(world);
    std::uint64_t packs = 0;
    process.storage.before_mutations([&](SimulatedStorage::Call, std::string_view name) {
      if (name.starts_with("packs/") && ++packs == failing) throw Error(ErrorCode::io, "broken");
    });
    StoreOptions options;
    options.chunk_bytes = 1U << 20;
    options.records = StoreOptions::Records::shared;
    EXPECT_THROW(store_snapshot(process.context, world.files_of(20, 5U << 20), options), Error);
  }
}

// 200,000 chunks of a few bytes: their ids take more than their content.
TEST(Faults, ManyTinyChunksFitIntoPacks) {
  World world(1);
  World::Process process(world);
  Files files;
  Bytes& content = files["tiny"];
  for (std::uint32_t i = 0; i < 200'000; ++i) append_le<std::uint32_t>(content, i);
  StoreOptions options;
  options.chunk_bytes = 4;
  const SnapshotId id = store_snapshot(process.context, files, options);
  EXPECT_EQ(read_snapshot(*World::Process(world, Access::read).repository, id), files);
}

}  // namespace
}  // namespace qcbak::repository
