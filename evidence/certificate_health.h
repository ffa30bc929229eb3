// What a certificate says of a disk's health: what the disk told, and how warm it was. No part of what it certifies.
#pragma once

#include <string>

#include "evidence/dossier.h"

namespace qcbak::evidence {

// The facts, in both languages; empty when the run has none of them.
std::string health_facts(const WipeRun& run);

}  // namespace qcbak::evidence
