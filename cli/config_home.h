// Where a person's own files of qcbak lie.
#pragma once

#include <optional>
#include <string>

namespace qcbak::cli {

// "/home/lan/.config/qcbak", below XDG_CONFIG_HOME or HOME; it may not exist. None: neither is known, as of a service.
std::optional<std::string> config_home();

}  // namespace qcbak::cli
