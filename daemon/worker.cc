#include "daemon/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "daemon/work_channel.h"

namespace qcbak::daemon {
namespace {

constexpr int kSocketOfWorker = 3;

}  // namespace

Worker::Worker(const WorkOrder& order, const std::string& at, int lock) {
  if (at.empty()) start();
  else connect(at);
  try {
    send_with_lock(socket_.get(), encode_order(order), lock);
  } catch (const Error&) {
    wait();
    throw;
  }
  if (::fcntl(socket_.get(), F_SETFL, O_NONBLOCK) != 0) throw_errno("set up", "a socket");
}

void Worker::connect(const std::string& at) {
  socket_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket_) throw_errno("make", "a socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (at.size() >= sizeof address.sun_path) throw Error(ErrorCode::usage, "the path of the workers' socket is too long");
  std::memcpy(address.sun_path, at.data(), at.size());
  if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw_errno("have a worker started at", at);
}

void Worker::start() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw_errno("make", "a pair of sockets");
  socket_ = UniqueFd(ends[0]);
  const UniqueFd theirs(ends[1]);
  process_ = ::fork();
  if (process_ < 0) throw_errno("start", "a worker");
  if (process_ == 0) {
    // Signals that the daemon blocked or ignored are as usual again.
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    // A group of its own: Ctrl-C at a terminal is for the daemon to pass on.
    ::setpgid(0, 0);
    if (theirs.get() == kSocketOfWorker) ::fcntl(kSocketOfWorker, F_SETFD, 0);
    else if (::dup2(theirs.get(), kSocketOfWorker) < 0) ::_exit(127);
    // Not every library opens its files so that exec() closes them; a listening socket that lives on would answer.
    if (::close_range(kSocketOfWorker + 1, ~0U, 0) != 0) ::_exit(127);
    ::execl("/proc/self/exe", "qcbakd", "--worker", nullptr);
    ::_exit(127);
  }
}

Worker::~Worker() {
  if (socket_) stop();
  wait();
}

void Worker::stop() { ::shutdown(socket_.get(), SHUT_WR); }

int Worker::wait() {
  int status = 0;
  if (process_ < 0) return status;
  while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) continue;
  process_ = -1;
  return status;
}

void Worker::take_line(std::string_view line) {
  const WorkMessage message = decode_message(line);
  if (const auto* progress = std::get_if<WorkProgress>(&message)) progress_ = *progress;
  else result_ = std::get<WorkResult>(message);
}

bool Worker::take_lines() {
  for (;;) {
    std::array<char, 65536> buffer;
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
    if (got <= 0) return false;
    received_.append(buffer.data(), static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end = received_.find('\n'); end != std::string::npos; end = received_.find('\n', begin)) {
      take_line(std::string_view(received_).substr(begin, end - begin));
      begin = end + 1;
    }
    received_.erase(0, begin);
    if (received_.size() > kWorkLineLimit) throw Error(ErrorCode::failed, "a worker sent a line without end");
  }
}

std::optional<WorkResult> Worker::receive() {
  try {
    if (take_lines()) return std::nullopt;
  } catch (const Error& error) {
    if (process_ >= 0) ::kill(process_, SIGKILL);
    wait();
    WorkResult refused;
    refused.error = error.what();
    return refused;
  }
  const bool own = process_ >= 0;
  const int status = wait();
  if (result_) return result_;
  WorkResult lost;
  if (!own) {
    lost.error = "the worker ended with no result; the journal of qcbak-worker@ says why";
    return lost;
  }
  lost.error = WIFSIGNALED(status) ? "the worker was ended by signal " + std::to_string(WTERMSIG(status))
                                   : "the worker ended with " + std::to_string(WEXITSTATUS(status)) + " and no result";
  return lost;
}

}  // namespace qcbak::daemon
