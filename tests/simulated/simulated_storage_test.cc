// The faults happen: a simulator that loses nothing would prove nothing.
#include "tests/simulated/simulated_storage.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <set>
#include <thread>

#include "base/error.h"
#include "tests/support/code_of.h"

namespace qcbak::simulated {
namespace {

using tests::code_of;

using Call = SimulatedStorage::Call;
using Failure = SimulatedStorage::Failure;
using storage::PutResult;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

constexpr std::uint64_t kSeeds = 40;

Bytes bytes_of(std::size_t size_bytes) { return Bytes(size_bytes, std::byte{0xaa}); }

// What `name` may hold after a power loss at `step` of `body`, over many seeds.
std::set<std::optional<std::string>> outcomes(Medium& before, std::uint64_t step, std::string_view name,
                                              const std::function<void(SimulatedStorage&)>& body) {
  std::set<std::optional<std::string>> seen;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const std::unique_ptr<Medium> medium = before.copy();
    SimulatedStorage process(*medium);
    process.lose_power_at_step(step);
    EXPECT_THROW(body(process), PowerLost);
    medium->power_loss(seed);
    const std::optional<Bytes> bytes = SimulatedStorage(*medium).get(name, 1 << 20);
    seen.insert(bytes ? std::optional(to_string(*bytes)) : std::nullopt);
  }
  return seen;
}

TEST(SimulatedStorage, LosesAnUnfinishedPut) {
  Medium medium;
  const auto put = [](SimulatedStorage& process) { process.put("log/1", as_bytes("entry")); };
  for (const std::uint64_t step : {1, 2, 3})
    EXPECT_THAT(outcomes(medium, step, "log/1", put), ElementsAre(std::nullopt)) << step;
  EXPECT_THAT(outcomes(medium, 4, "log/1", put), UnorderedElementsAre(std::nullopt, "entry"));
  EXPECT_THAT(outcomes(medium, 5, "log/1", put), ElementsAre("entry"));
}

TEST(SimulatedStorage, BringsBackWhatWasRemovedOrReplaced) {
  Medium medium;
  SimulatedStorage(medium).put("log/1", as_bytes("old"));
  const auto remove = [](SimulatedStorage& process) { process.remove("log/1"); };
  EXPECT_THAT(outcomes(medium, 1, "log/1", remove), ElementsAre("old"));
  EXPECT_THAT(outcomes(medium, 2, "log/1", remove), UnorderedElementsAre("old", std::nullopt));
  EXPECT_THAT(outcomes(medium, 3, "log/1", remove), ElementsAre(std::nullopt));
  const auto replace = [](SimulatedStorage& process) { process.replace("log/1", as_bytes("new")); };
  EXPECT_THAT(outcomes(medium, 3, "log/1", replace), ElementsAre("old"));
  EXPECT_THAT(outcomes(medium, 4, "log/1", replace), UnorderedElementsAre("old", "new"));
  EXPECT_THAT(outcomes(medium, 5, "log/1", replace), ElementsAre("new"));
}

TEST(SimulatedStorage, LosesChangesOfOneFolderIndependently) {
  std::set<std::vector<std::string>> seen;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    Medium medium;
    for (const char* name : {"a/1", "a/2", "b/1"}) {
      SimulatedStorage killed(medium);
      killed.lose_power_at_step(4);
      EXPECT_THROW(killed.put(name, {}), PowerLost);
    }
    EXPECT_EQ(SimulatedStorage(medium).put("b/2", {}), PutResult::stored);  // flushes b/1 as well
    medium.power_loss(seed);
    std::vector<std::string> names;
    for (const auto& object : SimulatedStorage(medium).list("")) names.push_back(object.name);
    seen.insert(names);
  }
  using Names = std::vector<std::string>;
  EXPECT_THAT(seen, UnorderedElementsAre(Names{"b/1", "b/2"}, Names{"a/1", "b/1", "b/2"}, Names{"a/2", "b/1", "b/2"},
                                         Names{"a/1", "a/2", "b/1", "b/2"}));
}

TEST(SimulatedStorage, KeepsWhatCouldBeSeenOfAKilledProcess) {
  Medium medium;
  SimulatedStorage killed(medium);
  const auto lock = killed.try_lock();
  killed.lose_power_at_step(4);
  EXPECT_THROW(killed.put("log/1", as_bytes("entry")), PowerLost);
  EXPECT_THROW(killed.get("log/1", 10), PowerLost);
  EXPECT_THROW(killed.remove("log/1"), PowerLost);
  SimulatedStorage next(medium);
  EXPECT_NE(next.try_lock(), nullptr);
  EXPECT_EQ(next.get("log/1", 10), to_bytes(as_bytes("entry")));
}

TEST(SimulatedStorage, MakesDurableWhatTheDeadLeft) {
  for (const bool by_recovery : {false, true})
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      Medium medium;
      SimulatedStorage killed(medium);
      killed.lose_power_at_step(4);
      EXPECT_THROW(killed.put("log/1", as_bytes("entry")), PowerLost);
      SimulatedStorage next(medium);
      if (by_recovery)
        next.remove_leftovers();
      else
        EXPECT_EQ(next.put("log/1", as_bytes("other")), PutResult::exists);
      medium.power_loss(seed);
      EXPECT_EQ(SimulatedStorage(medium).get("log/1", 10), to_bytes(as_bytes("entry")));
    }
}

TEST(SimulatedStorage, EndsEveryHandleAndLockWithThePower) {
  Medium medium;
  SimulatedStorage one(medium);
  SimulatedStorage other(medium);
  auto lock = one.try_lock();
  medium.power_loss(1);
  EXPECT_THROW(one.list(""), PowerLost);
  EXPECT_THROW(other.put("a", {}), PowerLost);
  SimulatedStorage next(medium);
  const auto its_lock = next.try_lock();
  EXPECT_NE(its_lock, nullptr);
  lock.reset();  // the dead one's lock must not release the new one
  EXPECT_EQ(next.try_lock(), nullptr);
}

TEST(SimulatedStorage, TearsBytesThatWereNotFlushed) {
  const Bytes whole = bytes_of(3 * 4096);
  bool kept = false, shortened = false, zeroed_inside = false, zeroed_to_the_end = false;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    Medium medium;
    medium.ignore_data_flushes();
    SimulatedStorage process(medium);
    process.put("a", whole);
    EXPECT_EQ(process.get("a", whole.size()), whole);
    medium.power_loss(seed);
    const Bytes left = SimulatedStorage(medium).get("a", whole.size()).value();
    kept |= left == whole;
    shortened |= left.size() < whole.size();
    const auto zeros = std::count(left.begin(), left.end(), std::byte{0});
    zeroed_inside |= zeros == 4096 && left.back() != std::byte{0};
    zeroed_to_the_end |= zeros > 0 && left.back() == std::byte{0};
  }
  EXPECT_TRUE(kept && shortened && zeroed_inside && zeroed_to_the_end);
}

TEST(SimulatedStorage, IsTheSameForTheSameSeed) {
  Medium medium;
  medium.ignore_data_flushes();
  SimulatedStorage process(medium);
  for (int i = 0; i < 20; ++i) process.put(std::to_string(i), bytes_of(10'000));
  const std::unique_ptr<Medium> twin = medium.copy();
  medium.power_loss(7);
  twin->power_loss(7);
  SimulatedStorage one(medium);
  SimulatedStorage other(*twin);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(one.get(std::to_string(i), 10'000), other.get(std::to_string(i), 10'000));
}

TEST(SimulatedStorage, FillsUpAndLeavesNothing) {
  Medium medium;
  medium.set_capacity(100);
  SimulatedStorage process(medium);
  process.put("a", bytes_of(60));
  EXPECT_EQ(process.free_bytes(), 40);
  EXPECT_EQ(code_of([&] { process.put("b", bytes_of(41)); }), ErrorCode::no_space);
  EXPECT_EQ(code_of([&] { process.replace("a", bytes_of(41)); }), ErrorCode::no_space);
  EXPECT_EQ(process.size("b"), std::nullopt);
  EXPECT_EQ(process.size("a"), 60);
  EXPECT_EQ(medium.used_bytes(), 60);
  EXPECT_EQ(process.put("b", bytes_of(40)), PutResult::stored);
  process.remove("a");
  EXPECT_EQ(process.free_bytes(), 60);
}

TEST(SimulatedStorage, KeepsTheBytesOfUnfinishedPutsUntilTheyAreRemoved) {
  Medium medium;
  medium.set_capacity(100);
  {
    SimulatedStorage killed(medium);
    killed.lose_power_at_step(3);
    EXPECT_THROW(killed.put("a", bytes_of(70)), PowerLost);
  }
  EXPECT_EQ(medium.leftover_bytes(), 70);
  SimulatedStorage next(medium);
  EXPECT_EQ(code_of([&] { next.put("b", bytes_of(50)); }), ErrorCode::no_space);
  next.remove_leftovers();
  EXPECT_EQ(next.put("b", bytes_of(50)), PutResult::stored);
}

TEST(SimulatedStorage, FailsTheCallItWasTold) {
  Medium medium;
  SimulatedStorage process(medium);
  process.fail_mutation(2, Failure::before);
  process.fail_mutation(3, Failure::after);
  process.fail_read(2);
  process.put("a", {});
  EXPECT_EQ(code_of([&] { process.put("b", {}); }), ErrorCode::io);
  EXPECT_EQ(code_of([&] { process.put("c", {}); }), ErrorCode::io);
  process.put("d", {});
  EXPECT_EQ(process.size("b"), std::nullopt);
  EXPECT_EQ(code_of([&] { process.list(""); }), ErrorCode::io);
  EXPECT_NE(process.size("c"), std::nullopt);
  EXPECT_NE(process.size("d"), std::nullopt);
}

TEST(SimulatedStorage, MayLoseWhatAFailingFlushLeft) {
  std::set<bool> survived;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    Medium medium;
    SimulatedStorage process(medium);
    process.fail_mutation(1, Failure::flush);
    EXPECT_EQ(code_of([&] { process.put("a", {}); }), ErrorCode::io);
    EXPECT_NE(process.size("a"), std::nullopt);
    EXPECT_EQ(code_of([&] { process.put("b", {}); }), ErrorCode::io);  // for good
    medium.power_loss(seed);
    survived.insert(SimulatedStorage(medium).size("a").has_value());
  }
  EXPECT_EQ(survived.size(), 2);
}

TEST(SimulatedStorage, Rots) {
  Medium medium;
  SimulatedStorage process(medium);
  process.put("a", as_bytes("aaaa"));
  process.put("b", as_bytes("bb"));
  process.put("c", as_bytes("c"));
  const std::unique_ptr<Medium> earlier = medium.copy();
  medium.flip_bit("a", 8);
  medium.swap("a", "b");
  medium.truncate("b", 3);
  medium.lose("c");
  medium.plant("d", as_bytes("planted"));
  medium.power_loss(3);
  SimulatedStorage reader(medium);
  EXPECT_EQ(reader.get("a", 10), to_bytes(as_bytes("bb")));
  EXPECT_EQ(reader.get("b", 10), to_bytes(as_bytes("a`a")));
  EXPECT_EQ(reader.get("c", 10), std::nullopt);
  EXPECT_EQ(reader.get("d", 10), to_bytes(as_bytes("planted")));
  medium.restore(*earlier);
  EXPECT_EQ(reader.get("a", 10), to_bytes(as_bytes("aaaa")));
  EXPECT_EQ(reader.get("d", 10), std::nullopt);
}

TEST(SimulatedStorage, LetsAnotherActBeforeACall) {
  Medium medium;
  SimulatedStorage backup(medium);
  SimulatedStorage collection(medium);
  backup.put("pack", {});
  backup.before_mutations([&](Call call, std::string_view name) {
    if (call == Call::put && name == "log/1") collection.remove("pack");
  });
  EXPECT_NE(backup.size("pack"), std::nullopt);
  backup.put("log/1", {});
  EXPECT_EQ(backup.size("pack"), std::nullopt);
}

TEST(SimulatedStorage, CountsSoThatEveryStepCanBeTried) {
  const auto client = [](SimulatedStorage& process) {
    const auto lock = process.try_lock();
    process.remove_leftovers();
    process.put("a", as_bytes("1234"));
    process.put("a", as_bytes("other"));
    process.replace("a", as_bytes("56"));
    process.get("a", 10);
    process.remove("a");
  };
  Medium medium;
  SimulatedStorage whole(medium);
  client(whole);
  const auto counters = whole.counters();
  EXPECT_EQ(counters.mutations, 6);
  EXPECT_EQ(counters.reads, 1);
  EXPECT_EQ(counters.steps, 1 + 3 + 5 + 2 + 5 + 3);
  EXPECT_EQ(counters.bytes_written, 6);
  EXPECT_EQ(counters.bytes_read, 2);
  for (std::uint64_t step = 1; step <= counters.steps; ++step) {
    Medium fresh;
    SimulatedStorage process(fresh);
    process.lose_power_at_step(step);
    EXPECT_THROW(client(process), PowerLost) << step;
  }
}

TEST(SimulatedStorage, DiesInEveryThread) {
  Medium medium;
  SimulatedStorage process(medium);
  process.lose_power_at_step(50);
  std::atomic<int> dead = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&, i] {
        try {
          for (int round = 0;; ++round) process.put(std::to_string(i) + "-" + std::to_string(round), bytes_of(100));
        } catch (const PowerLost&) {
          ++dead;
        }
      });
  }
  EXPECT_EQ(dead, 4);
  medium.power_loss(1);
  SimulatedStorage next(medium);
  for (const auto& object : next.list("")) EXPECT_EQ(next.get(object.name, 100), bytes_of(100));
  EXPECT_EQ(process.counters().steps, 50);
}

}  // namespace
}  // namespace qcbak::simulated
