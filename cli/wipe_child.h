// A disk's own process. It is this program, started anew as `qcbak internal wipe` with its end of the channel as descriptor
// kWipeChildChannel: it begins with no memory, no thread and no descriptor of the process that started it, so it never
// holds the operator's key, and nothing that happens to it touches another disk.
#pragma once

#include "cli/command.h"

namespace qcbak::cli {

inline constexpr int kWipeChildChannel = 3;

// Takes its task from the channel, opens the disk, waits for leave, wipes it, and tells how it went. Once the channel's other
// end is gone, or at SIGINT or SIGTERM, it makes the journal hold what was done and stops.
Command internal_wipe_command();

}  // namespace qcbak::cli
