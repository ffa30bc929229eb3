#include "base/cbor.h"

#include <limits>
#include <string>

#include "base/error.h"

namespace qcbak::cbor {
namespace {

[[noreturn]] void malformed(const std::string& why) { throw Error(ErrorCode::damaged, "malformed CBOR: " + why); }

}  // namespace

Writer& Writer::head(unsigned major, std::uint64_t value) {
  const auto first = [&](unsigned low) { out_.push_back(static_cast<std::byte>(major << 5 | low)); };
  int size = 0;
  if (value < 24) {
    first(static_cast<unsigned>(value));
  } else if (value <= 0xff) {
    first(24), size = 1;
  } else if (value <= 0xffff) {
    first(25), size = 2;
  } else if (value <= 0xffffffff) {
    first(26), size = 4;
  } else {
    first(27), size = 8;
  }
  while (size-- > 0) out_.push_back(static_cast<std::byte>(value >> (8 * size)));
  return *this;
}

Writer& Writer::integer(std::int64_t value) {
  return value >= 0 ? head(0, static_cast<std::uint64_t>(value)) : head(1, ~static_cast<std::uint64_t>(value));
}
Writer& Writer::bytes(ByteView value) {
  head(2, value.size());
  append(out_, value);
  return *this;
}
Writer& Writer::text(std::string_view value) {
  head(3, value.size());
  append(out_, as_bytes(value));
  return *this;
}
Writer& Writer::boolean(bool value) {
  out_.push_back(value ? std::byte{0xf5} : std::byte{0xf4});
  return *this;
}
Writer& Writer::null() {
  out_.push_back(std::byte{0xf6});
  return *this;
}
Writer& Writer::raw(ByteView encoded) {
  append(out_, encoded);
  return *this;
}

Reader::Head Reader::peek() const {
  if (input_.empty()) malformed("ends too early");
  const unsigned first = std::to_integer<unsigned>(input_[0]);
  const unsigned low = first & 31;
  Head head{first >> 5, low, 1};
  if (low < 24) return head;
  if (low > 27) malformed("indefinite length or reserved form");
  const std::size_t size = std::size_t(1) << (low - 24);
  if (input_.size() < 1 + size) malformed("ends too early");
  head.value = 0;
  for (std::size_t i = 0; i < size; ++i) head.value = head.value << 8 | std::to_integer<std::uint64_t>(input_[1 + i]);
  head.size = 1 + size;
  if (head.major == 7) malformed("floating point or extended simple value");
  constexpr std::uint64_t kSmallest[] = {24, 0x100, 0x10000, 0x100000000};
  if (head.value < kSmallest[low - 24]) malformed("integer not in its shortest form");
  return head;
}

Kind Reader::next() const {
  if (input_.empty()) return Kind::end;
  const Head head = peek();
  switch (head.major) {
    case 0:
    case 1: return Kind::integer;
    case 2: return Kind::bytes;
    case 3: return Kind::text;
    case 4: return Kind::array;
    case 5: return Kind::map;
    case 7:
      if (head.value == 20 || head.value == 21) return Kind::boolean;
      if (head.value == 22) return Kind::null;
      [[fallthrough]];
    default: malformed("a kind of item that the format does not use");
  }
}

std::uint64_t Reader::take(unsigned major, const char* wanted) {
  const Head head = peek();
  if (head.major != major) malformed(std::string("expected ") + wanted);
  input_ = input_.subspan(head.size);
  return head.value;
}

std::uint64_t Reader::uint() { return take(0, "an unsigned integer"); }

std::uint64_t Reader::uint_at_most(std::uint64_t limit) {
  const std::uint64_t value = uint();
  if (value > limit) malformed("an integer beyond its limit of " + std::to_string(limit));
  return value;
}

std::int64_t Reader::integer() {
  const Head head = peek();
  if (head.major > 1) malformed("expected an integer");
  if (head.value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    malformed("an integer beyond 64 bits");
  input_ = input_.subspan(head.size);
  return head.major == 0 ? static_cast<std::int64_t>(head.value) : -1 - static_cast<std::int64_t>(head.value);
}

ByteView Reader::bytes() {
  const std::uint64_t size = take(2, "a byte string");
  if (size > input_.size()) malformed("a string runs over the end");
  const ByteView value = input_.first(size);
  input_ = input_.subspan(size);
  return value;
}

ByteView Reader::bytes_of(std::size_t size) {
  const ByteView value = bytes();
  if (value.size() != size) malformed("a string is not of its fixed length");
  return value;
}

std::string_view Reader::text() {
  const std::uint64_t size = take(3, "a text string");
  if (size > input_.size()) malformed("a string runs over the end");
  const std::string_view value = as_text(input_.first(size));
  input_ = input_.subspan(size);
  return value;
}

bool Reader::boolean() {
  if (next() != Kind::boolean) malformed("expected a boolean");
  const bool value = input_[0] == std::byte{0xf5};
  input_ = input_.subspan(1);
  return value;
}

void Reader::null() {
  if (next() != Kind::null) malformed("expected null");
  input_ = input_.subspan(1);
}

std::uint64_t Reader::array() {
  const std::uint64_t count = take(4, "an array");
  if (count > input_.size()) malformed("an array runs over the end");
  return count;
}

void Reader::array_of(std::uint64_t count) {
  if (array() != count) malformed("an array is not of its fixed length");
}

std::uint64_t Reader::map() {
  const std::uint64_t count = take(5, "a map");
  if (count > input_.size() / 2) malformed("a map runs over the end");
  return count;
}

void Reader::skip_item(int depth) {
  if (depth > kDepthLimit) malformed("nested too deeply");
  switch (next()) {
    case Kind::integer: integer(); break;
    case Kind::bytes: bytes(); break;
    case Kind::text: text(); break;
    case Kind::boolean: boolean(); break;
    case Kind::null: null(); break;
    case Kind::array:
      for (std::uint64_t left = array(); left > 0; --left) skip_item(depth + 1);
      break;
    case Kind::map:
      for (std::uint64_t left = 2 * map(); left > 0; --left) skip_item(depth + 1);
      break;
    case Kind::end: malformed("ends too early");
  }
}

ByteView Reader::skip() {
  const ByteView before = input_;
  skip_item(0);
  return before.first(before.size() - input_.size());
}

void Reader::finish() const {
  if (!input_.empty()) malformed("bytes behind the end");
}

bool MapReader::next() {
  if (left_ == 0) return false;
  --left_;
  const std::uint64_t key = reader_.uint();
  if (!first_ && key <= key_) malformed("map keys out of order");
  first_ = false;
  key_ = key;
  return true;
}

void MapReader::unknown() const { malformed("unknown key " + std::to_string(key_)); }

}  // namespace qcbak::cbor
