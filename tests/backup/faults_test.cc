// The verb backup, with the storage failing, filling up, dying and losing power under it, and stopped at any time.
// Whatever happens: it ends with an Error, gives back its threads, and the next run works with no manual step.
#include <gtest/gtest.h>

#include <fcntl.h>

#include <fstream>
#include <thread>

#include "backup/repository/collect.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "tests/backup/rehearsal.h"

namespace qcbak::tests {
namespace {

using simulated::Medium;
using simulated::SimulatedStorage;
using Failure = SimulatedStorage::Failure;
using End = Rehearsal::End;

TEST(BackupFaults, EveryFailingChangeEndsIt) {
  Rehearsal rehearsal;
  expect_every_failing_change_survived(rehearsal);
}

TEST(BackupFaults, EveryFailingReadEndsIt) {
  Rehearsal rehearsal;
  const std::uint64_t reads = undisturbed(rehearsal).reads;
  for (std::uint64_t nth = 1; nth <= reads; ++nth) {
    SCOPED_TRACE(testing::Message() << "read " << nth);
    const auto medium = rehearsal.begin();
    SimulatedStorage process(*medium);
    process.fail_read(nth);
    const Resources before = Resources::used();
    EXPECT_EQ(rehearsal.run(process), End::failed);
    EXPECT_EQ(Resources::used(), before);
    rehearsal.expect_usable(*medium);
  }
}

// The cache says of files that they are stored, while power loss took the packs that held them.
TEST(BackupFaults, PowerLossAtEveryStep) {
  Rehearsal rehearsal;
  expect_power_loss_at_every_step_survived(rehearsal);
}

TEST(BackupFaults, AFullMediumEndsItAndSpaceMendsIt) {
  Rehearsal rehearsal;
  expect_full_medium_survived(rehearsal, {0, 10'000, repository::kFreeReserveBytes, repository::kFreeReserveBytes + 700'000});
}

// A daemon keeps the repository open: what the failed run had begun to store must not count as stored.
TEST(BackupFaults, AFailedRunLeavesNoClaimsInTheOpenRepository) {
  Rehearsal rehearsal;
  const auto medium = rehearsal.begin();
  SimulatedStorage process(*medium);
  const auto repository = rehearsal.shop().open(process, Access::read);
  const SystemClock clock;
  SystemRandom random;
  const repository::WriteContext context{process, *repository, repository->domain(""), clock, random};
  BackupOptions options;
  options.paths = {rehearsal.shop().source()};
  Progress progress;
  process.fail_mutation(1, Failure::before);
  EXPECT_THROW(backup(context, options, progress, {}), Error);
  const BackupResult made = backup(context, options, progress, {});
  EXPECT_EQ(read_snapshot(*repository, made.snapshot) == files_below(rehearsal.shop().source()), true);
  rehearsal.expect_usable(*medium);
}

TEST(BackupFaults, StopsAtAnyTime) {
  Rehearsal rehearsal;
  SeededRandom random(3);
  bool interrupted = false;
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE(round);
    const auto medium = rehearsal.begin();
    SimulatedStorage process(*medium);
    const Resources before = Resources::used();
    std::stop_source stopper;
    const std::chrono::microseconds when(round == 0 ? 0 : random.below(60'000));
    std::jthread later([&] {
      std::this_thread::sleep_for(when);
      stopper.request_stop();
    });
    const End end = rehearsal.run(process, {}, stopper.get_token());
    later.join();
    EXPECT_EQ(Resources::used(), before);
    if (end == End::failed) {
      EXPECT_EQ(rehearsal.error()->code(), ErrorCode::interrupted);
      interrupted = true;
    } else {
      EXPECT_EQ(end, End::succeeded);
    }
    rehearsal.expect_usable(*medium);
  }
  EXPECT_TRUE(interrupted);
}

// A file whose content waits for company, followed by more entries than may wait for the tree.
TEST(BackupFaults, FilesWithoutContentDoNotHoldUpOneThatHas) {
  const Workshop shop;
  Medium medium;
  SimulatedStorage process(medium);
  SystemRandom random;
  create_test_repository(process, SystemClock(), random);
  constexpr int kFiles = 10'000;
  std::ofstream(shop.source() + "/!first") << "content";
  for (int i = 0; i < kFiles; ++i)
    UniqueFd(::open((shop.source() + "/" + std::to_string(i)).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  EXPECT_EQ(shop.backup_to(process).files_new, kFiles + 1U);
}

TEST(BackupFaults, StopsWhileTheTreeWaitsForContent) {
  const Workshop shop;
  Medium medium;
  SimulatedStorage process(medium);
  SystemRandom random;
  create_test_repository(process, SystemClock(), random);
  constexpr int kDirectories = 4000;  // fewer entries than may wait
  std::ofstream(shop.source() + "/!first") << "content";
  for (int i = 0; i < kDirectories; ++i) make_directories(shop.source() + "/" + std::to_string(i));
  for (int round = 0; round < 10; ++round) {
    std::stop_source stopper;
    std::jthread later([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(4 + 3 * round));
      stopper.request_stop();
    });
    try {
      shop.backup_to(process, {}, stopper.get_token());
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::interrupted);
    }
  }
}

// 64 MiB in files of 1 MiB, settled: four packs of content.
class InterruptedBackup : public testing::Test {
 protected:
  static constexpr std::uint64_t kTotal = 64U << 20;
  InterruptedBackup() {
    SeededRandom random(5);
    for (int i = 0; i < 64; ++i) write_random_file(shop_.source() + "/" + std::to_string(i), random, 1U << 20);
    let_settle();
    SimulatedStorage process(medium_);
    create_test_repository(process, SystemClock(), random);
  }
  // What the first two packs hold is not read again; of the third, it depends on how far the tree had come.
  static constexpr std::uint64_t kReadAgain = kTotal - (32U << 20);
  // Stops when it comes to change the medium for the nth time at a name that starts so.
  void interrupt(const std::string& prefix, int nth) {
    SimulatedStorage process(medium_);
    std::stop_source stopper;
    process.before_mutations([&, seen = 0](SimulatedStorage::Call, std::string_view name) mutable {
      if (name.starts_with(prefix) && ++seen == nth) stopper.request_stop();
    });
    EXPECT_THROW(shop_.backup_to(process, {}, stopper.get_token()), Error);
  }
  BackupResult next() {
    SimulatedStorage process(medium_);
    const BackupResult result = shop_.backup_to(process);
    EXPECT_TRUE(read_snapshot(*shop_.open(process, Access::read), result.snapshot) == files_below(shop_.source()));
    return result;
  }
  const Workshop shop_;
  Medium medium_;
};

TEST_F(InterruptedBackup, GoesOnWithoutReadingAgain) {
  interrupt("packs/", 3);
  EXPECT_LT(next().bytes_read, kReadAgain);
}

TEST_F(InterruptedBackup, GoesOnFromTheLongerOfTwo) {
  interrupt("packs/", 3);
  interrupt("", 1);
  EXPECT_LT(next().bytes_read, kReadAgain);
}

// Every process with the one cache, as on one machine.
TEST(Readers, RestoreWhileOthersBackUpAndCollect) {
  const Workshop shop;
  SeededRandom random(11);
  Medium medium;
  SimulatedStorage writer(medium);
  create_test_repository(writer, SystemClock(), random);
  const std::string kept = shop.source() + "/kept";
  write_random_file(kept, random, 400'000);

  struct Acknowledged {
    repository::SnapshotId id;
    Files files;
  };
  Guarded<std::vector<Acknowledged>> acknowledged;
  const auto back_up = [&] {
    Acknowledged made{shop.backup_to(writer).snapshot, files_below(shop.source())};
    acknowledged.lock()->push_back(made);
    return made.id;
  };
  back_up();

  std::atomic<bool> done = false;
  std::atomic<int> restored = 0;
  const auto read = [&](const repository::Repository& repository, std::uint64_t choice, const std::string& target) {
    Acknowledged wanted;
    {
      auto all = acknowledged.lock();
      wanted = (*all)[choice % all->size()];
    }
    RestoreOptions options;
    options.target = target;
    options.path = shop.source();
    Progress progress;
    const RestoreResult result = restore(repository, repository.snapshot(wanted.id), options, progress, {});
    EXPECT_TRUE(result.findings.empty());
    Files found;
    for (auto& [path, content] : files_below(target))
      found[shop.source().substr(1) + path.substr(target.size() - 1)] = std::move(content);
    EXPECT_TRUE(found == wanted.files);
    std::filesystem::remove_all(target);
    ++restored;
  };
  const auto reader = [&](int number) {
    SimulatedStorage storage(medium);
    const auto early = shop.open(storage, Access::read);
    SeededRandom choices(number);
    do {
      const std::string target = shop.root() + "/target-" + std::to_string(number);
      read(*early, 0, target);
      read(*shop.open(storage, Access::read), choices.below(1000), target);
    } while (!done);
  };
  std::jthread one(reader, 1);
  std::jthread other(reader, 2);

  // Packs hold what stays beside what goes, and are rewritten.
  for (int round = 0; round < 8; ++round) {
    const std::string goes = shop.source() + "/goes";
    write_random_file(goes, random, 300'000);
    write_random_file(shop.source() + "/stays-" + std::to_string(round), random, 100'000);
    const repository::SnapshotId forgotten = shop.backup_to(writer).snapshot;
    std::filesystem::remove(goes);
    back_up();
    const auto lock = repository::lock_for_writing(writer, SystemClock(), 0, {});
    const auto repository = shop.open(writer, Access::write_only);
    const SystemClock clock;
    const repository::WriteContext context{writer, *repository, repository->domain(""), clock, random};
    repository::append_log(context, [&] { return repository::Tombstone{{forgotten}, "test"}; });
    EXPECT_GT(repository::collect(context, {}, {}).packs_removed, 0U);
  }
  done = true;
  one.join();
  other.join();
  EXPECT_GT(restored, 8);
}

}  // namespace
}  // namespace qcbak::tests
