// The table of all options, one array a section. Only for this folder.
#pragma once

#include <span>

#include "config/value.h"

namespace qcbak::config {

inline constexpr std::size_t kSocketPathLimit = 107;  // sockaddr_un

using Roles = std::map<UserRole, std::vector<std::string>>;

std::span<const Option<Daemon>> daemon_options();
std::span<const Option<Repository>> repository_options();
std::span<const Option<Roles>> roles_options();
std::span<const Option<Approval>> approval_options();
std::span<const Option<Job>> job_options();
std::span<const Option<Notify>> notify_options();
std::span<const Option<Audit>> audit_options();
std::span<const Option<Serve>> serve_options();

}  // namespace qcbak::config
