// The worker's side: one run of one job, in a process of its own. docs/daemon.md "Workers".
#pragma once

#include <string>

namespace qcbak::daemon {

// The worker's whole life; `socket` is its end. Returns its exit code. With `config`, the path of the configuration, it is
// one with more rights than the daemon: of the order it takes what to do and for which job, and what that means from the
// file, which nobody but root may be able to write and which has to be the daemon's.
int work(int socket, const std::string& config);

}  // namespace qcbak::daemon
