// Checking a repository's log from its first entry to its last, with no key. docs/format.md "Log".
#pragma once

#include <string>
#include <vector>

#include "backup/repository/log.h"
#include "backup/storage/storage.h"

namespace qcbak::repository {

struct LogFinding {
  std::uint64_t number = 0;  // of the entry
  std::string what;          // "was altered: …"
};

struct LogCheck {
  std::uint64_t entries = 0;  // that are there
  LogHead last;               // the last of them; number 0: there is none
  Time last_time;
  std::vector<LogFinding> findings;
};

// Each entry's place, signature, and link to the one before; as far as nothing is wrong also who may sign, times, and what
// checkpoints inside the log say. After a first finding it goes on with what can be checked without the entries before.
// `known`: heads that somebody remembers, on paper or elsewhere: without one, a log whose end was cut off looks whole.
// Error(no_repository), Error(damaged) when the config is not to be read.
LogCheck check_log(const storage::ReadStorage& storage, const std::string& keys_directory,
                   const std::vector<LogHead>& known);

}  // namespace qcbak::repository
