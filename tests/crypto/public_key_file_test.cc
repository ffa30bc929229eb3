#include "crypto/public_key_file.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>

#include "base/error.h"

namespace qcbak::crypto {
namespace {

// RFC 8410 §10.1.
constexpr std::string_view kPublished =
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
constexpr const char* kPublishedKey = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";

TEST(PublicKeyFile, ReadsAndWritesThePublishedExample) {
  const std::vector<SignPublic> keys = parse_public_keys(kPublished);
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_EQ(keys[0].hex(), kPublishedKey);
  EXPECT_EQ(encode_public_key(keys[0]), kPublished);
}

TEST(PublicKeyFile, OpensslReadsIt) {
  const std::string pem = encode_public_key(SignPublic(from_hex(kPublishedKey)));
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr),
                                                               &EVP_PKEY_free);
  ASSERT_TRUE(key);
  ASSERT_EQ(EVP_PKEY_id(key.get()), EVP_PKEY_ED25519);
  unsigned char raw[32];
  std::size_t size = sizeof raw;
  ASSERT_EQ(EVP_PKEY_get_raw_public_key(key.get(), raw, &size), 1);
  EXPECT_EQ(to_hex(std::as_bytes(std::span(raw))), kPublishedKey);
}

TEST(PublicKeyFile, ReadsSeveralKeysAndWhatStandsBetweenThem) {
  const SignPublic one(from_hex(kPublishedKey)), other(Bytes(32, std::byte{7}));
  const std::string text = "# domain default\r\n" + encode_public_key(one) + "\n# another\n" + encode_public_key(other);
  EXPECT_EQ(parse_public_keys(text), (std::vector<SignPublic>{one, other}));
}

TEST(PublicKeyFile, RefusesEverythingElse) {
  const std::string good(kPublished);
  std::string private_key = good;
  for (std::size_t at = 0; (at = private_key.find("PUBLIC", at)) != std::string::npos;) private_key.replace(at, 6, "PRIVATE");
  std::string other_kind = good;  // X25519: 1.3.101.110
  other_kind.replace(other_kind.find("K2Vw"), 4, "K2Vu");
  std::string longer = good;
  longer.replace(longer.find("ZuE="), 4, "ZuEA");
  for (const std::string& bad :
       {std::string(), std::string("# nothing\n"), "key\n" + good, good + "more", good.substr(0, good.size() - 6),
        good.substr(0, 40), std::string(kPublishedKey), private_key, other_kind, longer, good + good.substr(0, 27),
        std::string("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n")})
    EXPECT_THROW(parse_public_keys(bad), Error) << bad;
}

TEST(PublicKeyFile, HasLimits) {
  std::string most;
  for (std::size_t i = 0; i < kPublicKeysInFile; ++i) most += kPublished;
  EXPECT_EQ(parse_public_keys(most).size(), kPublicKeysInFile);
  EXPECT_THROW(parse_public_keys(most + std::string(kPublished)), Error);
  const std::string full = std::string(kPublished) + "#" + std::string(kPublicKeyFileLimit - kPublished.size() - 1, 'x');
  EXPECT_EQ(parse_public_keys(full).size(), 1U);
  EXPECT_THROW(parse_public_keys(full + "x"), Error);
}

// printf of the 32 bytes, through sha256sum.
TEST(PublicKeyFile, FingerprintIsInGroups) {
  EXPECT_EQ(fingerprint(SignPublic(Bytes(32))),
            "6668 7aad f862 bd77 6c8f c18b 8e9f 8e20 0897 1485 6ee2 33b3 902a 591d 0d5f 2925");
}

}  // namespace
}  // namespace qcbak::crypto
