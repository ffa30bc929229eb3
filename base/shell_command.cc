#include "base/shell_command.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

#include "base/error.h"

namespace qcbak {
namespace {

// The command is the child of a process of its own, the supervisor: who started it may be killed at any moment, and even
// what the command put into other sessions comes to the supervisor when its parent ends. Between fork() and the end of the
// supervisor there are only system calls: the process that forked has other threads, who may hold any lock.
namespace supervisor {

constexpr int kRoundMs = 100;
constexpr std::int64_t kAskedMs = 5'000;   // from SIGTERM to SIGKILL
constexpr std::int64_t kLimitMs = 60'000;  // what a broken disk holds in the kernel cannot be waited for for ever

std::int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

[[noreturn]] void become_shell(const char* command, int output, pid_t parent) {
  sigset_t none;
  sigemptyset(&none);
  if (::setsid() < 0 || ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent) ::_exit(126);
  if (::sigprocmask(SIG_SETMASK, &none, nullptr) != 0) ::_exit(126);
  for (const int signal : {SIGPIPE, SIGXFSZ})
    if (::signal(signal, SIG_DFL) == SIG_ERR) ::_exit(126);
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing < 0 || ::dup2(nothing, STDIN_FILENO) < 0 || ::dup2(output, STDOUT_FILENO) < 0) ::_exit(126);
  // Not every library opens its files so that exec() closes them.
  if (::close_range(STDERR_FILENO + 1, ~0U, 0) != 0) ::_exit(126);
  ::execl("/bin/sh", "sh", "-c", command, nullptr);
  ::_exit(127);
}

// The shell stays a zombie until the supervisor ends: so long nobody else gets its number, or that of its group.
bool has_ended(pid_t shell, siginfo_t& how) {
  how.si_pid = 0;
  return ::waitid(P_PID, static_cast<id_t>(shell), &how, WEXITED | WNOHANG | WNOWAIT) == 0 && how.si_pid == shell;
}

bool is_left(pid_t child, pid_t shell, int signal) {
  siginfo_t how;
  if (child == shell) return !has_ended(shell, how);
  if (::waitpid(child, nullptr, WNOHANG) == child) return false;
  if (signal != 0) ::kill(child, signal);
  return true;
}

// Is any child left but a shell that ended? Each that is gets the signal.
bool any_left(pid_t shell, int signal) {
  const int list = ::open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
  if (list < 0)
    return is_left(shell, shell, signal);  // a kernel without such a list: the group is all that can be reached
  bool left = false;
  pid_t child = 0;
  std::array<char, 4096> text;
  for (ssize_t got = 0; (got = ::read(list, text.data(), text.size())) > 0;) {
    for (ssize_t i = 0; i < got; ++i) {
      if (text[i] >= '0' && text[i] <= '9') {
        child = child * 10 + (text[i] - '0');
      } else if (child != 0) {
        left |= is_left(child, shell, signal);
        child = 0;
      }
    }
  }
  ::close(list);
  return left;
}

void wait_for_child(int children, int timeout_ms) {
  pollfd wait{children, POLLIN, 0};
  signalfd_siginfo ignored;
  if (::poll(&wait, 1, timeout_ms) > 0 && ::read(children, &ignored, sizeof ignored) < 0) ::_exit(1);
}

void end_everything(pid_t shell, int children) {
  ::kill(-shell, SIGTERM);
  ::kill(-shell, SIGCONT);  // what is stopped would not hear of it
  const std::int64_t began_ms = now_ms();
  std::int64_t asked_ms = began_ms - kAskedMs;
  for (std::int64_t at_ms = began_ms; at_ms < began_ms + kLimitMs; at_ms = now_ms()) {
    const bool patient = at_ms < began_ms + kAskedMs;
    if (!patient) ::kill(-shell, SIGKILL);
    // In the first moments, children come here whose parents were asked before them.
    const bool ask = patient && at_ms >= asked_ms + (at_ms < began_ms + 1000 ? kRoundMs : 1000);
    if (ask) asked_ms = at_ms;
    if (!any_left(shell, ask ? SIGTERM : patient ? 0 : SIGKILL)) break;
    wait_for_child(children, kRoundMs);
  }
  ::kill(-shell, SIGKILL);
  ::waitpid(shell, nullptr, WNOHANG);
}

// Says how the shell ended, and comes back when the other end of `control` is closed.
void follow(pid_t shell, int control, int status, int children) {
  bool told = false;
  for (;;) {
    siginfo_t how;
    if (!told && has_ended(shell, how)) {
      const std::array<int, 2> words = {how.si_code, how.si_status};
      if (::write(status, words.data(), sizeof words) < 0) return;
      told = true;
    }
    std::array<pollfd, 2> wait = {pollfd{control, POLLIN, 0}, pollfd{children, POLLIN, 0}};
    if (::poll(wait.data(), wait.size(), -1) < 0 || wait[0].revents != 0) return;
    wait_for_child(children, 0);
  }
}

[[noreturn]] void run(const char* command, int output, int control, int status) {
  sigset_t all;
  sigfillset(&all);
  if (::sigprocmask(SIG_SETMASK, &all, nullptr) != 0 || ::setsid() < 0) ::_exit(1);
  // It has a copy of what the process that forked had in memory, and lives for long.
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || ::prctl(PR_SET_DUMPABLE, 0) != 0) ::_exit(1);
  const pid_t self = ::getpid();
  const pid_t shell = ::fork();
  if (shell < 0) ::_exit(1);
  if (shell == 0) become_shell(command, output, self);
  // Nothing else stays open: a lock, or a pipe somebody waits for the end of, would be held.
  if (::dup2(control, 0) < 0 || ::dup2(status, 1) < 0 || ::close_range(2, ~0U, 0) != 0) {
    ::kill(-shell, SIGKILL);
    ::_exit(1);
  }
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  const int children = ::signalfd(-1, &child, SFD_CLOEXEC);
  if (children >= 0) follow(shell, 0, 1, children);
  end_everything(shell, children);
  ::_exit(0);
}

}  // namespace supervisor

struct Pipe {
  UniqueFd from;
  UniqueFd to;
};

// Clear of the standard descriptors, even where those are closed.
UniqueFd above_standard(UniqueFd fd) {
  UniqueFd above(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!above) throw_errno("make", "a pipe");
  return above;
}

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("make", "a pipe");
  UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  return {above_standard(std::move(from)), above_standard(std::move(to))};
}

}  // namespace

ShellCommand::ShellCommand(const std::string& command) {
  Pipe output = make_pipe();
  Pipe status = make_pipe();
  Pipe control = make_pipe();
  supervisor_ = ::fork();
  if (supervisor_ < 0) throw_errno("start", "a command");
  if (supervisor_ == 0) supervisor::run(command.c_str(), output.to.get(), control.from.get(), status.to.get());
  output_ = std::move(output.from);
  status_ = std::move(status.from);
  control_ = std::move(control.to);
}

ShellCommand::~ShellCommand() {
  output_ = UniqueFd();
  control_ = UniqueFd();
  while (::waitpid(supervisor_, nullptr, 0) < 0 && errno == EINTR) continue;
}

std::string ShellCommand::Ending::text() const {
  switch (kind) {
    case Kind::exited: return "ended with exit status " + std::to_string(number);
    case Kind::killed: return "was ended by signal " + std::to_string(number) + " (" + ::strsignal(number) + ")";
    case Kind::unknown: break;
  }
  return "ended, nobody knows how";
}

void ShellCommand::note_ending() {
  std::array<int, 2> words{};
  const std::size_t got = read_full(
      status_.get(), MutableByteView(reinterpret_cast<std::byte*>(words.data()), sizeof words), "how a command ended");
  ending_.emplace();
  if (got != sizeof words) return;
  ending_->kind = words[0] == CLD_EXITED ? Ending::Kind::exited : Ending::Kind::killed;
  ending_->number = words[1];
}

// False when nothing is to be expected from a command that ended badly.
bool ShellCommand::wait_for_output(const StopEvent& stop) {
  for (;;) {
    if (ending_ && !ending_->good()) return false;
    std::array<pollfd, 3> wait = {pollfd{stop.fd(), POLLIN, 0}, pollfd{output_.get(), POLLIN, 0},
                                  pollfd{ending_ ? -1 : status_.get(), POLLIN, 0}};
    if (::poll(wait.data(), wait.size(), -1) < 0) {
      if (errno == EINTR) continue;
      throw_errno("wait for", "a command");
    }
    if (wait[0].revents != 0) throw Error(ErrorCode::interrupted, "stopped");
    if (wait[1].revents != 0) return true;
    if (wait[2].revents != 0) note_ending();
  }
}

std::size_t ShellCommand::read(MutableByteView into, const StopEvent& stop) {
  std::size_t total = 0;
  while (total < into.size() && wait_for_output(stop)) {
    const ssize_t got = ::read(output_.get(), into.data() + total, into.size() - total);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("read from", "a command");
    if (got == 0) break;
    total += static_cast<std::size_t>(got);
  }
  return total;
}

ShellCommand::Ending ShellCommand::wait(const StopEvent& stop) {
  if (!ending_) {
    stop.wait_to_read(status_.get(), "a command");
    note_ending();
  }
  return *ending_;
}

}  // namespace qcbak
