// Keys from passwords: Argon2id (RFC 9106), version 1.3, one lane.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "crypto/aead.h"

namespace qcbak::crypto {

struct PasswordParameters {
  FixedId<struct PasswordSaltTag, 16> salt;
  std::uint32_t passes = 0;
  std::uint32_t memory_kib = 0;
};

// About half a second and 64 MiB on the machines of today.
PasswordParameters new_password_parameters(Random& random);
// Limits for parameters read from a hostile repository: 1 to 64 passes, 8 MiB to 1 GiB. Throws Error(damaged).
void check_password_parameters(const PasswordParameters& parameters);
AeadKey key_from_password(ByteView password, const PasswordParameters& parameters);

}  // namespace qcbak::crypto
