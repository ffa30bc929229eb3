// What a process that systemd started for the daemon believes: the kernel about who gives the order, and root's configuration
// about what it means. So whoever takes over the daemon cannot have it mean something else.
#pragma once

#include <sys/types.h>

#include <string>

#include "config/config.h"

namespace qcbak::daemon {

// Whoever may connect is decided by the mode of the socket, and once more here: `user` or root. Error(refused).
void require_user(int socket, uid_t user);

// The configuration at `path`, which has to be a file of root's that nobody else can write, and the one that the daemon works
// by. Error(refused), Error(usage), Error(io).
config::Config read_root_config(const std::string& path, const std::string& sha256);

}  // namespace qcbak::daemon
