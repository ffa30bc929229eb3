// The faults happen: a simulator that loses nothing would prove nothing.
#include "tests/simulated/simulated_disk.h"

#include <gmock/gmock.h>

#include <cerrno>
#include <set>

#include "base/error.h"

namespace qcbak::simulated {
namespace {

constexpr std::uint64_t kBlocks = 16;
constexpr std::uint64_t kSize = kBlocks * kBlockBytes;

Bytes bytes_of(unsigned value, std::size_t blocks) {
  return Bytes(blocks * kBlockBytes, static_cast<std::byte>(value));
}

Bytes seen_at(Disk& disk, std::uint64_t block) {
  SimulatedDisk process(disk);
  Bytes bytes(kBlockBytes);
  process.read(block * kBlockBytes, bytes);
  return bytes;
}

TEST(SimulatedDisk, LosesUnflushedWritesWhollyInPartOrNotAtAll) {
  std::set<std::size_t> sectors_landed;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Disk disk(kSize);
    SimulatedDisk process(disk);
    process.write(0, bytes_of(1, 1));
    process.flush();
    process.write(kBlockBytes, bytes_of(2, 1));
    disk.power_loss(seed);
    EXPECT_EQ(seen_at(disk, 0), bytes_of(1, 1));
    const Bytes second = seen_at(disk, 1);
    sectors_landed.insert(static_cast<std::size_t>(std::ranges::count(second, std::byte{2})) / kSectorBytes);
    EXPECT_THROW(process.flush(), PowerLost);
  }
  EXPECT_TRUE(sectors_landed.contains(0));
  EXPECT_TRUE(sectors_landed.contains(kBlockBytes / kSectorBytes));
  EXPECT_GT(sectors_landed.size(), 3);
}

TEST(SimulatedDisk, DiesAtTheWriteOrFlushThatWasNamed) {
  for (std::uint64_t nth = 1; nth <= 3; ++nth) {
    Disk disk(kSize);
    SimulatedDisk process(disk);
    process.lose_power_at(nth);
    const auto client = [&] {
      process.write(0, bytes_of(1, 1));
      process.flush();
      process.write(kBlockBytes, bytes_of(2, 1));
    };
    EXPECT_THROW(client(), PowerLost);
    EXPECT_EQ(process.counters().writes_and_flushes, nth);
    Bytes into(kBlockBytes);
    EXPECT_THROW(process.read(0, into), PowerLost);
    EXPECT_EQ(seen_at(disk, 0), bytes_of(1, 1)) << "a kill loses nothing that was sent";
  }
}

TEST(SimulatedDisk, KeepsNothingThatIsOnlyFlushedInName) {
  std::set<Bytes> seen;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Disk disk(kSize);
    disk.ignore_flushes();
    SimulatedDisk process(disk);
    process.write(0, bytes_of(1, 1));
    process.flush();
    disk.power_loss(seed);
    seen.insert(seen_at(disk, 0));
  }
  EXPECT_TRUE(seen.contains(bytes_of(0, 1)));
}

TEST(SimulatedDisk, FailsAtABlockAndDoesWhatComesBeforeIt) {
  Disk disk(kSize);
  disk.fail_writing(2, EIO);
  disk.fail_reading(1, ENODATA, Healing::never);
  SimulatedDisk process(disk);
  const wipe::Transfer written = process.write(0, bytes_of(1, 4));
  EXPECT_EQ(written.done_bytes, 2 * kBlockBytes);
  EXPECT_EQ(written.error, EIO);
  Bytes into(4 * kBlockBytes);
  const wipe::Transfer read = process.read(0, into);
  EXPECT_EQ(read.done_bytes, kBlockBytes);
  EXPECT_EQ(read.error, ENODATA);
  disk.repair(1);
  disk.repair(2);
  EXPECT_EQ(process.write(0, bytes_of(1, 4)).done_bytes, 4 * kBlockBytes);
  EXPECT_EQ(process.read(0, into).done_bytes, 4 * kBlockBytes);
}

TEST(SimulatedDisk, HealsByWriting) {
  Disk disk(kSize);
  disk.fail_reading(3, EIO, Healing::by_writing);
  SimulatedDisk process(disk);
  Bytes into(kBlockBytes);
  EXPECT_EQ(process.read(3 * kBlockBytes, into).error, EIO);
  process.write(3 * kBlockBytes, bytes_of(5, 1));
  EXPECT_EQ(process.read(3 * kBlockBytes, into).error, 0);
  EXPECT_EQ(into, bytes_of(5, 1));
}

TEST(SimulatedDisk, TransfersLessThanItWasAsked) {
  Disk disk(kSize);
  disk.transfer_at_most(2 * kBlockBytes);
  SimulatedDisk process(disk);
  const wipe::Transfer written = process.write(0, bytes_of(1, 5));
  EXPECT_EQ(written.done_bytes, 2 * kBlockBytes);
  EXPECT_EQ(written.error, 0);
}

TEST(SimulatedDisk, DropsWhatItAcknowledges) {
  Disk disk(kSize);
  disk.drop_writes(1);
  SimulatedDisk process(disk);
  EXPECT_EQ(process.write(0, bytes_of(1, 3)).done_bytes, 3 * kBlockBytes);
  EXPECT_EQ(seen_at(disk, 0), bytes_of(1, 1));
  EXPECT_EQ(seen_at(disk, 1), bytes_of(0, 1));
}

TEST(SimulatedDisk, HasLessRoomThanItSays) {
  Disk disk(kSize);
  disk.wrap_at(kSize / 2);
  SimulatedDisk process(disk);
  process.write(0, bytes_of(1, 1));
  process.write(kSize / 2, bytes_of(2, 1));
  EXPECT_EQ(seen_at(disk, 0), bytes_of(2, 1));
  EXPECT_TRUE(equal(ByteView(disk.content()).first(kBlockBytes), bytes_of(2, 1)));
}

TEST(SimulatedDisk, KeepsOldCellsThatNobodyCanAddress) {
  Disk disk(kSize);
  disk.plant(0, as_bytes("secret"));
  disk.keep_old_cells(2);
  SimulatedDisk process(disk);
  process.write(0, bytes_of(1, 1));
  EXPECT_TRUE(disk.old_cells_hold(as_bytes("secret")));
  process.write(0, bytes_of(2, 2));
  process.write(0, bytes_of(3, 1));
  EXPECT_FALSE(disk.old_cells_hold(as_bytes("secret"))) << "the pool has two cells";
}

TEST(SimulatedDisk, FailsFlushesAndTakesItsTime) {
  Disk disk(kSize);
  tests::ManualClock clock;
  SimulatedDisk process(disk);
  process.delay_request(2, clock, 5 * tests::kSecondNs);
  process.write(0, bytes_of(1, 1));
  EXPECT_EQ(clock.monotonic_ns(), 0);
  process.write(0, bytes_of(1, 1));
  EXPECT_EQ(clock.monotonic_ns(), 5 * tests::kSecondNs);
  disk.fail_flushes(EIO);
  EXPECT_THROW(process.flush(), Error);
}

}  // namespace
}  // namespace qcbak::simulated
