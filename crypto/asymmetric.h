// X25519 sealed boxes (libsodium crypto_box_seal: X25519, BLAKE2b nonce, XSalsa20-Poly1305) and Ed25519 (RFC 8032).
#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/random.h"
#include "crypto/secret.h"

namespace qcbak::crypto {

struct BoxPublicTag;
struct BoxSecretTag;
struct SignPublicTag;
struct SignSeedTag;
using BoxPublic = FixedId<BoxPublicTag, 32>;
using BoxSecret = SecretKey<BoxSecretTag>;
using SignPublic = FixedId<SignPublicTag, 32>;
using SignSeed = SecretKey<SignSeedTag>;  // the 32-byte seed of RFC 8032
struct SignatureTag;
using Signature = FixedId<SignatureTag, 64>;

inline constexpr std::size_t kBoxOverhead = 48;

BoxPublic box_public(const BoxSecret& secret);
// plaintext.size() + kBoxOverhead bytes. Throws Error(damaged) when `to` is no usable public key (of small order).
Bytes box_seal(const BoxPublic& to, ByteView plaintext);
// Nothing when it was not sealed to this pair, or was altered.
std::optional<SecretBytes> box_open(const BoxPublic& to, const BoxSecret& secret, ByteView sealed);

SignPublic sign_public(const SignSeed& seed);
Signature sign(const SignSeed& seed, ByteView message);
// Refuses non-canonical signatures and keys of small order too.
bool verify(const SignPublic& signer, ByteView message, const Signature& signature);

}  // namespace qcbak::crypto
