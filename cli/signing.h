// The key of who types, and what they sign with it. docs/people.md "A key of one's own".
#pragma once

#include <string>

#include "cli/command.h"
#include "cli/json.h"
#include "control/statement.h"
#include "crypto/asymmetric.h"

namespace qcbak::cli {

Option signing_key_option();
// --signing-key, else signing.key in the user's configuration directory.
std::string signing_key_path(const Invocation& invocation);
std::string unix_user_name();  // of who types
std::string user_name();       // who they are to the daemon: as they logged in there, else as on this machine

// The key, opened with its passphrase, and whose it is: the name in its file.
struct Signer {
  std::string name;
  crypto::SignSeed seed;
};
Signer open_signer(const Invocation& invocation);
// The key alone.
crypto::SignSeed open_signing_key(const Invocation& invocation);
// The members "statement" and "signature" of a request.
Json sign(const crypto::SignSeed& seed, const control::Statement& statement);

}  // namespace qcbak::cli
