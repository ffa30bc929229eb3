// A signed statement of how far the log went: small enough for a sheet of paper. docs/format.md "Checkpoint document".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "backup/repository/repository.h"
#include "evidence/document.h"

namespace qcbak::evidence {

struct CheckpointDocument {
  repository::RepositoryId repository;
  crypto::Sha256 config_hash;
  repository::LogHead head;
  std::string time;  // of the entry
  std::string made;
  repository::DomainId domain;
  crypto::SignPublic signer;
  std::vector<Bytes> objects;  // that make the signer one who may sign
  crypto::Signature signature;
};

// Of the log's head. Signed by the key of `signer`, one of the unlocked domains.
CheckpointDocument make_checkpoint(const repository::Repository& repository, const repository::DomainKeys& signer,
                                   Time now);
// One line, without its LF.
std::string checkpoint_line(const CheckpointDocument& checkpoint);
// Error(damaged) when it is not what checkpoint_line() gives, its signature does not hold, or its signer was not certified by
// one of `roots`.
CheckpointDocument check_checkpoint(std::string_view line, const Roots& roots);

}  // namespace qcbak::evidence
