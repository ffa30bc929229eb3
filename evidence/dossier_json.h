// A dossier as bytes, and what of them each signature covers. docs/sanitisation.md "Bytes".
#pragma once

#include <string>
#include <vector>

#include "evidence/dossier.h"

namespace qcbak::evidence {

// A signed member, and the SHA-256 that its statement has to name.
struct Covered {
  std::string name;  // "run 1"
  std::string act;
  const Signed* by = nullptr;  // in the dossier that was written
  crypto::Sha256 hash;
};

struct Written {
  std::string text;  // without its LF
  std::vector<Covered> members;
};
Written write(const Dossier& dossier);

}  // namespace qcbak::evidence
