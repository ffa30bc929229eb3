// Requests about people and their keys. docs/people.md "A key of one's own".
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "daemon/api.h"
#include "daemon/request_target.h"

namespace qcbak::daemon {

nlohmann::json people_request(const ApiView& view, const Request& request, const RequestTarget& target,
                              const Caller& caller, Time now);

}  // namespace qcbak::daemon
