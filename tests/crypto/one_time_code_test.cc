#include "crypto/one_time_code.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/support/seeded_random.h"

namespace qcbak::crypto {
namespace {

// RFC 6238, appendix B, SHA-1; six of its eight digits.
const std::string kSecret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";  // "12345678901234567890"

Time at(std::int64_t seconds) { return {seconds * 1'000'000'000}; }

TEST(OneTimeCode, AsTheStandardHasIt) {
  const std::pair<std::int64_t, const char*> vectors[] = {{59, "287082"},         {1111111109, "081804"},
                                                          {1111111111, "050471"}, {1234567890, "005924"},
                                                          {2000000000, "279037"}};
  for (const auto& [seconds, code] : vectors)
    EXPECT_EQ(step_of_code(code, kSecret, at(seconds), 0), seconds / 30) << seconds;
}

TEST(OneTimeCode, OneStepEarlyOrLateAndNoMore) {
  const std::int64_t seconds = 1234567890;  // 005924
  EXPECT_TRUE(step_of_code("005924", kSecret, at(seconds - 30), 0));
  EXPECT_TRUE(step_of_code("005924", kSecret, at(seconds + 30), 0));
  EXPECT_FALSE(step_of_code("005924", kSecret, at(seconds - 60), 0));
  EXPECT_FALSE(step_of_code("005924", kSecret, at(seconds + 60), 0));
}

TEST(OneTimeCode, EachIsGoodOnce) {
  const Time now = at(1234567890);
  const auto step = step_of_code("005924", kSecret, now, 0);
  ASSERT_TRUE(step);
  EXPECT_FALSE(step_of_code("005924", kSecret, now, *step));
  EXPECT_FALSE(step_of_code("005924", kSecret, now, *step + 1));
}

TEST(OneTimeCode, WhatIsNoCode) {
  for (const char* code : {"", "00592", "0059244", "00592a", "005 24", " 05924", "-05924"})
    EXPECT_FALSE(step_of_code(code, kSecret, at(1234567890), 0)) << code;
  EXPECT_FALSE(step_of_code("287082", kSecret, Time{-1}, 0));
  EXPECT_THROW(step_of_code("005924", "not base32!", at(1234567890), 0), Error);
}

TEST(OneTimeCode, ANewSecretIsBase32Of160Bits) {
  tests::SeededRandom random(7);
  const std::string secret = new_one_time_secret(random);
  EXPECT_EQ(secret.size(), 32U);
  EXPECT_EQ(secret.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), std::string::npos);
  EXPECT_NE(secret, new_one_time_secret(random));
}

}  // namespace
}  // namespace qcbak::crypto
