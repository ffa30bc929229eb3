#include "tests/repository/model.h"

#include <gmock/gmock.h>

namespace qcbak::tests {
namespace {

class ModelTest : public testing::TestWithParam<std::uint64_t> {};

TEST_P(ModelTest, NothingAcknowledgedIsLost) { live_a_life(GetParam(), 60); }

INSTANTIATE_TEST_SUITE_P(Seeds, ModelTest, testing::Range<std::uint64_t>(1, 21));

}  // namespace
}  // namespace qcbak::tests
