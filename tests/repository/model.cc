#include "tests/repository/model.h"

#include <gmock/gmock.h>

#include <list>

#include "base/error.h"
#include "tests/repository/world.h"

namespace qcbak::tests {

using namespace repository;
using simulated::PowerLost;
using simulated::SimulatedStorage;

namespace {

class Life {
 public:
  explicit Life(std::uint64_t seed) : world_(seed) {
    for (int i = 0; i < 12; ++i) pool_.push_back(random_content(random(), random().below(9000)));
  }

  void step() {
    switch (random().below(10)) {
      case 0:
      case 1:
      case 2: with_accident([this](World::Process& process) { back_up(process); }); break;
      case 3:
      case 4: with_accident([this](World::Process& process) { forget(process); }); break;
      case 5: with_accident([this](World::Process& process) { collect_beside_others(process); }); break;
      case 6: with_accident([this](World::Process& process) { collect_alone(process); }); break;
      case 7: with_accident([](World::Process& process) { merge_indexes(process.context); }); break;
      case 8: begin_run(); break;
      default: end_run(); break;
    }
    if (random().one_in(4)) world_.clock().advance(static_cast<std::int64_t>(random().below(2 * kGraceNs)));
    if (random().one_in(6)) world_.expect_whole();
  }

  void end() {
    runs_.clear();
    world_.expect_usable();
  }

 private:
  struct Run {
    Run(World& world, const Files& its_files)
        : process(world), files(its_files), stored(store_files(process.context, files)) {}
    World::Process process;
    Files files;
    StoredFiles stored;
  };

  SeededRandom& random() { return world_.random(); }

  // Some files of the pool, of which one changes now and then.
  Files some_files() {
    if (random().one_in(3)) pool_[random().below(pool_.size())] = random_content(random(), random().below(9000));
    Files files;
    for (std::size_t i = 0; i < pool_.size(); ++i)
      if (random().one_in(2)) files["d" + std::to_string(i % 3) + "/" + std::to_string(i)] = pool_[i];
    return files;
  }

  SnapshotId any_promised() {
    auto at = world_.promised().begin();
    std::advance(at, random().below(world_.promised().size()));
    return at->first;
  }

  void back_up(World::Process& process) {
    const Files files = some_files();
    world_.unsure_of_commit(files);
    world_.promised()[store_snapshot(process.context, files)] = files;
  }

  void forget(World::Process& process) {
    if (world_.promised().empty()) return;
    const SnapshotId id = any_promised();
    world_.unsure_of_tombstone(id);
    append_log(process.context, [&] { return Tombstone{{id}, "test"}; });
    world_.sure_of_tombstone(id);
  }

  CollectOptions some_options(std::int64_t grace_ns) {
    CollectOptions options;
    options.grace_ns = grace_ns;
    options.waste = static_cast<double>(random().below(5)) / 4;
    return options;
  }

  // Nobody else writes: runs that are under way are dead, whether they know it or not.
  void collect_alone(World::Process& process) {
    if (random().one_in(2)) runs_.clear();
    repository::collect(process.context, some_options(0), {});
  }

  // At some of its steps, others act.
  void collect_beside_others(World::Process& process) {
    process.storage.before_mutations([this](SimulatedStorage::Call, std::string_view) {
      switch (random().below(12)) {
        case 0: begin_run(); break;
        case 1:
        case 2: end_run(); break;
        case 3: {
          const Files files = some_files();
          world_.backup(files);
          break;
        }
        case 4:
          if (!world_.promised().empty()) world_.forget(any_promised());
          break;
        default: break;
      }
    });
    repository::collect(process.context, some_options(kGraceNs), {});
  }

  void begin_run() {
    if (runs_.size() < 3) runs_.emplace_back(world_, some_files());
  }

  // A run may find that what it relied on was collected by somebody who took it for dead; then it must say so.
  void end_run() {
    if (runs_.empty()) return;
    auto at = runs_.begin();
    std::advance(at, random().below(runs_.size()));
    Run& run = *at;
    try {
      const SnapshotId id = commit_snapshot(run.process.context, run.stored.header, run.stored.body, run.stored.packs);
      world_.promised()[id] = run.files;
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == ErrorCode::damaged || error.code() == ErrorCode::busy) << error.what();
    }
    runs_.erase(at);
  }

  template <class Operation>
  void with_accident(const Operation& operation) {
    enum class Accident : std::uint64_t { none_1, none_2, none_3, power, kill, failed_change, failed_read, full };
    const auto accident = static_cast<Accident>(random().below(8));
    bool happened = false;
    {
      World::Process process(world_);
      const std::uint64_t at = random().below(40) + 1;
      std::uint64_t puts = 0;
      switch (accident) {
        case Accident::power:
        case Accident::kill: process.storage.lose_power_at_step(at * 2); break;
        case Accident::failed_change:
          process.storage.fail_mutation(at / 2 + 1, static_cast<SimulatedStorage::Failure>(random().below(3)));
          break;
        case Accident::failed_read: process.storage.fail_read(at * 2); break;
        case Accident::full:
          process.storage.before_mutations([&puts, at](SimulatedStorage::Call call, std::string_view) {
            if (call == SimulatedStorage::Call::put && ++puts >= at / 4) throw Error(ErrorCode::no_space, "full");
          });
          break;
        default: break;
      }
      try {
        operation(process);
      } catch (const PowerLost&) {
        happened = true;
      } catch (const Error& error) {
        happened = true;
        EXPECT_TRUE(accident >= Accident::power) << error.what();
        EXPECT_NE(error.code(), ErrorCode::damaged) << error.what();
      }
    }
    if (accident == Accident::power && happened) {
      runs_.clear();
      world_.medium().power_loss(random().below(1000));
    }
    if (!happened) return;
    {
      World::Process next(world_);
      next.take_over();
    }
    world_.expect_whole();
  }

  World world_;
  std::vector<Bytes> pool_;
  std::list<Run> runs_;
};

}  // namespace

void live_a_life(std::uint64_t seed, int steps) {
  Life life(seed);
  for (int step = 0; step < steps; ++step) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", step " + std::to_string(step));
    life.step();
    if (testing::Test::HasFailure()) return;
  }
  SCOPED_TRACE("seed " + std::to_string(seed) + ", at the end");
  life.end();
}

}  // namespace qcbak::tests
