#include "wipe/sample.h"

#include <gtest/gtest.h>

#include "tests/support/seeded_random.h"

namespace qcbak::wipe {
namespace {

constexpr std::uint32_t kBlock = 4096;
constexpr std::uint64_t kSizes[] = {20002ULL * kBlock, 20002ULL * kBlock + 512, 123'457ULL * kBlock - 512,
                                    2'000'398'934'016ULL};

JobSecret secret(std::uint64_t seed) {
  tests::SeededRandom random(seed);
  return JobSecret::random(random);
}

Geometry disk_of(std::uint64_t size_bytes) { return {size_bytes, 512, kBlock}; }

TEST(Sample, IsATenthOfTheDiskAtLeastWithItsFirstAndLastBlock) {
  for (const std::uint64_t size : kSizes) {
    const Geometry geometry = disk_of(size);
    ASSERT_TRUE(is_sampled(geometry));
    const RangeSet places = sample_places(geometry, 1, secret(1));
    EXPECT_EQ(places.total_bytes(), sample_bytes(geometry)) << "places overlap";
    EXPECT_GE(places.total_bytes() * 10, size);
    EXPECT_LT(places.total_bytes() * 8, size) << "a sample, and not more than it needs";
    EXPECT_EQ(places.ranges().front().offset, 0);
    EXPECT_EQ(places.ranges().back().end(), size);
    for (const Range& range : places.ranges()) {
      EXPECT_EQ(range.offset % kBlock, 0);
      EXPECT_TRUE(range.size_bytes % kBlock == 0 || range.end() == size);
    }
  }
}

// Of a thousand subsections each has a tenth of it read, wherever that lies.
TEST(Sample, IsSpreadOverAThousandSubsections) {
  for (const std::uint64_t size : kSizes) {
    const std::uint64_t blocks = (size + kBlock - 1) / kBlock - 2;
    const RangeSet places = sample_places(disk_of(size), 1, secret(1));
    for (std::uint64_t number = 0; number < 1000; ++number) {
      const auto begin = [&](std::uint64_t n) { return (1 + blocks * n / 1000) * kBlock; };
      const Range part{begin(number), begin(number + 1) - begin(number)};
      std::uint64_t read = 0;
      for (const Range& range : places.overlapping(part)) read += range.size_bytes;
      ASSERT_GE(read * 10, part.size_bytes) << size << " " << number;
    }
  }
}

TEST(Sample, IsTheSameForTheSameJobAndStepAlone) {
  const Geometry geometry = disk_of(kSizes[2]);
  const RangeSet places = sample_places(geometry, 1, secret(1));
  EXPECT_EQ(sample_places(geometry, 1, secret(1)), places);
  EXPECT_NE(sample_places(geometry, 2, secret(1)), places);
  EXPECT_NE(sample_places(geometry, 1, secret(2)), places);
}

TEST(Sample, OfASmallDiskIsTheWhole) {
  const Geometry geometry = disk_of(20001ULL * kBlock);
  EXPECT_FALSE(is_sampled(geometry));
  EXPECT_EQ(sample_bytes(geometry), geometry.size_bytes);
  EXPECT_EQ(sample_places(geometry, 1, secret(1)).total_bytes(), geometry.size_bytes);
}

}  // namespace
}  // namespace qcbak::wipe
