// What a certificate says of a disk's own erasure.
#pragma once

#include <string>

#include "evidence/dossier.h"

namespace qcbak::evidence {

// The sentence of what was done, in both languages; empty when the plan erases by no firmware.
std::string erasure_statement(const WipeRun& run);
// The facts: method, acceptance, completion, markers, hidden areas, discarding; empty when the run has none of them.
std::string firmware_facts(const WipeRun& run, const wipe::Plan& plan);

}  // namespace qcbak::evidence
