// Signals that ask to stop: the first one asks the command, the second ends the process at once.
#pragma once

#include <atomic>
#include <csignal>
#include <stop_token>
#include <thread>

namespace qcbak::cli {

// Made before any other thread, so that all of them leave these signals to its own. SIGPIPE and SIGXFSZ are ignored:
// the calls that would raise them fail instead.
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals();
  std::stop_token token() const { return stop_.get_token(); }

 private:
  void wait();
  sigset_t before_;
  std::atomic<bool> ending_ = false;
  std::stop_source stop_;
  std::thread thread_;
};

}  // namespace qcbak::cli
