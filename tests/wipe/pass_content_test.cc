#include "wipe/pass_content.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/seeded_random.h"
#include "tests/wipe/expected_content.h"

namespace qcbak::wipe {
namespace {

constexpr std::size_t kSize = 200'000;  // several tiles and several pieces of comparing
constexpr std::size_t kSteps = 6;

JobSecret secret() {
  tests::SeededRandom random(7);
  return JobSecret::random(random);
}

// Steps of every kind.
const Plan& plan() {
  static const Plan plan{"all",
                         1,
                         "All",
                         "a test",
                         {{StepKind::fixed, from_hex("249249")},
                          {StepKind::fixed, from_hex("7fffffff")},
                          {StepKind::drawn, {}},
                          {StepKind::complement, {}},
                          {StepKind::random, {}},
                          {StepKind::random, {}},
                          {StepKind::read_back, {}}}};
  return plan;
}

PassContent content_of(std::size_t index) { return PassContent(plan(), index, secret()); }

Bytes filled(PassContent& content, std::uint64_t offset, std::size_t size) {
  Bytes bytes(size);
  content.fill(offset, bytes);
  return bytes;
}

TEST(PassContent, IsWhatTheDocumentSays) {
  const char* const texts[kSteps] = {"249249", "7fffffff", "B", "~B", "R", "R"};
  for (std::uint32_t index = 0; index < kSteps; ++index) {
    PassContent content = content_of(index);
    EXPECT_EQ(filled(content, 0, kSize), tests::expected_content(texts[index], index + 1, secret().view(), kSize))
        << index;
  }
}

TEST(PassContent, IsTheSameFromAnyOffsetInAnyOrder) {
  tests::SeededRandom random(1);
  for (std::size_t index = 0; index < kSteps; ++index) {
    PassContent content = content_of(index);
    const Bytes whole = filled(content, 0, kSize);
    for (int round = 0; round < 300; ++round) {
      const std::size_t from = random.below(kSize);
      const std::size_t size = random.below(kSize - from + 1);
      ASSERT_TRUE(equal(filled(content, from, size), ByteView(whole).subspan(from, size))) << index << " " << from;
    }
  }
}

TEST(PassContent, IsTheSameInACopyForAThread) {
  for (std::size_t index = 0; index < kSteps; ++index) {
    PassContent content = content_of(index);
    PassContent copy = content.copy_for_thread();
    EXPECT_EQ(filled(copy, 12345, 5000), filled(content, 12345, 5000)) << index;
  }
}

TEST(PassContent, FindsTheFirstByteThatDiffers) {
  tests::SeededRandom random(2);
  for (std::size_t index = 0; index < kSteps; ++index) {
    PassContent content = content_of(index);
    for (int round = 0; round < 300; ++round) {
      const std::uint64_t offset = random.below(1000);
      Bytes found = filled(content, offset, 1 + random.below(70'000));
      ASSERT_TRUE(content.matches(offset, found));
      const std::size_t at = random.below(round % 2 == 0 ? found.size() : std::min<std::size_t>(found.size(), 8));
      found[at] ^= std::byte{1};
      ASSERT_EQ(content.matching_prefix(offset, found), at) << index << " " << offset << " " << found.size();
    }
  }
}

// A pattern that is right in itself and stands one byte off is not what was written.
TEST(PassContent, TakesNoShiftedPatternForItsOwn) {
  PassContent content = content_of(0);
  const Bytes shifted = filled(content, 1, 30'000);
  EXPECT_EQ(content.matching_prefix(0, shifted), 0);
}

TEST(PassContent, StepsAndJobsHaveStreamsOfTheirOwn) {
  tests::SeededRandom random(9);
  const JobSecret other = JobSecret::random(random);
  std::set<Bytes> streams;
  for (const std::size_t index : {4, 5}) {
    PassContent mine = content_of(index);
    PassContent another(plan(), index, other);
    streams.insert(filled(mine, 0, 64));
    streams.insert(filled(another, 0, 64));
  }
  EXPECT_EQ(streams.size(), 4);
}

TEST(PassContent, SaysWhatItIs) {
  EXPECT_EQ(content_of(0).description(), "249249");
  EXPECT_EQ(content_of(4).description(), "random");
  EXPECT_EQ(content_of(4).pattern(), std::nullopt);
  Bytes drawn = content_of(2).pattern().value();
  drawn[0] ^= std::byte{0xff};
  EXPECT_EQ(content_of(3).pattern(), drawn);
}

}  // namespace
}  // namespace qcbak::wipe
