// Asking the daemon.
#pragma once

#include <string>

#include "cli/command.h"
#include "cli/json.h"
#include "control/client.h"

namespace qcbak::cli {

// At QCBAK_SOCKET, else where "qcbak login" was, else where it usually is. Errors are those that the daemon reports.
Json ask_daemon(control::Method method, const std::string& target, const Json& body = nullptr);
Json ask_daemon_at(const control::Remote& remote, control::Method method, const std::string& target, const Json& body = nullptr);
// The first operand, which names what a request is about and becomes part of its target. Error(not_found) where nothing can
// have this name.
const std::string& name_in_target(const Invocation& invocation);
void require_plain_name(const std::string& name);  // Error(not_found), as above
// A member that is a text, on one line; "-" when it is missing or null.
std::string text_or_dash(const Json& json, const char* key);

}  // namespace qcbak::cli
