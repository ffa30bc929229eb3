// A dossier as pages to print and file, in Vietnamese and English side by side. docs/sanitisation.md "The certificate".
#pragma once

#include <string>
#include <vector>

#include "evidence/dossier.h"

namespace qcbak::evidence {

// HTML5, nothing loaded from elsewhere; a page or more for each medium. A medium that may have no certificate, and every one
// when there are findings, gets a page that says so instead.
std::string certificate_page(const Dossier& dossier, const std::vector<DossierFinding>& findings);

}  // namespace qcbak::evidence
