// Requests about plans: to submit, see, approve and reject them. docs/people.md "The plan".
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "daemon/api.h"
#include "daemon/request_target.h"

namespace qcbak::daemon {

nlohmann::json plan_request(const ApiView& view, const Request& request, const RequestTarget& target,
                            const Caller& caller, Time now);

}  // namespace qcbak::daemon
