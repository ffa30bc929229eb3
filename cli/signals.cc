#include "cli/signals.h"

#include <unistd.h>

namespace qcbak::cli {
namespace {

constexpr int kEndOfWaiting = SIGUSR1;  // sent by the destructor to the thread alone

sigset_t stop_set() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, kEndOfWaiting}) sigaddset(&set, signal);
  return set;
}

}  // namespace

StopSignals::StopSignals() {
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  static_cast<void>(std::signal(SIGXFSZ, SIG_IGN));
  const sigset_t set = stop_set();
  pthread_sigmask(SIG_BLOCK, &set, &before_);
  thread_ = std::thread([this] { wait(); });
}

StopSignals::~StopSignals() {
  ending_ = true;
  pthread_kill(thread_.native_handle(), kEndOfWaiting);
  thread_.join();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void StopSignals::wait() {
  const sigset_t set = stop_set();
  for (;;) {
    const int signal = sigwaitinfo(&set, nullptr);
    if (ending_) return;
    if (signal < 0 || signal == kEndOfWaiting) continue;
    if (stop_.stop_requested()) ::_exit(128 + signal);
    stop_.request_stop();
  }
}

}  // namespace qcbak::cli
