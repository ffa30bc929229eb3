#include "daemon/worker.h"

#include <sys/wait.h>

#include "base/error.h"
#include "daemon/work_channel.h"

namespace qcbak::daemon {

Worker::Worker(const WorkOrder& order, const std::string& at, int lock)
    : child_(at.empty() ? Child::start("--worker") : Child::connect(at)) {
  send_with_lock(child_.socket(), encode_order(order), lock);
}

Worker::~Worker() = default;

void Worker::stop() { child_.stop_sending(); }

void Worker::take_line(std::string_view line) {
  const WorkMessage message = decode_message(line);
  if (const auto* progress = std::get_if<WorkProgress>(&message)) progress_ = *progress;
  else result_ = std::get<WorkResult>(message);
}

std::optional<WorkResult> Worker::receive() {
  try {
    if (child_.read_lines([this](std::string_view line) { take_line(line); })) return std::nullopt;
  } catch (const Error& error) {
    child_.kill();
    child_.wait();
    WorkResult refused;
    refused.error = error.what();
    return refused;
  }
  const int status = child_.wait();
  if (result_) return result_;
  WorkResult lost;
  if (!child_.is_own()) {
    lost.error = "the worker ended with no result; the journal of qcbak-worker@ says why";
    return lost;
  }
  lost.error = WIFSIGNALED(status) ? "the worker was ended by signal " + std::to_string(WTERMSIG(status))
                                   : "the worker ended with " + std::to_string(WEXITSTATUS(status)) + " and no result";
  return lost;
}

}  // namespace qcbak::daemon
