#include "daemon/signed_statement.h"

#include "base/error.h"
#include "crypto/signing_key.h"

namespace qcbak::daemon {

std::optional<Time> require_signed(const SignedStatement& statement, const crypto::SignPublic& key,
                                   const control::Statement& expected) {
  control::Statement said = control::parse_statement(statement.text);
  const auto time = parse_time(said.time);
  said.time = expected.time;
  if (control::encode(said) != control::encode(expected))
    throw Error(ErrorCode::refused, "what was signed is something else");
  if (!crypto::verify_statement(key, statement.text, statement.signature))
    throw Error(ErrorCode::refused, "the signature is not by the key of user " + expected.by)
        .with_hint("compare its fingerprint with the one in \"qcbak user list\"");
  return time;
}

}  // namespace qcbak::daemon
