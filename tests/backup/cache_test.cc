// The local cache, damaged, lost, old or not its own: it costs time and nothing else. And what it remembers of the log.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/backup/rehearsal.h"

namespace qcbak::tests {
namespace {

namespace fs = std::filesystem;
using simulated::Medium;
using simulated::SimulatedStorage;

std::vector<std::string> files_in(const std::string& directory) {
  std::vector<std::string> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory))
    if (entry.is_regular_file()) files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  return files;
}

void damage(const std::string& file, SeededRandom& random) {
  const std::uint64_t size = fs::file_size(file);
  const auto overwrite = [&](std::uint64_t at, const Bytes& with) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(at));
    stream.write(as_text(with).data(), static_cast<std::streamsize>(with.size()));
  };
  switch (random.below(6)) {
    case 0: fs::remove(file); break;
    case 1: fs::resize_file(file, random.below(size + 1)); break;
    case 2: fs::resize_file(file, size + random.below(10'000)); break;
    case 3: overwrite(random.below(size + 1), random_content(random, 1)); break;
    case 4: overwrite(random.below(size + 1), random_content(random, 1 + random.below(100))); break;
    default: overwrite(random.below(size + 1) / 8 * 8, Bytes(8, std::byte{0xff})); break;
  }
}

class Cache : public testing::Test {
 protected:
  Cache() {
    SeededRandom random(1);
    for (int i = 0; i < 30; ++i) write_random_file(shop_.source() + "/" + std::to_string(i), random, random.below(40'000));
    SimulatedStorage process(medium_);
    create_test_repository(process, SystemClock(), random);
    let_settle();
  }
  void change(int file, std::uint64_t seed) {
    SeededRandom random(seed);
    write_random_file(shop_.source() + "/" + std::to_string(file), random, random.below(40'000));
  }
  BackupResult expect_backup() {
    SimulatedStorage process(medium_);
    const BackupResult result = shop_.backup_to(process);
    const auto repository = shop_.open(process, Access::read);
    EXPECT_TRUE(read_snapshot(*repository, result.snapshot) == files_below(shop_.source()));
    EXPECT_EQ(repository->snapshots(nullptr).back().header.id, result.snapshot);
    return result;
  }
  Workshop shop_;
  Medium medium_;
};

TEST_F(Cache, DamageCostsOnlyTime) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    expect_backup();
    const std::vector<std::string> files = files_in(shop_.cache());
    for (std::uint64_t times = 1 + random.below(3); times > 0; --times)
      if (const std::string& file = files[random.below(files.size())]; fs::exists(file)) damage(file, random);
    change(static_cast<int>(random.below(30)), seed);
    expect_backup();
  }
}

TEST_F(Cache, OfAnotherRepositoryIsPassedOver) {
  const Workshop other;
  other.in_source("echo other > 1");
  other.backup();
  expect_backup();
  const fs::path mine = *fs::directory_iterator(shop_.cache());
  const fs::path theirs = *fs::directory_iterator(other.cache());
  std::string my_files;
  for (const fs::directory_entry& entry : fs::directory_iterator(mine))
    if (entry.path().filename().string().starts_with("files-")) my_files = entry.path().string();
  fs::copy(theirs / "log", mine / "log", fs::copy_options::overwrite_existing);
  for (const fs::directory_entry& entry : fs::directory_iterator(theirs))
    if (entry.path().filename().string().starts_with("files-"))
      fs::copy(entry.path(), my_files, fs::copy_options::overwrite_existing);
  change(3, 100);
  EXPECT_EQ(expect_backup().files_unmodified, 0U);
}

TEST_F(Cache, OfYesterdayIsStillGood) {
  expect_backup();
  fs::copy(shop_.cache(), shop_.root() + "/yesterday", fs::copy_options::recursive);
  for (int i = 0; i < 3; ++i) {
    change(i, 200U + static_cast<unsigned>(i));
    let_settle();
    expect_backup();
  }
  fs::remove_all(shop_.cache());
  fs::rename(shop_.root() + "/yesterday", shop_.cache());
  EXPECT_EQ(expect_backup().files_unmodified, 27U);
}

TEST_F(Cache, NoticesARepositoryThatWasRolledBackUntilThatIsAccepted) {
  expect_backup();
  const auto earlier = medium_.copy();
  change(1, 300);
  change(2, 301);
  let_settle();
  expect_backup();
  medium_.restore(*earlier);
  const auto expect_refused = [&] {
    SimulatedStorage process(medium_);
    try {
      shop_.backup_to(process);
      ADD_FAILURE() << "not noticed";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::damaged);
      EXPECT_NE(std::string(error.what()).find("rolled back"), std::string::npos) << error.what();
    }
  };
  expect_refused();
  expect_refused();
  shop_.rollback = repository::OpenOptions::Rollback::accept;
  EXPECT_EQ(expect_backup().files_unmodified, 28U);  // the chunks of the other two went with the rollback
  shop_.rollback = repository::OpenOptions::Rollback::refuse;
  EXPECT_EQ(expect_backup().files_unmodified, 30U);
}

// Whoever holds the storage must not be able to switch the check off.
TEST_F(Cache, NoticesARollbackBehindAFailingRead) {
  expect_backup();
  const auto earlier = medium_.copy();
  expect_backup();
  medium_.restore(*earlier);
  SimulatedStorage counted(medium_);
  EXPECT_THROW(shop_.open(counted, Access::locked), Error);
  for (std::uint64_t nth = 1; nth <= counted.counters().reads; ++nth) {
    SimulatedStorage process(medium_);
    process.fail_read(nth);
    EXPECT_THROW(shop_.open(process, Access::locked), Error);
    SimulatedStorage again(medium_);
    EXPECT_THROW(shop_.open(again, Access::locked), Error);
  }
}

}  // namespace
}  // namespace qcbak::tests
