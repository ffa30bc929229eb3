// What a password for the network has to be, and for how long. docs/people.md "Accounts for the network".
#pragma once

#include <cstdint>
#include <string_view>

namespace qcbak::daemon {

inline constexpr std::size_t kPasswordCharacters = 11;  // at least
inline constexpr std::size_t kPasswordBytes = 1024;     // at most

// Error(usage), saying what it lacks: characters (of UTF-8, as people count them), one of the four classes (a-z, A-Z, 0-9,
// other ASCII; a letter with marks counts as a character and for no class), or that it has the name in it, in whatever case.
void require_good_password(std::string_view password, std::string_view name);

}  // namespace qcbak::daemon
