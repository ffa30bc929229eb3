// The commands that a job has before and after it.
#pragma once

#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace qcbak::daemon {

// sh -c `command`, with nothing on its standard input and these variables in its environment. Error(failed) with the end
// of what it printed when it does not end with 0, or not within the limit: it and its children are killed then, and also
// when a stop is requested: Error(interrupted).
void run_shell(const std::string& command, const std::vector<std::pair<std::string, std::string>>& environment,
               std::int64_t limit_ns, const std::stop_token& stop);

}  // namespace qcbak::daemon
