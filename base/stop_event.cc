#include "base/stop_event.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>

#include "base/error.h"

namespace qcbak {

StopEvent::StopEvent(const std::stop_token& stop) : fd_(::eventfd(0, EFD_CLOEXEC)) {
  if (!fd_) throw_errno("make", "an event");
  on_stop_.emplace(stop, [fd = fd_.get()] { check(::eventfd_write(fd, 1) == 0, "an event can be set once"); });
}

void StopEvent::wait_to_read(int fd, std::string_view object) const {
  for (;;) {
    std::array<pollfd, 2> wait = {pollfd{fd_.get(), POLLIN, 0}, pollfd{fd, POLLIN, 0}};
    if (::poll(wait.data(), wait.size(), -1) < 0) {
      if (errno == EINTR) continue;
      throw_errno("wait for", object);
    }
    if (wait[0].revents != 0) throw Error(ErrorCode::interrupted, "stopped");
    if (wait[1].revents != 0) return;
  }
}

}  // namespace qcbak
