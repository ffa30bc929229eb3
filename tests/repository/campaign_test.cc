// The model of model.h over many seeds: QCBAK_SEEDS lives (2,000 without it) from QCBAK_FIRST_SEED (1,000) on.
#include <gmock/gmock.h>

#include <cstdlib>
#include <string>

#include "tests/repository/model.h"

namespace qcbak::tests {
namespace {

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::stoull(text);
}

TEST(Campaign, NothingAcknowledgedIsLost) {
  const std::uint64_t first = number_from_environment("QCBAK_FIRST_SEED", 1000);
  const std::uint64_t count = number_from_environment("QCBAK_SEEDS", 2000);
  for (std::uint64_t seed = first; seed < first + count && !HasFailure(); ++seed) live_a_life(seed, 200);
}

}  // namespace
}  // namespace qcbak::tests
