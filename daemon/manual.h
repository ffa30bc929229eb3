// The manual pages qcbakd(8) and qcbak.toml(5), in the macros of man(7).
#pragma once

#include <string>

namespace qcbak::daemon {

std::string manual_of_daemon();
std::string manual_of_configuration();  // from the table of options

}  // namespace qcbak::daemon
