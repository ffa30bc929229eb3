// The body of a request, and what a person signed in it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "daemon/server.h"
#include "daemon/signed_statement.h"

namespace qcbak::daemon {

// An object whose members are texts; an empty one when there is none. Error(usage).
nlohmann::json body_of(const Request& request);
// The members "statement" and "signature", when they are there. Error(usage).
std::optional<SignedStatement> signed_statement(const nlohmann::json& body);
// Error(refused) unless the statement is this one, signed by `key` within 15 minutes of now.
void require_signed_now(const SignedStatement& statement, const crypto::SignPublic& key,
                        const control::Statement& expected, Time now);

}  // namespace qcbak::daemon
