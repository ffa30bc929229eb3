// Whatever byte of whatever object changes: it is found, named, and repaired as far as can be. Every seventh byte, each at
// one level, in the quick set; QCBAK_EVERY_BYTE: every byte found at all
// levels, every 29th repaired, in the full set; QCBAK_EVERY_REPAIR: every byte repaired too, in the long one.
#include <gtest/gtest.h>

#include "tests/backup/damage_checks.h"

namespace qcbak::tests {
namespace {

#if defined QCBAK_EVERY_REPAIR
constexpr std::size_t kVerifyStep = 1, kRepairStep = 1;
#elif defined QCBAK_EVERY_BYTE
constexpr std::size_t kVerifyStep = 1, kRepairStep = 29;
#else
constexpr std::size_t kVerifyStep = 7, kRepairStep = 211;
#endif
constexpr std::size_t kShards = 4;

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
      if (kVerifyStep == 1 || i == count % std::size(kLevels))
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
