// Ed25519 public keys as files that other programs read: PEM (RFC 7468) of a SubjectPublicKeyInfo (RFC 8410 §4).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crypto/asymmetric.h"

namespace qcbak::crypto {

inline constexpr std::size_t kPublicKeyFileLimit = 64U << 10;
inline constexpr std::size_t kPublicKeysInFile = 256;

// One block of three lines.
std::string encode_public_key(const SignPublic& key);
// The keys of one block or several, in their order. Empty lines, and lines that begin with '#', may stand between blocks; lines
// may end with CR LF. Error(usage) for anything else, for no block at all, and beyond the limits above.
std::vector<SignPublic> parse_public_keys(std::string_view pem);
// For comparing on paper: SHA-256 of the 32 bytes, in groups of four digits.
std::string fingerprint(const SignPublic& key);

}  // namespace qcbak::crypto
