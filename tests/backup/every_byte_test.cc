// Whatever byte of whatever object changes: it is found, named, and repaired as far as can be. The build says which bytes:
// every seventh in the quick set, every one in the full set, and in the long one every one at every level.
#include <gtest/gtest.h>

#include "tests/backup/damage_checks.h"

namespace qcbak::tests {
namespace {

constexpr std::size_t kVerifyStep = QCBAK_VERIFY_STEP, kRepairStep = QCBAK_REPAIR_STEP;
constexpr bool kAllLevels = QCBAK_ALL_LEVELS;
constexpr std::size_t kShards = 8;  // each within a test's time limit on a busy machine

// visit(medium, object, count) for every byte of the shard's turn, flipped in one bit.
template <class Visit>
void flip_bytes(const SmallRepository& small, std::size_t step, std::size_t shard, Visit&& visit) {
  std::size_t position = 0, count = 0;
  for (const storage::ObjectInfo& object : small.storage().list("")) {
    for (std::uint64_t at = 0; at < object.size_bytes; ++at, ++position) {
      if (position % (step * kShards) != shard * step) continue;
      SCOPED_TRACE(object.name + " byte " + std::to_string(at));
      const auto medium = small.medium().copy();
      medium->flip_bit(object.name, at * 8 + at % 8);
      visit(*medium, object.name, count++);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

class EveryByte : public ::testing::TestWithParam<std::size_t> {
 protected:
  SmallRepository small_;
};
INSTANTIATE_TEST_SUITE_P(Shard, EveryByte, ::testing::Range<std::size_t>(0, kShards));

TEST_P(EveryByte, IsFound) {
  flip_bytes(small_, kVerifyStep, GetParam(), [&](simulated::Medium& medium, const std::string& object, std::size_t count) {
    const simulated::SimulatedStorage storage(medium);
    for (std::size_t i = 0; i < std::size(kLevels); ++i)
      if (kAllLevels || i == count % std::size(kLevels))
        expect_damage_is_found(small_, storage, kLevels[i], object);
  });
}

TEST_P(EveryByte, IsRepairedWithTheReadingKey) {
  flip_bytes(small_, kRepairStep, GetParam(), [&](simulated::Medium& medium, const std::string& object, std::size_t) {
    if (opens(simulated::SimulatedStorage(medium))) expect_good_repair(small_, medium, Access::read, object);
  });
}

TEST_P(EveryByte, IsNotMadeWorseWithoutTheReadingKey) {
  flip_bytes(small_, kRepairStep, GetParam(), [&](simulated::Medium& medium, const std::string& object, std::size_t) {
    if (opens(simulated::SimulatedStorage(medium))) expect_good_repair(small_, medium, Access::write_only, object);
  });
}

}  // namespace
}  // namespace qcbak::tests
