#include "wipe/ranges.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/support/seeded_random.h"

namespace qcbak::wipe {
namespace {

using testing::ElementsAre;

constexpr std::uint64_t kSpace = 40;

std::vector<bool> bits(const RangeSet& set) {
  std::vector<bool> result(kSpace);
  for (const Range& range : set.ranges())
    for (std::uint64_t at = range.offset; at < range.end(); ++at) result[at] = true;
  return result;
}

bool is_in_form(const RangeSet& set) {
  const auto& ranges = set.ranges();
  for (std::size_t i = 0; i < ranges.size(); ++i)
    if (ranges[i].size_bytes == 0 || (i > 0 && ranges[i - 1].end() >= ranges[i].offset)) return false;
  return true;
}

TEST(RangeSet, IsWhatASetOfBytesWouldBe) {
  tests::SeededRandom random(3);
  RangeSet set;
  std::vector<bool> model(kSpace);
  for (int round = 0; round < 20'000; ++round) {
    const Range range{random.below(kSpace), 0};
    const Range whole{range.offset, random.below(kSpace - range.offset + 1)};
    const bool adds = random.one_in(2);
    adds ? set.add(whole) : set.remove(whole);
    std::fill_n(model.begin() + static_cast<std::ptrdiff_t>(whole.offset), whole.size_bytes, adds);
    ASSERT_EQ(bits(set), model) << round;
    ASSERT_TRUE(is_in_form(set)) << round;
    ASSERT_EQ(set.total_bytes(), static_cast<std::uint64_t>(std::ranges::count(model, true)));
  }
}

TEST(RangeSet, CutsToWhatItIsAskedFor) {
  RangeSet set;
  set.add({10, 10});
  set.add({30, 5});
  EXPECT_THAT(set.overlapping({15, 17}), ElementsAre(Range{15, 5}, Range{30, 2}));
  EXPECT_THAT(set.outside({15, 17}), ElementsAre(Range{20, 10}));
  EXPECT_THAT(set.outside({0, 40}), ElementsAre(Range{0, 10}, Range{20, 10}, Range{35, 5}));
  EXPECT_THAT(set.outside({10, 10}), ElementsAre());
  EXPECT_THAT(set.overlapping({20, 10}), ElementsAre());
}

TEST(RangeSet, JoinsNeighboursBeyondItsLimitAndLosesNothing) {
  RangeSet set;
  for (std::uint64_t i = 0; i < 3 * RangeSet::kRangeLimit; ++i) set.add({i * 100, 1 + i % 7});
  EXPECT_EQ(set.ranges().size(), RangeSet::kRangeLimit);
  EXPECT_TRUE(is_in_form(set));
  for (std::uint64_t i = 0; i < 3 * RangeSet::kRangeLimit; ++i)
    ASSERT_TRUE(set.outside({i * 100, 1 + i % 7}).empty()) << i;
}

}  // namespace
}  // namespace qcbak::wipe
