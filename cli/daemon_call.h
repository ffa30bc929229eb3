// Asking the daemon.
#pragma once

#include <string>

#include "cli/json.h"
#include "control/client.h"

namespace qcbak::cli {

// At QCBAK_SOCKET, or where it usually is. Errors are those that the daemon reports.
Json ask_daemon(control::Method method, const std::string& target);

}  // namespace qcbak::cli
