#include "crypto/keystream.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace qcbak::crypto {
namespace {

template <class Id>
Id id_of(const char* hex) {
  return Id(from_hex(hex));
}

Bytes exclusive_or(Bytes a, ByteView b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] ^= b[i];
  return a;
}

Bytes stream_at(Aes256CtrStream& stream, std::uint64_t position, std::size_t size) {
  Bytes bytes(size);
  stream.fill(position, bytes);
  return bytes;
}

// NIST SP 800-38A, F.5.5 CTR-AES256.Encrypt.
struct NistExample {
  StreamKey key = StreamKey(from_hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"));
  CounterBlock first = id_of<CounterBlock>("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
  Bytes plaintext = from_hex(
      "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
      "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
  Bytes ciphertext = from_hex(
      "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
      "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6");
};

TEST(Aes256CtrStream, NistExampleWithItsCounterAcrossBlocks) {
  const NistExample nist;
  Aes256CtrStream stream(nist.key, nist.first);
  EXPECT_EQ(to_hex(exclusive_or(nist.plaintext, stream_at(stream, 0, 64))), to_hex(nist.ciphertext));
}

TEST(Aes256CtrStream, GivesTheSameBytesFromEveryPlaceOn) {
  const NistExample nist;
  Aes256CtrStream stream(nist.key, nist.first);
  const Bytes whole = stream_at(stream, 0, 64);
  for (std::size_t from = 64; from-- > 0;)
    for (std::size_t size = 0; size <= 64 - from; ++size)
      ASSERT_TRUE(equal(stream_at(stream, from, size), ByteView(whole).subspan(from, size))) << from << " " << size;
}

// The counter of byte p of one stream is that of byte 0 of a stream that begins p/16 later, whatever carries.
TEST(Aes256CtrStream, CarriesThroughEveryByteOfTheCounter) {
  const NistExample nist;
  struct {
    const char* first;
    std::uint64_t position;
    const char* counter;
  } const cases[] = {
      {"00000000000000000000000000000000", 16ULL * 0xff, "000000000000000000000000000000ff"},
      {"00000000000000000000000000000000", 16ULL * 0x100, "00000000000000000000000000000100"},
      {"00000000000000000000000000000000", 16ULL * 0xffffffff, "000000000000000000000000ffffffff"},
      {"00000000000000000000000000000000", 16ULL * 0x100000000, "00000000000000000000000100000000"},
      {"00000000000000000000000000000000", 0xfffffffffffffff0, "00000000000000000fffffffffffffff"},
      {"0000000000000000ffffffffffffffff", 16, "00000000000000010000000000000000"},
      {"ffffffffffffffffffffffffffffffff", 16, "00000000000000000000000000000000"},
      {"f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", 16ULL * 0x00123456789abcde, "f0f1f2f3f4f5f6f7f90c2f527598bbdd"},
  };
  for (const auto& one : cases) {
    Aes256CtrStream at(nist.key, id_of<CounterBlock>(one.first));
    Aes256CtrStream from(nist.key, id_of<CounterBlock>(one.counter));
    EXPECT_EQ(to_hex(stream_at(at, one.position, 16)), to_hex(stream_at(from, 0, 16)))
        << one.first << " " << one.position;
  }
}

TEST(Aes256CtrStream, IsTheSameInLongPiecesAndInACopy) {
  const NistExample nist;
  Aes256CtrStream stream(nist.key, nist.first);
  const Bytes whole = stream_at(stream, 0, 100'003);
  Bytes pieces;
  Aes256CtrStream copy = stream.copy_for_thread();
  for (std::size_t at = 0; at < whole.size(); at += 997)
    append(pieces, stream_at(copy, at, std::min<std::size_t>(997, whole.size() - at)));
  EXPECT_EQ(pieces, whole);
}

}  // namespace
}  // namespace qcbak::crypto
