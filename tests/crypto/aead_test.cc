#include "crypto/aead.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <sodium.h>

#include <algorithm>
#include <climits>
#include <thread>
#include <vector>

namespace qcbak::crypto {
namespace {

const unsigned char* raw(ByteView bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

Bytes counting(unsigned first, std::size_t count) {
  Bytes bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(first + i);
  return bytes;
}

Bytes seal(Aead& aead, std::uint64_t number, ByteView associated, ByteView plaintext) {
  Bytes out(plaintext.size() + kTagSize);
  aead.seal(number, associated, plaintext, out);
  return out;
}

std::optional<Bytes> open(Aead& aead, std::uint64_t number, ByteView associated, ByteView ciphertext) {
  Bytes out(ciphertext.size() < kTagSize ? 0 : ciphertext.size() - kTagSize, std::byte{0xff});
  if (aead.open(number, associated, ciphertext, out)) return out;
  EXPECT_TRUE(std::ranges::all_of(out, [](std::byte b) { return b == std::byte{0}; })) << "a refused text is zeroed";
  return std::nullopt;
}

// AES-256-GCM straight from OpenSSL, with any nonce of 12 bytes.
Bytes openssl_gcm(ByteView key, ByteView nonce, ByteView associated, ByteView plaintext) {
  Bytes out(plaintext.size() + kTagSize);
  auto* const text = reinterpret_cast<unsigned char*>(out.data());
  EVP_CIPHER_CTX* const context = EVP_CIPHER_CTX_new();
  int size = 0;
  EXPECT_EQ(EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), nullptr, raw(key), raw(nonce)), 1);
  EXPECT_EQ(EVP_EncryptUpdate(context, nullptr, &size, raw(associated), static_cast<int>(associated.size())), 1);
  EXPECT_EQ(EVP_EncryptUpdate(context, text, &size, raw(plaintext), static_cast<int>(plaintext.size())), 1);
  EXPECT_EQ(EVP_EncryptFinal_ex(context, text + size, &size), 1);
  EXPECT_EQ(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagSize, text + plaintext.size()), 1);
  EVP_CIPHER_CTX_free(context);
  return out;
}

// XChaCha20-Poly1305 straight from libsodium, with any nonce of 24 bytes.
Bytes sodium_xchacha(ByteView key, ByteView nonce, ByteView associated, ByteView plaintext) {
  Bytes out(plaintext.size() + kTagSize);
  unsigned long long size = 0;
  EXPECT_EQ(crypto_aead_xchacha20poly1305_ietf_encrypt(reinterpret_cast<unsigned char*>(out.data()), &size,
                                                       raw(plaintext), plaintext.size(), raw(associated),
                                                       associated.size(), nullptr, raw(nonce), raw(key)),
            0);
  EXPECT_EQ(size, out.size());
  return out;
}

// "The Galois/Counter Mode of Operation" (McGrew, Viega), test cases 13 and 14: their nonce is zero.
TEST(Aes256Gcm, PublishedCases13And14) {
  Aead aead(Suite::aes_256_gcm, AeadKey());
  EXPECT_EQ(to_hex(seal(aead, 0, {}, {})), "530f8afbc74536b9a963b4f1c4cb738b");
  EXPECT_EQ(to_hex(seal(aead, 0, {}, Bytes(16))), "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
}

// Cases 15 and 16 have a nonce that is no message number; they vouch for the reference of the next test.
TEST(Aes256Gcm, PublishedCases15And16VouchForTheReference) {
  const Bytes key = from_hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
  const Bytes nonce = from_hex("cafebabefacedbaddecaf888");
  const Bytes plaintext = from_hex(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
      "ba637b391aafd255");
  const std::string ciphertext =
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a"
      "bcc9f662898015ad";
  EXPECT_EQ(to_hex(openssl_gcm(key, nonce, {}, plaintext)), ciphertext + "b094dac5d93471bdec1a502270e3cc6c");
  EXPECT_EQ(to_hex(openssl_gcm(key, nonce, from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
                               ByteView(plaintext).first(60))),
            ciphertext.substr(0, 120) + "76fc6ece0f4e1768cddf8853bb2d551b");
}

// draft-irtf-cfrg-xchacha-03 §A.3.1, likewise.
TEST(XChaCha20Poly1305, PublishedVectorVouchesForTheReference) {
  const std::string_view plaintext =
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be "
      "it.";
  EXPECT_EQ(
      to_hex(sodium_xchacha(counting(0x80, 32), counting(0x40, 24), from_hex("50515253c0c1c2c3c4c5c6c7"),
                            as_bytes(plaintext))),
      "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54"
      "c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f6"
      "15c68b13b52ec0875924c1c7987947deafd8780acf49");
}

struct NumberCase {
  std::uint64_t number;
  const char* last_8_bytes_of_nonce;
};
constexpr NumberCase kNumbers[] = {
    {0, "0000000000000000"},          {1, "0000000000000001"},
    {256, "0000000000000100"},        {0x0102030405060708, "0102030405060708"},
    {UINT32_MAX, "00000000ffffffff"}, {UINT64_MAX, "ffffffffffffffff"},
};

TEST(Aead, TheNonceIsTheNumberInBigEndian) {
  const Bytes key = counting(0x80, 32);
  Aead gcm(Suite::aes_256_gcm, AeadKey(key));
  Aead xchacha(Suite::xchacha20_poly1305, AeadKey(key));
  for (const auto& [number, tail] : kNumbers)
    for (std::size_t size : {0U, 1U, 15U, 16U, 17U, 64U, 1000U, 70000U})
      for (std::size_t associated_size : {0U, 1U, 16U, 33U}) {
        const Bytes plaintext = counting(5, size), associated = counting(9, associated_size);
        EXPECT_EQ(seal(gcm, number, associated, plaintext),
                  openssl_gcm(key, from_hex(std::string(8, '0') + tail), associated, plaintext));
        EXPECT_EQ(seal(xchacha, number, associated, plaintext),
                  sodium_xchacha(key, from_hex(std::string(32, '0') + tail), associated, plaintext));
      }
}

class BothSuites : public testing::TestWithParam<Suite> {
 protected:
  AeadKey key_{counting(0x80, 32)};
  Aead aead_{GetParam(), key_};
};
INSTANTIATE_TEST_SUITE_P(Aead, BothSuites, testing::Values(Suite::aes_256_gcm, Suite::xchacha20_poly1305),
                         [](const auto& suite) { return suite.param == Suite::aes_256_gcm ? "Gcm" : "XChaCha"; });

TEST_P(BothSuites, OpensWhatItSealedInAnyOrder) {
  std::vector<Bytes> sealed;
  for (unsigned i = 0; i < 20; ++i) {
    sealed.push_back(seal(aead_, i, counting(i, i), counting(i, 100 * i)));
    EXPECT_EQ(open(aead_, i / 2, counting(i / 2, i / 2), sealed[i / 2]), counting(i / 2, 100 * (i / 2)));
  }
  Aead another(GetParam(), key_);
  for (unsigned i = 20; i-- > 0;) EXPECT_EQ(open(another, i, counting(i, i), sealed[i]), counting(i, 100 * i));
}

TEST_P(BothSuites, RefusesEveryFlippedBit) {
  const Bytes associated = counting(1, 20), plaintext = counting(7, 50);
  const Bytes sealed = seal(aead_, 42, associated, plaintext);
  const auto flipped = [](ByteView bytes, std::size_t bit) {
    Bytes altered = to_bytes(bytes);
    altered[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    return altered;
  };
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit)
    EXPECT_FALSE(open(aead_, 42, associated, flipped(sealed, bit))) << bit;
  for (std::size_t bit = 0; bit < associated.size() * 8; ++bit)
    EXPECT_FALSE(open(aead_, 42, flipped(associated, bit), sealed)) << bit;
  for (unsigned bit = 0; bit < 64; ++bit)
    EXPECT_FALSE(open(aead_, 42 ^ std::uint64_t{1} << bit, associated, sealed)) << bit;
  for (std::size_t bit = 0; bit < 256; ++bit) {
    Aead other(GetParam(), AeadKey(flipped(key_.view(), bit)));
    EXPECT_FALSE(open(other, 42, associated, sealed)) << bit;
  }
  EXPECT_EQ(open(aead_, 42, associated, sealed), plaintext) << "a refusal does not spoil the key";
}

TEST_P(BothSuites, RefusesWhatIsCutOrLengthened) {
  const Bytes sealed = seal(aead_, 1, {}, counting(7, 50));
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(open(aead_, 1, {}, ByteView(sealed).first(size))) << size;
    EXPECT_FALSE(open(aead_, 1, {}, ByteView(sealed).last(size))) << size;
  }
  Bytes longer = sealed;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(open(aead_, 1, {}, longer));
  EXPECT_FALSE(open(aead_, 1, ByteView(sealed).first(1), ByteView(sealed).subspan(1))) << "a byte moved across";
}

TEST_P(BothSuites, WorksInPlace) {
  for (std::size_t size : {0U, 1U, 16U, 1000U, 70000U}) {
    const Bytes plaintext = counting(3, size);
    Bytes buffer = plaintext;
    buffer.resize(size + kTagSize);
    aead_.seal(size, {}, ByteView(buffer).first(size), buffer);
    EXPECT_EQ(buffer, seal(aead_, size, {}, plaintext));
    ASSERT_TRUE(aead_.open(size, {}, buffer, MutableByteView(buffer).first(size)));
    EXPECT_TRUE(equal(ByteView(buffer).first(size), plaintext));
  }
}

TEST_P(BothSuites, ZeroesInPlaceWhatItRefuses) {
  Bytes buffer = seal(aead_, 1, {}, counting(3, 100));
  EXPECT_FALSE(aead_.open(2, {}, buffer, MutableByteView(buffer).first(100)));
  EXPECT_TRUE(equal(ByteView(buffer).first(100), Bytes(100)));
}

TEST_P(BothSuites, CopiesServeThreads) {
  const Bytes plaintext = counting(3, 1000);
  std::vector<unsigned> faults(4);
  {
    std::vector<std::jthread> threads;
    for (unsigned& own : faults)
      threads.emplace_back([&own, &plaintext, aead = aead_.copy_for_thread()]() mutable {
        for (std::uint64_t number = 0; number < 2000; ++number)
          own += open(aead, number, {}, seal(aead, number, {}, plaintext)) != plaintext;
      });
  }
  EXPECT_EQ(faults, std::vector<unsigned>(4));
}

TEST_P(BothSuites, Moves) {
  const Bytes sealed = seal(aead_, 1, {}, counting(3, 10));
  Aead moved(std::move(aead_));
  EXPECT_EQ(open(moved, 1, {}, sealed), counting(3, 10));
  moved = Aead(GetParam(), AeadKey());
  EXPECT_FALSE(open(moved, 1, {}, sealed));
}

using AeadDeathTest = BothSuites;
INSTANTIATE_TEST_SUITE_P(Aead, AeadDeathTest, testing::Values(Suite::aes_256_gcm, Suite::xchacha20_poly1305),
                         [](const auto& suite) { return suite.param == Suite::aes_256_gcm ? "Gcm" : "XChaCha"; });

TEST_P(AeadDeathTest, HoldsTheCallerToTheContract) {
  Bytes buffer(200);
  const MutableByteView all(buffer);
  EXPECT_DEATH(aead_.seal(1, {}, all.first(50), all.subspan(100, 65)), "room for text and tag");
  EXPECT_DEATH(aead_.seal(1, {}, all.first(50), all.subspan(1, 66)), "does not overlap");
  EXPECT_DEATH(aead_.seal(1, {}, all.subspan(1, 50), all.first(66)), "does not overlap");
  EXPECT_DEATH((void)aead_.open(1, {}, all.first(50), all.subspan(100, 50)), "room for the text");
  EXPECT_DEATH((void)aead_.open(1, {}, all.first(50), all.subspan(1, 34)), "does not overlap");
  // Never read: the size is looked at first.
  const ByteView too_large(buffer.data(), std::size_t{INT_MAX} + 1);
  EXPECT_DEATH(aead_.seal(1, {}, too_large, all), "fits one call");
  EXPECT_DEATH(aead_.seal(1, too_large, {}, all.first(16)), "fits one call");
  EXPECT_DEATH((void)aead_.open(1, {}, ByteView(buffer.data(), std::size_t{INT_MAX} + 1 + kTagSize), all), "fits one");
}

TEST(Suite, NamesAndNumbersGoBothWays) {
  for (Suite suite : {Suite::aes_256_gcm, Suite::xchacha20_poly1305}) {
    EXPECT_EQ(suite_from_name(suite_name(suite)), suite);
    EXPECT_EQ(suite_from_number(static_cast<std::uint64_t>(suite)), suite);
  }
  EXPECT_EQ(suite_name(Suite::aes_256_gcm), "aes-256-gcm");
  EXPECT_EQ(suite_name(Suite::xchacha20_poly1305), "xchacha20-poly1305");
  for (const char* bad : {"", "AES-256-GCM", "aes-256-gcm ", "none"}) EXPECT_FALSE(suite_from_name(bad)) << bad;
  for (std::uint64_t bad : {std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{257}, UINT64_MAX})
    EXPECT_FALSE(suite_from_number(bad)) << bad;
}

TEST(Suite, ThePreferredOneIsFastHere) {
  initialize();  // libsodium knows the processor only after it
  EXPECT_EQ(preferred_suite() == Suite::aes_256_gcm, sodium_runtime_has_aesni() && sodium_runtime_has_pclmul());
}

}  // namespace
}  // namespace qcbak::crypto
