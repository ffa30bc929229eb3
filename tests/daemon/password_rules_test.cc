#include "daemon/password_rules.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace qcbak::daemon {
namespace {

std::string verdict(std::string_view password, std::string_view name = "lan") {
  try {
    require_good_password(password, name);
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    return error.what();
  }
}

TEST(PasswordRules, ElevenCharactersOfFourClasses) {
  EXPECT_EQ(verdict("Abcdefgh1-x"), "");
  EXPECT_NE(verdict("Abcdefg1-x").find("fewer than 11"), std::string::npos);
  EXPECT_NE(verdict("ABCDEFGH1-X").find("no small letter"), std::string::npos);
  EXPECT_NE(verdict("abcdefgh1-x").find("no capital letter"), std::string::npos);
  EXPECT_NE(verdict("Abcdefghi-x").find("no digit"), std::string::npos);
  EXPECT_NE(verdict("Abcdefgh12x").find("nothing but letters and digits"), std::string::npos);
  EXPECT_EQ(verdict("Abcdefgh1 x"), "");
}

TEST(PasswordRules, CharactersAreCountedAsPeopleDo) {
  EXPECT_NE(verdict("Mật-khẩu12").find("fewer than 11"), std::string::npos);  // 10, in 14 bytes
  EXPECT_EQ(verdict("Mật-khẩu123"), "");
  // A letter with marks is of no class.
  EXPECT_NE(verdict("ẬẨabcdefg12").find("no capital letter"), std::string::npos);
  EXPECT_NE(verdict("ABabcdefẩ12").find("nothing but letters and digits"), std::string::npos);
}

TEST(PasswordRules, TheNameIsNotInIt) {
  EXPECT_NE(verdict("Abcde-lan-12").find("the name is in it"), std::string::npos);
  EXPECT_NE(verdict("Abcde-LaN-12").find("the name is in it"), std::string::npos);
  EXPECT_NE(verdict("LANabcdef-12").find("the name is in it"), std::string::npos);
  EXPECT_EQ(verdict("Abcde-la-n12"), "");
}

TEST(PasswordRules, NotLongerThanItCanBeHashedAtOnce) {
  EXPECT_EQ(verdict("Aa1-" + std::string(1020, 'x')), "");
  EXPECT_NE(verdict("Aa1-" + std::string(1021, 'x')).find("more than 1024"), std::string::npos);
}

}  // namespace
}  // namespace qcbak::daemon
