// A dossier as pages to print and file, in Vietnamese and English side by side. docs/sanitisation.md "The certificate".
#pragma once

#include <string>
#include <vector>

#include "evidence/certificate.h"
#include "evidence/dossier.h"

namespace qcbak::evidence {

// HTML5, nothing loaded from elsewhere; a page or more for each medium. A medium that may have no certificate, and every one
// when there are findings, gets a page that says so instead. `log`: where the appliance's log speaks of it.
std::string certificate_page(const Dossier& dossier, const std::vector<DossierFinding>& findings,
                             const std::optional<LogRange>& log = {});

}  // namespace qcbak::evidence
