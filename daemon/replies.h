// What goes back for a request, and into the log when it was refused. docs/daemon.md "The socket".
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "daemon/audit.h"
#include "daemon/server.h"

namespace qcbak::daemon {

Reply json_reply(const nlohmann::json& json);
Reply error_reply(const Error& error);
Reply failed_reply(const std::string& what, const std::exception& failure);  // 500: of a mistake of ours, which the daemon's log has
Reply not_logged_in();  // 401: no session, or one that has ended
// As error_reply; what was refused is in the audit log first.
Reply error_reply(const Error& error, AuditLog& audit, const std::string& what, const Caller& caller);
inline std::string what_was_asked(const Request& request) { return request.method + " " + request.target; }

}  // namespace qcbak::daemon
