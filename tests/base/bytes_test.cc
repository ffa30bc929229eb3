#include "base/bytes.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace qcbak {
namespace {

TEST(Hex, RoundTrip) {
  const Bytes bytes = from_hex("00ff10ab");
  EXPECT_EQ(bytes.size(), 4U);
  EXPECT_EQ(to_hex(bytes), "00ff10ab");
}

TEST(Hex, RefusesWhatIsNotHexadecimal) {
  for (const char* bad : {"0", "0g", "AB", " 0"}) EXPECT_THROW(from_hex(bad), Error) << bad;
}

// RFC 4648 §10.
TEST(Base64, PublishedVectors) {
  const std::pair<const char*, const char*> vectors[] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(to_base64(as_bytes(plain)), encoded);
    EXPECT_EQ(to_string(from_base64(encoded)), plain);
  }
  Bytes all(256);
  for (unsigned i = 0; i < all.size(); ++i) all[i] = static_cast<std::byte>(i);
  EXPECT_EQ(from_base64(to_base64(all)), all);
}

TEST(Base64, RefusesEveryOtherEncoding) {
  for (const char* bad : {"Zg", "Zg=", "Zg===", "=", "====", "Zh==", "Zm9=", "Zm8=Zm8=", "Zm 8", "Zm8\n", "Zm8-", "Zm8_", "Z==="})
    EXPECT_THROW(from_base64(bad), Error) << bad;
}

TEST(Printable, KeepsVietnameseAndEscapesTheRest) {
  EXPECT_EQ(printable(std::string_view("báo cáo/đề án.txt")), "báo cáo/đề án.txt");
  EXPECT_EQ(printable(std::string_view("a\nb")), "a\\x0ab");
  EXPECT_EQ(printable(std::string_view("\x1b[31m")), "\\x1b[31m");
  EXPECT_EQ(printable(std::string_view("\xff\xfe")), "\\xff\\xfe");
  EXPECT_EQ(printable(std::string_view("a\\b")), "a\\x5cb");
  EXPECT_EQ(printable(std::string_view("\xe2\x80\xae" "txt")), "\\xe2\\x80\\xaetxt");  // right-to-left override
}

TEST(LittleEndian, RoundTrip) {
  Bytes bytes;
  append_le<std::uint32_t>(bytes, 0x01020304);
  EXPECT_EQ(to_hex(bytes), "04030201");
  EXPECT_EQ(load_le<std::uint32_t>(bytes.data()), 0x01020304U);
}

}  // namespace
}  // namespace qcbak
