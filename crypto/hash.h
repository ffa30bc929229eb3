// SHA-256 (FIPS 180-4), HMAC-SHA-256 (RFC 2104), HKDF-SHA-256 (RFC 5869).
#pragma once

#include <memory>

#include "base/bytes.h"
#include "crypto/secret.h"

namespace qcbak::crypto {

struct Sha256Tag;
using Sha256 = FixedId<Sha256Tag, 32>;

Sha256 sha256(ByteView bytes);

class Sha256Stream {
 public:
  Sha256Stream();
  Sha256Stream(Sha256Stream&&) noexcept;
  Sha256Stream& operator=(Sha256Stream&&) noexcept;
  ~Sha256Stream();
  Sha256Stream& update(ByteView bytes);
  Sha256 finish();  // and starts anew

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// HMAC with a key set once: the keyed state is computed in the constructor, each mac() costs two or more compressions.
// mac() is const and thread-safe.
class HmacSha256 {
 public:
  explicit HmacSha256(ByteView key);
  HmacSha256(HmacSha256&&) noexcept;
  HmacSha256& operator=(HmacSha256&&) noexcept;
  ~HmacSha256();
  Sha256 mac(ByteView message) const;
  Sha256 mac(ByteView first, ByteView second) const;  // of the two parts, one after the other

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// At most 255 * 32 bytes of output.
SecretBytes hkdf_sha256(ByteView input_key, ByteView salt, ByteView info, std::size_t size_bytes);

}  // namespace qcbak::crypto
