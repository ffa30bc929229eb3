#include "crypto/asymmetric.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace qcbak::crypto {
namespace {

// RFC 7748 §6.1.
constexpr const char* kAliceSecret = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
constexpr const char* kAlicePublic = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
constexpr const char* kBobSecret = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
constexpr const char* kBobPublic = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";

Bytes flipped(ByteView bytes, std::size_t bit) {
  Bytes altered = to_bytes(bytes);
  altered[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
  return altered;
}

TEST(Box, Rfc7748PublicKeys) {
  EXPECT_EQ(box_public(BoxSecret(from_hex(kAliceSecret))).hex(), kAlicePublic);
  EXPECT_EQ(box_public(BoxSecret(from_hex(kBobSecret))).hex(), kBobPublic);
}

// The reference vector of PyNaCl (tests/data/sealed_box_ref.txt), made by libsodium's crypto_box_seal.
TEST(Box, OpensAPublishedSealedBox) {
  const auto opened = box_open(
      BoxPublic(from_hex(kAlicePublic)), BoxSecret(from_hex(kAliceSecret)),
      from_hex(
          "199c808806a62c1be56951023ad3396b0ce0ef2c5b9ca688ac96d2d06ca43f65d314400cc9bbefb23dd26f824c9cb553f81e8c89"
          "4ea9a553f4d777c77b66d5a6925da3f5961c5f7147172db5597ac14210066ee3ee13e6230a9a9610e9cddbf24094f54fbbf6694c"
          "08a436cec39ff5a373656d9584f4df9dd8c817e2e597540628d0ee21a6524a3fcf3eabdc0968390bd260a47366ead7f71cc2e774"
          "d411d96f3497c7e10291937bc16dc46a111686b85a8c86"));
  ASSERT_TRUE(opened);
  EXPECT_EQ(
      to_hex(opened->view()),
      "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c012335"
      "61f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c"
      "60902e52f0a089bc76897040e082f937763848645e0705");
}

TEST(Box, OpensWhatWasSealed) {
  SystemRandom random;
  const BoxSecret secret = BoxSecret::random(random);
  const BoxPublic to = box_public(secret);
  for (std::size_t size : {0U, 1U, 32U, 1000U}) {
    const Bytes plaintext(size, std::byte{7});
    const Bytes sealed = box_seal(to, plaintext);
    EXPECT_EQ(sealed.size(), size + kBoxOverhead);
    EXPECT_NE(sealed, box_seal(to, plaintext)) << "each box has a key of its own";
    const auto opened = box_open(to, secret, sealed);
    ASSERT_TRUE(opened);
    EXPECT_TRUE(equal(opened->view(), plaintext));
  }
}

TEST(Box, RefusesWhatIsAlteredCutOrForAnother) {
  SystemRandom random;
  const BoxSecret secret = BoxSecret::random(random), other = BoxSecret::random(random);
  const BoxPublic to = box_public(secret);
  const Bytes sealed = box_seal(to, as_bytes("the key of a pack"));
  // The highest bit of an X25519 public key is not used (RFC 7748 §5), but it is part of what the nonce is made from.
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit)
    EXPECT_FALSE(box_open(to, secret, flipped(sealed, bit))) << bit;
  for (std::size_t size = 0; size < sealed.size(); ++size)
    EXPECT_FALSE(box_open(to, secret, ByteView(sealed).first(size))) << size;
  EXPECT_FALSE(box_open(box_public(other), other, sealed));
  EXPECT_FALSE(box_open(to, other, sealed));
  EXPECT_FALSE(box_open(box_public(other), secret, sealed));
}

TEST(Box, SealsToNoKeyOfSmallOrder) {
  try {
    box_seal(BoxPublic(), as_bytes("text"));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::damaged);
  }
}

struct SignCase {
  const char* seed;
  const char* public_key;
  const char* message;
  const char* signature;
};

// RFC 8032 §7.1, TEST 1 to 3.
constexpr SignCase kSignCases[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
     "655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
     "b00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d"
     "c027beceea1ec40a"},
};

TEST(Sign, Rfc8032) {
  for (const SignCase& c : kSignCases) {
    const SignSeed seed(from_hex(c.seed));
    const Bytes message = from_hex(c.message);
    EXPECT_EQ(sign_public(seed).hex(), c.public_key);
    EXPECT_EQ(sign(seed, message).hex(), c.signature);
    EXPECT_TRUE(verify(SignPublic(from_hex(c.public_key)), message, Signature(from_hex(c.signature))));
  }
}

TEST(Verify, RefusesEveryFlippedBit) {
  const SignCase& c = kSignCases[2];
  const SignPublic signer(from_hex(c.public_key));
  const Bytes message = from_hex(c.message);
  const Signature signature(from_hex(c.signature));
  for (std::size_t bit = 0; bit < Signature::kSize * 8; ++bit)
    EXPECT_FALSE(verify(signer, message, Signature(flipped(signature.view(), bit)))) << bit;
  for (std::size_t bit = 0; bit < SignPublic::kSize * 8; ++bit)
    EXPECT_FALSE(verify(SignPublic(flipped(signer.view(), bit)), message, signature)) << bit;
  for (std::size_t bit = 0; bit < message.size() * 8; ++bit)
    EXPECT_FALSE(verify(signer, flipped(message, bit), signature)) << bit;
  EXPECT_FALSE(verify(signer, {}, signature));
}

// The same point equation holds with S + L, but RFC 8032 §5.1.7 wants S < L: one message has one signature.
TEST(Verify, RefusesASecondFormOfASignature) {
  const Bytes order = from_hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");  // L, little-endian
  const SignCase& c = kSignCases[1];
  Signature signature(from_hex(c.signature));
  unsigned carry = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    std::byte& digit = signature.value[32 + i];
    carry += std::to_integer<unsigned>(digit) + std::to_integer<unsigned>(order[i]);
    digit = static_cast<std::byte>(carry);
    carry >>= 8;
  }
  ASSERT_EQ(carry, 0U);
  EXPECT_FALSE(verify(SignPublic(from_hex(c.public_key)), from_hex(c.message), signature));
}

// With the neutral point as key and as R, and S = 0, the bare equation holds for every message.
TEST(Verify, RefusesAKeyOfSmallOrder) {
  SignPublic neutral;
  neutral.value[0] = std::byte{1};
  Signature signature;
  signature.value[0] = std::byte{1};
  EXPECT_FALSE(verify(neutral, as_bytes("anything"), signature));
}

}  // namespace
}  // namespace qcbak::crypto
