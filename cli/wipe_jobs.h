// How far the wipes of this machine are: `qcbak wipe status FILE|FOLDER...`, from the files that they keep beside their journals.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace qcbak::cli {

// Whether the operands name files or folders, and not a wipe that the daemon keeps.
bool names_jobs(const std::vector<std::string>& operands);

// Shows all of them; with --watch again and again until no process works on any. Changes nothing. Error(not_found) when an operand
// names none, or none can be read.
ExitCode show_jobs(const Invocation& invocation);

}  // namespace qcbak::cli
