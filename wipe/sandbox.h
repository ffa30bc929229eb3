// What the process that has a disk gives up before it writes: from then on it reads and writes what it has open, and nothing
// else. docs/sanitisation.md "The sandbox".
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "wipe/command_channel.h"

namespace qcbak::wipe {

// Whether commands are sent to the disk's firmware, and of which set: what needs capabilities.
using RawCommands = std::optional<CommandSet>;

// For the whole process, for good; threads that are started later are held likewise. Gives the names of what holds, in this
// order, as far as the kernel has it: "no-new-privileges", "network" (a name space with no network), "capabilities" (none but
// those that `commands` needs), "landlock" (no file can be opened), "seccomp" (an allow-list of system calls; anything else
// ends the process, but for those that libraries make on their own account to look at files: they are refused).
// Threads that run already are held by "no-new-privileges" and "seccomp" alone.
std::vector<std::string> enter_sandbox(RawCommands commands);

}  // namespace qcbak::wipe
