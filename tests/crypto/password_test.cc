#include "crypto/password.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace qcbak::crypto {
namespace {

PasswordParameters parameters(std::string_view salt_hex, std::uint32_t passes, std::uint32_t memory_kib) {
  PasswordParameters result;
  result.salt = decltype(result.salt)(from_hex(salt_hex));
  result.passes = passes;
  result.memory_kib = memory_kib;
  return result;
}

// The output that the PHP manual shows for sodium_crypto_pwhash_str("password", …INTERACTIVE):
// $argon2id$v=19$m=65536,t=2,p=1$oWIfdaXwWwhVmovOBc2NAQ$EbsZ+JnZyyavkafS0hoc4HdaOB0ILWZESAZ7kVGa+Iw.
// RFC 9106 has no vector with one lane and no secret.
TEST(KeyFromPassword, PublishedVector) {
  EXPECT_EQ(
      to_hex(key_from_password(as_bytes("password"), parameters("a1621f75a5f05b08559a8bce05cd8d01", 2, 65536)).view()),
      "11bb19f899d9cb26af91a7d2d21a1ce0775a381d082d664448067b91519af88c");
}

TEST(KeyFromPassword, DependsOnEverything) {
  const std::string salt = "000102030405060708090a0b0c0d0e0f";
  const auto key = [](std::string_view password, const PasswordParameters& p) {
    return to_hex(key_from_password(as_bytes(password), p).view());
  };
  const std::string usual = key("mật khẩu", parameters(salt, 1, 8192));
  EXPECT_EQ(key("mật khẩu", parameters(salt, 1, 8192)), usual);
  EXPECT_NE(key("mật khẩu ", parameters(salt, 1, 8192)), usual);
  EXPECT_NE(key("", parameters(salt, 1, 8192)), usual);
  EXPECT_NE(key("mật khẩu", parameters("100102030405060708090a0b0c0d0e0f", 1, 8192)), usual);
  EXPECT_NE(key("mật khẩu", parameters(salt, 2, 8192)), usual);
  EXPECT_NE(key("mật khẩu", parameters(salt, 1, 8193)), usual);
}

TEST(PasswordParameters, NewOnesAreStrongAndHaveTheirOwnSalt) {
  SystemRandom random;
  const PasswordParameters first = new_password_parameters(random), second = new_password_parameters(random);
  EXPECT_NE(first.salt, second.salt);
  EXPECT_EQ(first.memory_kib, 64U << 10);
  EXPECT_GE(first.passes, 3U);  // RFC 9106 §4, the second recommended option
  check_password_parameters(first);
}

TEST(PasswordParameters, HostileOnesAreRefused) {
  const std::string salt(32, '0');
  for (const auto& good : {parameters(salt, 1, 8192), parameters(salt, 64, 1 << 20)}) check_password_parameters(good);
  for (const auto& bad : {parameters(salt, 0, 65536), parameters(salt, 65, 65536), parameters(salt, UINT32_MAX, 65536),
                          parameters(salt, 3, 0), parameters(salt, 3, 8191), parameters(salt, 3, (1 << 20) + 1),
                          parameters(salt, 3, UINT32_MAX)})
    for (const bool derive : {false, true}) {
      try {
        if (derive)
          key_from_password(as_bytes("password"), bad);
        else
          check_password_parameters(bad);
        ADD_FAILURE() << bad.passes << " passes, " << bad.memory_kib << " KiB";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::damaged);
      }
    }
}

}  // namespace
}  // namespace qcbak::crypto
