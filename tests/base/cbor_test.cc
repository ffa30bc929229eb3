#include "base/cbor.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace qcbak::cbor {
namespace {

Bytes encode_integer(std::int64_t value) {
  Bytes out;
  Writer(out).integer(value);
  return out;
}

// RFC 8949, appendix A.
TEST(Cbor, EncodesTheStandardsExamples) {
  EXPECT_EQ(to_hex(encode_integer(0)), "00");
  EXPECT_EQ(to_hex(encode_integer(23)), "17");
  EXPECT_EQ(to_hex(encode_integer(24)), "1818");
  EXPECT_EQ(to_hex(encode_integer(1000)), "1903e8");
  EXPECT_EQ(to_hex(encode_integer(1000000)), "1a000f4240");
  EXPECT_EQ(to_hex(encode_integer(1000000000000)), "1b000000e8d4a51000");
  EXPECT_EQ(to_hex(encode_integer(-1)), "20");
  EXPECT_EQ(to_hex(encode_integer(-1000)), "3903e7");
}

TEST(Cbor, IntegersRoundTrip) {
  for (const std::int64_t value : {std::int64_t(0), std::int64_t(-1), INT64_MAX, INT64_MIN, std::int64_t(255), std::int64_t(65536)}) {
    const Bytes bytes = encode_integer(value);
    Reader reader(bytes);
    EXPECT_EQ(reader.integer(), value);
    reader.finish();
  }
}

TEST(Cbor, RefusesOtherEncodings) {
  for (const char* bad : {"1800", "190018", "5f", "ff", "fb3ff0000000000000", "f7", "82", "8201", "a1", "a10102ff00",
                          "1c", "4501", "9bffffffffffffffff", "bbffffffffffffffff"}) {
    const Bytes bytes = from_hex(bad);
    EXPECT_THROW(
        {
          Reader reader(bytes);
          reader.skip();
          reader.finish();
        },
        Error)
        << bad;
  }
}

TEST(Cbor, RefusesDeepNesting) {
  Bytes bytes(100, std::byte{0x81});
  bytes.push_back(std::byte{0});
  EXPECT_THROW(Reader(bytes).skip(), Error);
}

TEST(Cbor, MapKeysMustAscend) {
  const Bytes bytes = from_hex("a202000100");
  Reader reader(bytes);
  MapReader map(reader);
  ASSERT_TRUE(map.next());
  reader.skip();
  EXPECT_THROW(map.next(), Error);
}

TEST(Cbor, NestedValuesRoundTrip) {
  Bytes out;
  Writer(out).map(2).uint(1).text("tệp").uint(2).array(3).boolean(true).null().bytes(as_bytes("x"));
  Reader reader(out);
  MapReader map(reader);
  ASSERT_TRUE(map.next());
  EXPECT_EQ(reader.text(), "tệp");
  ASSERT_TRUE(map.next());
  EXPECT_EQ(map.key(), 2U);
  reader.array_of(3);
  EXPECT_TRUE(reader.boolean());
  reader.null();
  EXPECT_EQ(as_text(reader.bytes()), "x");
  EXPECT_FALSE(map.next());
  reader.finish();
}

}  // namespace
}  // namespace qcbak::cbor
