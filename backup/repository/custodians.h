// Who may open a domain: adding, removing and renewing custodians, and issuing credentials. Each is a signed key event.
#pragma once

#include <string>
#include <vector>

#include "backup/repository/writer.h"

namespace qcbak::repository {

// The functions below need a custodian's own key: Error(refused) when `context.domain` was unlocked with a credential, or
// by a custodian other than the first whose slot lies apart from the repository.

// A further custodian of every epoch, with a password of their own. Returns the new slot's object.
ObjectName add_custodian(const WriteContext& context, const std::string& name, ByteView password);

// The slot that `password` opens gets a new password; the custodian stays the same. Error(wrong_key) when it opens none.
// The old slot's object is removed where that can be: the slot of a custodian who came later must stay, without counting,
// because the new one is proven by it.
ObjectName change_password(const WriteContext& context, ByteView password, ByteView new_password);

// Takes away a custodian's slot and grants, or a writer, or a drill recipient: named by its name, or by 8 or more digits
// of its object. Error(not_found), Error(usage) when several fit, Error(refused) for the last custodian. What they could
// read so far stays readable to them in copies of the repository that exist.
struct RemovedKey {
  std::string name;
  enum class Kind { custodian, writer, drill } kind = Kind::custodian;
};
RemovedKey remove_key(const WriteContext& context, const std::string& which);

// A credential for the given domains, each with a writer's key made for it and certified by its custodian. The file's
// bytes.
crypto::SecretBytes issue_credential(const std::vector<WriteContext>& contexts, CredentialKind kind,
                                     const std::string& name);

}  // namespace qcbak::repository
