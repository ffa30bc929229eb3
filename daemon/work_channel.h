// The socket between daemon and worker: lines, and with the order the open file that holds the writer's lock.
#pragma once

#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace qcbak::daemon {

inline constexpr std::size_t kWorkLineLimit = 4U << 20;

// All of it, waiting for room. Error(io) when the other side is gone.
void send_all(int socket, std::string_view text);
// The first byte brings a copy of `lock` along.
void send_with_lock(int socket, std::string_view line, int lock);
struct LineWithLock {
  std::string line;
  UniqueFd lock;
};
// Error(interrupted) when the other side is gone before the line's end; Error(failed) when no lock comes, or no end.
LineWithLock receive_with_lock(int socket);

}  // namespace qcbak::daemon
