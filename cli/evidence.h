// Evidence as commands check it: read from a file, judged by public keys.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/output.h"
#include "evidence/document.h"

namespace qcbak::cli {

// Those of --public-key; without it, those of the repository that is named. Error(usage) when neither is given.
evidence::Roots trusted_roots(const Invocation& invocation);
Option public_key_option();

// Checks a document of any kind and says what it is, or what is wrong with it. `known`: heads that the log must have.
ExitCode check_evidence(const Invocation& invocation, const std::string& path,
                        const std::vector<repository::LogHead>& known);
// The head that a checkpoint document names. Error(damaged), Error(usage).
repository::LogHead read_checkpoint(const std::string& path, const evidence::Roots& roots);

Json findings_json(const std::vector<repository::LogFinding>& findings);
// A line each; `whole` is what a finding of no entry is of.
void print_findings(Output& output, const std::string& whole, const std::vector<repository::LogFinding>& findings);
std::string checkpoint_text(const repository::LogHead& head);  // ENTRY:HASH

}  // namespace qcbak::cli
