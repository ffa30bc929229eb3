// Deterministic CBOR (RFC 8949 §4.2.1), the part of it that docs/format.md uses: integers, byte and text strings,
// arrays, maps, booleans and null, all of definite length. The reader refuses any other encoding, so that one value
// has one encoding.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace qcbak::cbor {

class Writer {
 public:
  explicit Writer(Bytes& out) : out_(out) {}
  Writer& uint(std::uint64_t value) { return head(0, value); }
  Writer& integer(std::int64_t value);
  Writer& bytes(ByteView value);
  Writer& text(std::string_view value);  // must be UTF-8; the caller's duty
  Writer& array(std::uint64_t count) { return head(4, count); }
  Writer& map(std::uint64_t count) { return head(5, count); }  // keys must then come in ascending order
  Writer& boolean(bool value);
  Writer& null();
  Writer& raw(ByteView encoded);  // an encoded item, verbatim

 private:
  Writer& head(unsigned major, std::uint64_t value);
  Bytes& out_;
};

enum class Kind { integer, bytes, text, array, map, boolean, null, end };

// Pull parser over untrusted bytes. Every function throws Error(damaged) when the next item is not what was asked for,
// is not in its shortest form, or runs over the end. Views point into the input.
class Reader {
 public:
  explicit Reader(ByteView input) : input_(input) {}

  Kind next() const;  // end when nothing is left
  std::uint64_t uint();
  std::uint64_t uint_at_most(std::uint64_t limit);
  std::int64_t integer();
  ByteView bytes();
  ByteView bytes_of(std::size_t size);
  std::string_view text();
  bool boolean();
  void null();
  std::uint64_t array();  // count of items, at most what the rest of the input can hold
  void array_of(std::uint64_t count);
  std::uint64_t map();
  ByteView skip();  // the next item, whole, still encoded; nesting at most kDepthLimit
  void finish() const;  // throws unless everything was read
  ByteView rest() const { return input_; }

  static constexpr int kDepthLimit = 16;

 private:
  struct Head {
    unsigned major;
    std::uint64_t value;
    std::size_t size;
  };
  Head peek() const;
  std::uint64_t take(unsigned major, const char* wanted);
  void skip_item(int depth);
  ByteView input_;
};

// Walks a map with unsigned integer keys in ascending order:
//   for (MapReader map(reader); map.next();) switch (map.key()) { case 1: x = reader.uint(); break; default: map.unknown(); }
class MapReader {
 public:
  explicit MapReader(Reader& reader) : reader_(reader), left_(reader.map()) {}
  bool next();
  std::uint64_t key() const { return key_; }
  [[noreturn]] void unknown() const;  // Error(damaged) naming the key

 private:
  Reader& reader_;
  std::uint64_t left_;
  std::uint64_t key_ = 0;
  bool first_ = true;
};

}  // namespace qcbak::cbor
