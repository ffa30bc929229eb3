// Authenticated encryption behind one interface: AES-256-GCM (NIST SP 800-38D) through OpenSSL, XChaCha20-Poly1305
// (draft-irtf-cfrg-xchacha-03) through libsodium. A key seals at most 2^32 messages, each under a number of its own;
// the number is the nonce, so a nonce cannot repeat unless a caller repeats the number.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "crypto/secret.h"

namespace qcbak::crypto {

enum class Suite : std::uint8_t { aes_256_gcm = 1, xchacha20_poly1305 = 2 };

std::string_view suite_name(Suite suite);                        // "aes-256-gcm", "xchacha20-poly1305"
std::optional<Suite> suite_from_name(std::string_view name);
std::optional<Suite> suite_from_number(std::uint64_t number);
Suite preferred_suite();  // AES-256-GCM where the processor has AES instructions

struct AeadKeyTag;
using AeadKey = SecretKey<AeadKeyTag>;
inline constexpr std::size_t kTagSize = 16;  // ciphertext = plaintext + tag, for both suites

// One key ready for use. seal() and open() are thread-safe only on different objects; copy_for_thread() gives another
// object on the same key. The nonce is `number` in big-endian, right-aligned in 12 (GCM) or 24 (XChaCha) zero bytes.
class Aead {
 public:
  Aead(Suite suite, const AeadKey& key);
  Aead(Aead&&) noexcept;
  Aead& operator=(Aead&&) noexcept;
  ~Aead();
  Aead copy_for_thread() const;

  // `out` has exactly plaintext.size() + kTagSize bytes and does not overlap the input, or starts where it starts.
  // A text or associated data above 2^31 - 1 bytes is a bug of the caller.
  void seal(std::uint64_t number, ByteView associated, ByteView plaintext, MutableByteView out);
  // `out` has exactly ciphertext.size() - kTagSize bytes and is placed as for seal(). False when anything was altered,
  // or is shorter than a tag; `out` is then zeroed.
  [[nodiscard]] bool open(std::uint64_t number, ByteView associated, ByteView ciphertext, MutableByteView out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace qcbak::crypto
