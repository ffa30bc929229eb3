// The inventory as comma-separated values: taken in, and given out. docs/media.md "CSV".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/inventory.h"

namespace qcbak::daemon {

// Error(usage), naming line and column, when anything is wrong.
std::vector<MediumFacts> media_from_csv(std::string_view text);
std::string csv_of(const std::vector<Medium>& media);

}  // namespace qcbak::daemon
