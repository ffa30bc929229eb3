// A run is done by a process of its own, so that reading every file needs no rights of the daemon's, and nothing that
// happens there harms it. When the daemon's end of the socket closes, the worker stops and commits nothing more.
// docs/daemon.md "Workers".
#pragma once

#include <optional>
#include <string>

#include "daemon/child.h"
#include "daemon/work_order.h"

namespace qcbak::daemon {

class Worker {
 public:
  // Starts one, or has it started by connecting to the socket `at`. `lock`: what holds the writer's lock; the worker keeps
  // it as long as it lives, also when the daemon dies.
  Worker(const WorkOrder& order, const std::string& at, int lock);
  // Stops it, and waits until it is gone.
  ~Worker();

  int descriptor() const { return child_.socket(); }  // readable when receive() has something
  // Takes what has come. The result, once the worker is gone; of one that died, that it failed. One that sends what it
  // should not is ended.
  std::optional<WorkResult> receive();
  // It ends soon, with a result.
  void stop();
  const WorkProgress& progress() const { return progress_; }

 private:
  void take_line(std::string_view line);
  Child child_;
  WorkProgress progress_;
  std::optional<WorkResult> result_;
};

}  // namespace qcbak::daemon
