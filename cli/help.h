// --help, written from the table of commands.
#pragma once

#include <string>

#include "cli/command.h"

namespace qcbak::cli {

// `on`: "" the program, "backup" a command, "key" a group of commands.
std::string help_text(const Program& program, std::string_view on);

std::string usage_line(const Program& program, const Command& command);
std::string shown(const Option& option);  // "-q, --quiet", "--host NAME"

}  // namespace qcbak::cli
