// What is kept of a password to know it again: Argon2id (RFC 9106), version 1.3, one lane, 64 MiB, 4 passes, as
// "$argon2id$v=19$m=65536,t=4,p=1$salt$hash". For passwords that open something, see password.h.
#pragma once

#include <string>

#include "base/bytes.h"

namespace qcbak::crypto {

// Takes about a sixth of a second. Error(failed): not enough memory.
std::string hash_password(ByteView password);
// False also of a hash that is none. Takes as long as it took to make the hash.
bool is_password(ByteView password, const std::string& hash);

}  // namespace qcbak::crypto
