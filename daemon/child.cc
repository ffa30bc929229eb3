#include "daemon/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "daemon/work_channel.h"

namespace qcbak::daemon {

Child Child::connect(const std::string& path) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) throw_errno("make", "a socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw Error(ErrorCode::usage, "the path of the socket " + path + " is too long");
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw_errno("have a process started at", path);
  return {std::move(socket), -1};
}

Child Child::start(const char* option) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw_errno("make", "a pair of sockets");
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  const pid_t process = ::fork();
  if (process < 0) throw_errno("start", "a process");
  if (process > 0) return {std::move(ours), process};
  // Signals that the daemon blocked or ignored are as usual again.
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  // A group of its own: Ctrl-C at a terminal is for the daemon to pass on.
  ::setpgid(0, 0);
  if (theirs.get() == kSocketOfChild) ::fcntl(kSocketOfChild, F_SETFD, 0);
  else if (::dup2(theirs.get(), kSocketOfChild) < 0) ::_exit(127);
  // Not every library opens its files so that exec() closes them; a listening socket that lives on would answer.
  if (::close_range(kSocketOfChild + 1, ~0U, 0) != 0) ::_exit(127);
  ::execl("/proc/self/exe", "qcbakd", option, nullptr);
  ::_exit(127);
}

Child::Child(Child&& other) noexcept
    : socket_(std::move(other.socket_)),
      process_(std::exchange(other.process_, -1)),
      own_(other.own_),
      received_(std::move(other.received_)) {}

Child::~Child() {
  socket_ = UniqueFd();
  wait();
}

void Child::stop_sending() { ::shutdown(socket_.get(), SHUT_WR); }

void Child::kill() {
  if (process_ >= 0) ::kill(process_, SIGKILL);
}

int Child::wait() {
  int status = 0;
  if (process_ < 0) return status;
  while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) continue;
  process_ = -1;
  return status;
}

bool Child::read_lines(const std::function<void(std::string_view line)>& take) {
  for (;;) {
    std::array<char, 65536> buffer;
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
    if (got <= 0) return false;
    received_.append(buffer.data(), static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end = received_.find('\n'); end != std::string::npos; end = received_.find('\n', begin)) {
      take(std::string_view(received_).substr(begin, end - begin));
      begin = end + 1;
    }
    received_.erase(0, begin);
    if (received_.size() > kWorkLineLimit) throw Error(ErrorCode::failed, "a line without end came");
  }
}

}  // namespace qcbak::daemon
