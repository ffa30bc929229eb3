#include "crypto/hash.h"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>

namespace qcbak::crypto {
namespace {

Bytes repeated(unsigned value, std::size_t count) { return Bytes(count, static_cast<std::byte>(value)); }

// `count` bytes, each one more than that before.
Bytes counting(unsigned first, std::size_t count) {
  Bytes bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(first + i);
  return bytes;
}

// FIPS 180-4 examples (NIST CSRC "Example Algorithms", SHA256.pdf and SHA2_Additional.pdf).
TEST(Sha256, NistExamples) {
  EXPECT_EQ(sha256({}).hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256(as_bytes("abc")).hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).hex(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(as_bytes("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
                            "lmnopqrsmnopqrstnopqrstu"))
                .hex(),
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  EXPECT_EQ(sha256(repeated('a', 1000000)).hex(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256Stream, GivesTheSameHoweverTheInputIsCut) {
  const Bytes input = counting(3, 300);
  const Sha256 whole = sha256(input);
  Sha256Stream stream;
  for (std::size_t first = 0; first <= input.size(); ++first) {
    stream.update(ByteView(input).first(first)).update({}).update(ByteView(input).subspan(first));
    EXPECT_EQ(stream.finish(), whole) << first;
  }
}

TEST(Sha256Stream, BeginsAnewAfterFinish) {
  Sha256Stream stream;
  stream.update(as_bytes("something")).finish();
  EXPECT_EQ(stream.finish(), sha256({}));
  stream.update(as_bytes("ab"));
  Sha256Stream moved = std::move(stream);
  EXPECT_EQ(moved.update(as_bytes("c")).finish(), sha256(as_bytes("abc")));
}

struct HmacCase {
  Bytes key;
  Bytes message;
  const char* mac;
};

// RFC 4231 §4.2-4.5, 4.7, 4.8 (§4.6 is a truncated MAC).
const std::vector<HmacCase>& hmac_cases() {
  static const std::vector<HmacCase> cases = {
      {repeated(0x0b, 20), to_bytes(as_bytes("Hi There")),
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {to_bytes(as_bytes("Jefe")), to_bytes(as_bytes("what do ya want for nothing?")),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {repeated(0xaa, 20), repeated(0xdd, 50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {counting(1, 25), repeated(0xcd, 50), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {repeated(0xaa, 131), to_bytes(as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")),
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {repeated(0xaa, 131),
       to_bytes(as_bytes("This is a test using a larger than block-size key and a larger than block-size data. The "
                         "key needs to be hashed before being used by the HMAC algorithm.")),
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  };
  return cases;
}

TEST(HmacSha256, Rfc4231) {
  for (const HmacCase& c : hmac_cases()) EXPECT_EQ(HmacSha256(c.key).mac(c.message).hex(), c.mac);
}

TEST(HmacSha256, TwoPartsAreTheirJoin) {
  for (const HmacCase& c : hmac_cases()) {
    const HmacSha256 hmac(c.key);
    for (std::size_t first = 0; first <= c.message.size(); ++first)
      EXPECT_EQ(hmac.mac(ByteView(c.message).first(first), ByteView(c.message).subspan(first)).hex(), c.mac) << first;
  }
}

// RFC 2104 §2: a key of exactly a block is used as it is, a shorter one as if padded with zeros.
TEST(HmacSha256, KeysAtTheBlockSize) {
  const Bytes message = counting(0, 33);
  const Bytes key = repeated(0x0b, 63);
  Bytes padded = key;
  padded.push_back(std::byte{0});
  EXPECT_EQ(HmacSha256(key).mac(message), HmacSha256(padded).mac(message));
  padded.push_back(std::byte{0});
  EXPECT_EQ(HmacSha256(padded).mac(message), HmacSha256(sha256(padded).view()).mac(message));
  EXPECT_EQ(HmacSha256({}).mac(message), HmacSha256(repeated(0, 64)).mac(message));
}

TEST(HmacSha256, OneKeyServesManyThreads) {
  const HmacSha256 hmac(counting(0, 32));
  const Sha256 expected = hmac.mac(counting(0, 33));
  std::vector<unsigned> faults(4);
  {
    std::vector<std::jthread> threads;
    for (unsigned& own : faults)
      threads.emplace_back([&] {
        const Bytes message = counting(0, 33);
        for (int i = 0; i < 10000; ++i) own += hmac.mac(message) != expected;
      });
  }
  EXPECT_EQ(std::accumulate(faults.begin(), faults.end(), 0U), 0U);
}

TEST(HmacSha256, Moves) {
  HmacSha256 first(as_bytes("Jefe"));
  HmacSha256 second(std::move(first));
  first = std::move(second);
  EXPECT_EQ(first.mac(as_bytes("what do ya want for nothing?")).hex(), hmac_cases()[1].mac);
}

// RFC 5869 §A.1-A.3.
TEST(HkdfSha256, Rfc5869) {
  EXPECT_EQ(to_hex(hkdf_sha256(repeated(0x0b, 22), counting(0, 13), counting(0xf0, 10), 42).view()),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  EXPECT_EQ(
      to_hex(hkdf_sha256(counting(0, 80), counting(0x60, 80), counting(0xb0, 80), 82).view()),
      "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f"
      "09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
  EXPECT_EQ(to_hex(hkdf_sha256(repeated(0x0b, 22), {}, {}, 42).view()),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST(HkdfSha256, GivesUpTo255Blocks) {
  const SecretBytes longest = hkdf_sha256(as_bytes("key"), {}, as_bytes("info"), 255 * 32);
  EXPECT_TRUE(equal(longest.view().first(50), hkdf_sha256(as_bytes("key"), {}, as_bytes("info"), 50).view()));
  EXPECT_TRUE(hkdf_sha256(as_bytes("key"), {}, {}, 0).empty());
}

TEST(HkdfSha256DeathTest, RefusesMore) {
  EXPECT_DEATH(hkdf_sha256(as_bytes("key"), {}, {}, 255 * 32 + 1), "255 blocks");
}

}  // namespace
}  // namespace qcbak::crypto
