// What somebody probably meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace qcbak {

// The name that comes nearest to what was typed; "" when none comes near.
std::string nearest(std::string_view typed, const std::vector<std::string>& names);

}  // namespace qcbak
