// What the requests about accounts for the network mean, but for those that hash passwords. docs/daemon.md "Over TLS".
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "daemon/api.h"
#include "daemon/request_target.h"

namespace qcbak::daemon {

nlohmann::json json_of(const Account& account, Time now);
// POST /v1/people/NAME/otp, …/otp/remove. Error as the requests have it.
nlohmann::json second_factor_request(const ApiView& view, const Request& request, const RequestTarget& target,
                                     const Caller& caller);
// GET and POST /v1/review.
nlohmann::json review_request(const ApiView& view, const Request& request, const Caller& caller, Time now);

}  // namespace qcbak::daemon
