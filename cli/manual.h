// Manual pages and shell completions, written from the table of commands. Installed by cmake/Install.cmake.
#pragma once

#include "cli/command.h"

namespace qcbak::cli {

// Adds `internal verbs`, `internal man [VERB]`, `internal completion SHELL`, which help does not list.
void add_internal_commands(Program& program);

}  // namespace qcbak::cli
