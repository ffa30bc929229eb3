// One-time codes by time: TOTP (RFC 6238) with SHA-1, 6 digits and steps of 30 s, which every app knows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"

namespace qcbak::crypto {

// A new secret of 160 bits, in base32 (RFC 4648), as people type it into an app.
std::string new_one_time_secret(Random& random);

// The step that the code is of: one before now, now's, or one after. Nothing: it is none of these, or not after
// `last_step`, the last one that a code was taken of, so that each is good once. Error(damaged): the secret is none.
std::optional<std::uint64_t> step_of_code(std::string_view code, const std::string& secret, Time now,
                                          std::uint64_t last_step);

}  // namespace qcbak::crypto
