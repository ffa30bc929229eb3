#include "crypto/signing_key.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "tests/support/seeded_random.h"

namespace qcbak::crypto {
namespace {

class SigningKeyTest : public testing::Test {
 protected:
  ErrorCode refusal(const std::function<void()>& act) {
    try {
      act();
    } catch (const Error& error) {
      return error.code();
    }
    ADD_FAILURE() << "it was taken";
    return ErrorCode::failed;
  }
  tests::SeededRandom random_{7};
  const SignSeed seed_ = SignSeed::random(random_);
  const Bytes file_ = protect_signing_key(seed_, "lan", as_bytes("a passphrase"), random_);
};

TEST_F(SigningKeyTest, ItsPassphraseOpensIt) {
  const SigningKeyFile file(file_);
  EXPECT_EQ(file.name(), "lan");
  EXPECT_EQ(file.key(), sign_public(seed_));
  EXPECT_EQ(to_hex(file.open(as_bytes("a passphrase")).view()), to_hex(seed_.view()));
  EXPECT_LE(file_.size(), kSigningKeyFileLimit);
}

TEST_F(SigningKeyTest, AnotherPassphraseDoesNot) {
  EXPECT_EQ(refusal([&] { SigningKeyFile(file_).open(as_bytes("another")); }), ErrorCode::wrong_key);
}

TEST_F(SigningKeyTest, NoByteOfItCanBeAltered) {
  // The passphrase costs half a second: one byte of each part.
  for (const std::size_t at : {std::size_t{1}, std::size_t{3}, std::size_t{22}, std::size_t{25}, std::size_t{30},
                               std::size_t{62}, file_.size() - 60, file_.size() - 1}) {
    Bytes altered = file_;
    altered[at] ^= std::byte{1};
    EXPECT_EQ(refusal([&] { SigningKeyFile(altered).open(as_bytes("a passphrase")); }), ErrorCode::wrong_key)
        << "byte " << at;
  }
}

TEST_F(SigningKeyTest, AShortenedFileIsNone) {
  for (std::size_t size = 0; size < file_.size(); ++size)
    EXPECT_EQ(refusal([&] { SigningKeyFile{ByteView(file_).first(size)}; }), ErrorCode::wrong_key) << size;
}

TEST_F(SigningKeyTest, AStatementIsSignedForItsOwnPurpose) {
  const Signature signature = sign_statement(seed_, "{}");
  EXPECT_TRUE(verify_statement(sign_public(seed_), "{}", signature));
  EXPECT_FALSE(verify_statement(sign_public(seed_), "{ }", signature));
  EXPECT_FALSE(verify(sign_public(seed_), as_bytes("{}"), signature));
  EXPECT_TRUE(verify(sign_public(seed_), as_bytes("qcbak statement 1\n{}"), signature));
}

}  // namespace
}  // namespace qcbak::crypto
