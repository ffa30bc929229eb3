// A wish to stop as a descriptor, for whoever waits for others at the same time.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>

#include "base/unique_fd.h"

namespace qcbak {

// Readable from the moment on at which a stop is requested.
class StopEvent {
 public:
  explicit StopEvent(const std::stop_token& stop);
  int fd() const { return fd_.get(); }
  // Waits until `fd` can be read, or its other end is closed. Error(interrupted) when a stop is requested before or meanwhile.
  void wait_to_read(int fd, std::string_view object) const;

 private:
  UniqueFd fd_;
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

}  // namespace qcbak
