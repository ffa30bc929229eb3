// How fast a source is read, at most: all threads of a run together.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stop_token>

#include "base/clock.h"

namespace qcbak {

class Pace {
 public:
  // 0: as fast as it goes.
  Pace(std::uint64_t limit_bytes_per_s, const Clock& clock) : limit_(limit_bytes_per_s), clock_(clock) {}

  // After so many bytes were read: comes back when as much time has passed as they are worth, or a stop is requested.
  void keep(std::uint64_t bytes, const std::stop_token& stop);
  // How long that is, from `now_ns` on. What was not used before is not made up for.
  std::int64_t pause_ns(std::uint64_t bytes, std::int64_t now_ns);

 private:
  const std::uint64_t limit_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable_any never_;
  std::int64_t paid_until_ns_ = 0;
};

}  // namespace qcbak
