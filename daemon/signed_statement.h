// What a person signed, as it came: in a request, or from the log.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "control/statement.h"
#include "crypto/asymmetric.h"

namespace qcbak::daemon {

struct SignedStatement {
  std::string text;
  crypto::Signature signature;
};

// Error(refused) unless the statement is this one, whatever its time, and signed by `key`. When it was signed, as it says;
// nothing: it names no time.
std::optional<Time> require_signed(const SignedStatement& statement, const crypto::SignPublic& key,
                                   const control::Statement& expected);

}  // namespace qcbak::daemon
