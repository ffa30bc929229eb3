// Bytes and views of bytes. Paths, names and stored objects are bytes, not text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace qcbak {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;
using MutableByteView = std::span<std::byte>;

inline ByteView as_bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes to_bytes(ByteView view) { return {view.begin(), view.end()}; }
inline std::string to_string(ByteView view) { return std::string(as_text(view)); }
inline void append(Bytes& to, ByteView more) { to.insert(to.end(), more.begin(), more.end()); }

inline bool equal(ByteView a, ByteView b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

// Little-endian integers, as every fixed field of docs/format.md is written.
template <class Integer>
void store_le(std::byte* to, Integer value) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i)
    to[i] = static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i));
}
template <class Integer>
Integer load_le(const std::byte* from) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) value |= std::uint64_t(from[i]) << (8 * i);
  return static_cast<Integer>(value);
}
template <class Integer>
void append_le(Bytes& to, Integer value) {
  const std::size_t at = to.size();
  to.resize(at + sizeof(Integer));
  store_le(to.data() + at, value);
}

// Lower-case hexadecimal.
std::string to_hex(ByteView bytes);
// Throws Error(damaged) unless `text` is an even number of lower-case hexadecimal digits.
Bytes from_hex(std::string_view text);
// RFC 4648 §4, with padding, in one line.
std::string to_base64(ByteView bytes);
// Throws Error(damaged) unless `text` is what to_base64() gives for some bytes: no spaces, no other bits in the last letter.
Bytes from_base64(std::string_view text);
// Text safe to show: control characters, invalid UTF-8 and the backslash are written as \xNN.
std::string printable(ByteView bytes);
inline std::string printable(std::string_view text) { return printable(as_bytes(text)); }

// A fixed-size identifier that cannot be mistaken for another kind of identifier.
template <class Tag, std::size_t Size>
struct FixedId {
  static constexpr std::size_t kSize = Size;
  std::array<std::byte, Size> value{};

  FixedId() = default;
  explicit FixedId(ByteView from) {
    if (from.size() == Size) std::memcpy(value.data(), from.data(), Size);
  }
  ByteView view() const { return value; }
  std::string hex() const { return to_hex(value); }
  bool is_zero() const {
    for (std::byte b : value)
      if (b != std::byte{0}) return false;
    return true;
  }
  friend auto operator<=>(const FixedId&, const FixedId&) = default;
  friend bool operator==(const FixedId&, const FixedId&) = default;
};

// For ids that are already uniformly distributed (hashes, random ids).
template <class Id>
struct IdHash {
  std::size_t operator()(const Id& id) const { return load_le<std::size_t>(id.value.data()); }
};

// Anonymous page-aligned memory: I/O and large copies run several times faster than in memory from malloc.
class PageBuffer {
 public:
  PageBuffer() = default;
  explicit PageBuffer(std::size_t capacity_bytes);
  PageBuffer(PageBuffer&& other) noexcept;
  PageBuffer& operator=(PageBuffer&& other) noexcept;
  ~PageBuffer();

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  std::size_t capacity() const { return capacity_; }
  MutableByteView span() { return {data_, capacity_}; }

 private:
  std::byte* data_ = nullptr;
  std::size_t capacity_ = 0;
};

}  // namespace qcbak
