// The daemon's own jobs, beside those of the configuration: freeing space, and backing up what the appliance itself is.
// docs/operations.md
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "backup/repository/repository.h"
#include "config/config.h"

namespace qcbak::daemon {

inline constexpr std::string_view kCollectJob = "qcbak.collect";
inline constexpr std::string_view kStateJob = "qcbak.state";  // the state database and the configuration
inline constexpr std::string_view kLogJob = "qcbak.log";      // the repository's log, as an export

std::vector<config::Job> own_jobs(const config::Config& config);

// The domain that the appliance's own data, and entries of its log, belong to: "system", or the first where there is none.
const repository::DomainKeys& own_domain(const repository::Repository& repository);

}  // namespace qcbak::daemon
