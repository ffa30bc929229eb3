// Requests about the inventory of media. docs/media.md "Requests".
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "daemon/api.h"
#include "daemon/request_target.h"

namespace qcbak::daemon {

nlohmann::json media_request(const ApiView& view, const Request& request, const RequestTarget& target,
                             const Caller& caller, Time now);
nlohmann::json json_of(const Medium& medium);

// An act about media as it begins: by whom, in which of their roles, and when. Error(refused) when none of their roles may do it.
nlohmann::json begin_act(const ApiView& view, MediumAct act, const Caller& caller, Time now);
// Rehearses the acts, has each durable in the log, and takes them in. Error(refused): nothing was written.
void write_acts(const ApiView& view, const std::vector<nlohmann::json>& acts, Time now);

}  // namespace qcbak::daemon
