// Runs a program: from argv to the exit code.
#pragma once

#include "cli/command.h"

namespace qcbak::cli {

int run_program(const Program& program, int argc, const char* const* argv);

}  // namespace qcbak::cli
