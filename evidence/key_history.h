// Every key object that a repository's log ever added, and which of them prove that somebody may sign.
#pragma once

#include <vector>

#include "backup/repository/repository.h"

namespace qcbak::evidence {

struct PastKeyObject {
  repository::ObjectName name;
  Bytes stored;
  repository::KeyObject object;
  std::uint64_t entry = 0;  // number of the key event that added it
};

// In the order in which they came to count. Those that are not there are left out, as the log itself does.
std::vector<PastKeyObject> key_history(const repository::Repository& repository);

// Without grants, and without slots, but for those whose custodian, not being the root, issued another object of the list:
// whoever has a slot can try passwords on it.
std::vector<PastKeyObject> key_objects_to_export(std::vector<PastKeyObject> history);

// Those that make `signer` one who may sign for `domain`, each before those it issues, the domain object first.
std::vector<PastKeyObject> key_objects_of_signer(std::vector<PastKeyObject> history, const repository::DomainId& domain,
                                                 const crypto::SignPublic& signer);

}  // namespace qcbak::evidence
