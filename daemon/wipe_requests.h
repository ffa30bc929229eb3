// Requests about wipes and their dossiers. docs/media.md "Requests".
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "daemon/api.h"
#include "daemon/request_target.h"

namespace qcbak::daemon {

nlohmann::json wipe_request(const ApiView& view, const Request& request, const RequestTarget& target,
                            const Caller& caller, Time now);

}  // namespace qcbak::daemon
