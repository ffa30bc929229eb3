// The plan that somebody names: one that comes with the program, or a site's own from a file.
#pragma once

#include "cli/command.h"
#include "wipe/plan.h"

namespace qcbak::cli {

// Of --plan or --plan-file, and --sample. Error(usage), with file and line where there is one.
wipe::Plan chosen_plan(const Arguments& arguments);
// Of a file. Error(usage) likewise.
wipe::Plan site_plan(const std::string& path);

}  // namespace qcbak::cli
