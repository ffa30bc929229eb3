// What a run of a dossier says was done, as wipe/ judges it.
#pragma once

#include "evidence/dossier.h"

namespace qcbak::evidence {

// Of a run on a medium that was requested. Error(damaged) when its plan is none, or has fewer steps than the run.
wipe::OverwriteResult result_of(const Dossier& dossier, const WipeRun& run);

}  // namespace qcbak::evidence
