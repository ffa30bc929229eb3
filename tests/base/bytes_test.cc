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
