#include "tests/backup/rehearsal.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "backup/verify.h"
#include "base/unique_fd.h"

namespace qcbak::tests {

namespace fs = std::filesystem;
using simulated::Medium;
using simulated::SimulatedStorage;

void write_random_file(const std::string& path, SeededRandom& random, std::size_t size) {
  const Bytes content = random_content(random, size);
  std::ofstream(path, std::ios::binary).write(as_text(content).data(), static_cast<std::streamsize>(size));
}

void let_settle() { std::this_thread::sleep_for(std::chrono::milliseconds(1100)); }

Files files_below(const std::string& directory) {
  constexpr std::size_t kLimit = std::size_t(1) << 30;
  Files files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory))
    if (entry.is_regular_file() && !entry.is_symlink())
      files[entry.path().string().substr(1)] = read_file(entry.path().string(), kLimit);
  return files;
}

Resources Resources::used() {
  const auto count = [](const char* directory) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
  };
  return {count("/proc/self/task"), count("/proc/self/fd")};
}

void PrintTo(const Resources& resources, std::ostream* out) {
  *out << resources.threads << " threads, " << resources.descriptors << " descriptors";
}

Rehearsal::Rehearsal(const RehearsalOptions& options) {
  SeededRandom random(options.seed);
  const auto small = [&](std::size_t i) { return shop_.source() + "/small/" + std::to_string(i % 5) + "/" + std::to_string(i); };
  for (std::size_t i = 0; i < 5; ++i) make_directories(shop_.source() + "/small/" + std::to_string(i));
  for (std::size_t i = 0; i < options.small_files; ++i) write_random_file(small(i), random, random.below(30'000));
  const std::string large = shop_.source() + "/large";
  write_random_file(large, random, options.large_file_bytes);
  let_settle();

  Medium medium;
  SimulatedStorage process(medium);
  create_test_repository(process, SystemClock(), random);
  earlier_id_ = shop_.backup_to(process).snapshot;
  earlier_ = files_below(shop_.source());

  for (std::size_t i = 0; i < options.small_files; i += 4) write_random_file(small(i), random, random.below(30'000));
  fs::remove(small(1));
  for (std::size_t i = 0; i < options.new_files; ++i)
    write_random_file(shop_.source() + "/new-" + std::to_string(i), random, options.new_file_bytes);
  std::fstream(large, std::ios::in | std::ios::out | std::ios::binary)
      .seekp(static_cast<std::streamoff>(options.large_file_bytes / 3))
      .write("changed", 7);
  let_settle();
  now_ = files_below(shop_.source());
  before_ = medium.copy();
  keep_cache("before");
}

void Rehearsal::keep_cache(const std::string& name) const {
  fs::remove_all(shop_.root() + "/cache-" + name);
  fs::copy(shop_.cache(), shop_.root() + "/cache-" + name, fs::copy_options::recursive);
}

void Rehearsal::put_back_cache(const std::string& name) const {
  fs::remove_all(shop_.cache());
  fs::copy(shop_.root() + "/cache-" + name, shop_.cache(), fs::copy_options::recursive);
}

std::uint64_t Rehearsal::source_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [path, content] : now_) sum += content.size();
  return sum;
}

std::unique_ptr<Medium> Rehearsal::begin() const {
  put_back_cache("before");
  return before_->copy();
}

Rehearsal::End Rehearsal::run(storage::Storage& storage, BackupOptions options, std::stop_token stop) {
  error_.reset();
  try {
    result_ = shop_.backup_to(storage, std::move(options), stop);
    return End::succeeded;
  } catch (const simulated::PowerLost&) {
    return End::died;
  } catch (const Error& error) {
    error_ = error;
    return End::failed;
  }
}

void Rehearsal::expect_usable(Medium& medium) {
  SimulatedStorage storage(medium);
  const auto is = [](const Files& expected, const Files& found) { return expected == found; };  // printed, they are long
  {
    const auto lock = repository::lock_for_writing(storage, SystemClock(), 0, {});
    const auto repository = shop_.open(storage, Access::read);
    EXPECT_TRUE(is(earlier_, read_snapshot(*repository, earlier_id_)));
    for (const repository::SnapshotInfo& info : repository->snapshots(nullptr))
      EXPECT_TRUE(is(info.header.id == earlier_id_ ? earlier_ : now_, read_snapshot(*repository, info.header.id)));
    Progress progress;
    EXPECT_TRUE(verify(*repository, {}, progress, {}).clean());
  }
  const BackupResult next = shop_.backup_to(storage);
  EXPECT_TRUE(next.findings.empty());
  const auto repository = shop_.open(storage, Access::read);
  EXPECT_TRUE(is(now_, read_snapshot(*repository, next.snapshot)));
  EXPECT_TRUE(is(earlier_, read_snapshot(*repository, earlier_id_)));
}

SimulatedStorage::Counters undisturbed(Rehearsal& rehearsal) {
  const auto medium = rehearsal.begin();
  SimulatedStorage process(*medium);
  EXPECT_EQ(rehearsal.run(process), Rehearsal::End::succeeded);
  return process.counters();
}

void expect_every_failing_change_survived(Rehearsal& rehearsal) {
  const std::uint64_t mutations = undisturbed(rehearsal).mutations;
  for (const auto failure : {SimulatedStorage::Failure::before, SimulatedStorage::Failure::after, SimulatedStorage::Failure::flush})
    for (std::uint64_t nth = 1; nth <= mutations; ++nth) {
      SCOPED_TRACE(testing::Message() << "mutation " << nth << ", kind " << static_cast<int>(failure));
      const auto medium = rehearsal.begin();
      SimulatedStorage process(*medium);
      process.fail_mutation(nth, failure);
      const Resources before = Resources::used();
      EXPECT_EQ(rehearsal.run(process), Rehearsal::End::failed);
      EXPECT_EQ(Resources::used(), before);
      if (failure == SimulatedStorage::Failure::flush) medium->power_loss(nth);
      rehearsal.expect_usable(*medium);
    }
}

void expect_power_loss_at_every_step_survived(Rehearsal& rehearsal) {
  const std::uint64_t steps = undisturbed(rehearsal).steps;
  constexpr std::uint64_t kSeeds = 2;
  for (std::uint64_t step = 1; step <= steps; ++step) {
    const auto medium = rehearsal.begin();
    SimulatedStorage process(*medium);
    process.lose_power_at_step(step);
    const Resources before = Resources::used();
    EXPECT_EQ(rehearsal.run(process), Rehearsal::End::died) << step;
    EXPECT_EQ(Resources::used(), before);
    rehearsal.keep_cache("died");
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      SCOPED_TRACE(testing::Message() << "step " << step << ", seed " << seed);
      rehearsal.put_back_cache("died");
      const auto after = medium->copy();
      after->power_loss(step * kSeeds + seed);
      rehearsal.expect_usable(*after);
    }
  }
}

void expect_full_medium_survived(Rehearsal& rehearsal, const std::vector<std::uint64_t>& free_bytes) {
  const std::uint64_t used = rehearsal.begin()->used_bytes();
  for (const std::uint64_t free : free_bytes) {
    SCOPED_TRACE(free);
    const auto medium = rehearsal.begin();
    medium->set_capacity(used + free);
    SimulatedStorage process(*medium);
    ASSERT_EQ(rehearsal.run(process), Rehearsal::End::failed);
    EXPECT_EQ(rehearsal.error()->code(), ErrorCode::no_space);
    EXPECT_FALSE(rehearsal.error()->hint().empty());
    medium->set_capacity(simulated::Medium::kUnlimited);
    rehearsal.expect_usable(*medium);
  }
}

}  // namespace qcbak::tests
