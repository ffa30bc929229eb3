// Secrets: bytes in locked memory, left out of core dumps, wiped when they go, move-only, with no formatter.
#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "base/bytes.h"
#include "base/random.h"

namespace qcbak::crypto {

// A program calls it first, so that a libsodium that cannot run is found at the start. Idempotent, thread-safe; whatever
// here needs it also calls it.
void initialize();

// A buffer of secret bytes whose size is known at run time (passwords, credentials).
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(std::size_t size);      // zeros
  explicit SecretBytes(ByteView copy_of);      // the source stays the caller's to wipe
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  ~SecretBytes();

  ByteView view() const { return {data_, size_}; }
  MutableByteView mutable_view() { return {data_, size_}; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  SecretBytes copy() const { return SecretBytes(view()); }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// 32 secret bytes that cannot be mistaken for another kind of key. Compared in constant time.
template <class Tag>
class SecretKey {
 public:
  static constexpr std::size_t kSize = 32;
  SecretKey() : bytes_(kSize) {}
  explicit SecretKey(ByteView from);  // throws Error(damaged) unless 32 bytes
  static SecretKey random(Random& random) {
    SecretKey key;
    random.fill(key.bytes_.mutable_view());
    return key;
  }
  SecretKey copy() const { return SecretKey(view()); }
  ByteView view() const { return bytes_.view(); }
  MutableByteView mutable_view() { return bytes_.mutable_view(); }

 private:
  SecretBytes bytes_;
};

void require_key_size(std::size_t size);  // throws Error(damaged) unless 32
template <class Tag>
SecretKey<Tag>::SecretKey(ByteView from) : bytes_((require_key_size(from.size()), from)) {}

// The whole of a file, at most `limit_bytes`; no other copy of it stays in memory. Error(io), Error(damaged).
SecretBytes read_secret_file(const std::string& path, std::size_t limit_bytes);

bool equal_in_constant_time(ByteView a, ByteView b);
void wipe(MutableByteView bytes);

}  // namespace qcbak::crypto
