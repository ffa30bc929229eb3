// Asking before something is changed for good.
#pragma once

#include <string>

#include "cli/command.h"

namespace qcbak::cli {

// --yes, or "y" on the terminal. Error(refused) otherwise, also when there is no terminal to ask on.
void require_confirmation(const Invocation& invocation, const std::string& question);

inline Option yes_option() { return {"yes", "", "do not ask"}; }

}  // namespace qcbak::cli
