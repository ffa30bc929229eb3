#include "crypto/password_hash.h"

#include <gtest/gtest.h>

namespace qcbak::crypto {
namespace {

TEST(PasswordHash, KnowsThePasswordAgain) {
  const std::string hash = hash_password(as_bytes("Một mật khẩu 9"));
  EXPECT_TRUE(hash.starts_with("$argon2id$v=19$m=65536,t=4,p=1$")) << hash;
  EXPECT_TRUE(is_password(as_bytes("Một mật khẩu 9"), hash));
  EXPECT_FALSE(is_password(as_bytes("Một mật khẩu 8"), hash));
  EXPECT_FALSE(is_password({}, hash));
}

TEST(PasswordHash, TheSameTwiceLooksDifferent) {
  EXPECT_NE(hash_password(as_bytes("a")), hash_password(as_bytes("a")));
}

// Made with the argon2 program of its authors: echo -n "Correct horse 1" | argon2 saltsaltsaltsalt -id -t 2 -k 65536 -p 1 -e
TEST(PasswordHash, TakesWhatOthersMade) {
  const std::string hash = "$argon2id$v=19$m=65536,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$a7NsIv90qN8SVn1gfqXC3Y/TZkLbxN3HLaFNuvGCrq0";
  EXPECT_TRUE(is_password(as_bytes("Correct horse 1"), hash));
  EXPECT_FALSE(is_password(as_bytes("correct horse 1"), hash));
}

TEST(PasswordHash, WhatIsNoHashIsNobodysPassword) {
  for (const std::string& hash : {std::string(), std::string("$argon2id$"), std::string("x"), std::string(1000, 'a')})
    EXPECT_FALSE(is_password(as_bytes(""), hash)) << hash;
}

}  // namespace
}  // namespace qcbak::crypto
