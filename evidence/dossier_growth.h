// What was added to a dossier since, so that it alone needs to be sent and written down. docs/media.md "What an act says".
#pragma once

#include <string>
#include <string_view>

namespace qcbak::evidence {

// Members that `after` has and `before` has not, and what its lists have more, as canonical JSON. `before` may be empty: there was none.
// Error(damaged) when `after` did not only grow, or one of them is no JSON.
std::string dossier_growth(std::string_view before, std::string_view after);
// What dossier_growth() was made of. Error(damaged): the one does not go with the other.
std::string dossier_grown(std::string_view before, std::string_view growth);

}  // namespace qcbak::evidence
