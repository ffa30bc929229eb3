#include "daemon/shell.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "base/clock.h"
#include "base/error.h"
#include "base/unique_fd.h"

namespace qcbak::daemon {
namespace {

constexpr std::size_t kOutputKept = 2048;
constexpr int kPollMs = 100;
constexpr int kReadsAfterEnd = 64;  // more than a pipe holds
constexpr int kCouldNotStart = 127;

std::string last_line(const std::string& output) {
  const std::size_t end = output.find_last_not_of(" \n\r\t");
  if (end == std::string::npos) return "";
  const std::size_t start = output.find_last_of('\n', end);
  return output.substr(start == std::string::npos ? 0 : start + 1, end - (start == std::string::npos ? 0 : start + 1) + 1);
}

}  // namespace

void run_shell(const std::string& command, const std::vector<std::pair<std::string, std::string>>& environment,
               std::int64_t limit_ns, const std::stop_token& stop) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("make", "a pipe");
  UniqueFd output(ends[0]);
  UniqueFd input(ends[1]);
  // Made before the fork: between it and exec() no memory may be asked for.
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);
  std::vector<char*> pointers;
  for (std::string& variable : variables) pointers.push_back(variable.data());
  pointers.push_back(nullptr);
  const std::array<const char*, 4> arguments = {"sh", "-c", command.c_str(), nullptr};

  const pid_t child = ::fork();
  if (child < 0) throw_errno("start", "a command");
  if (child == 0) {
    ::setpgid(0, 0);
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing < 0 || ::dup2(nothing, 0) < 0 || ::dup2(input.get(), 1) < 0 || ::dup2(input.get(), 2) < 0)
      ::_exit(kCouldNotStart);
    if (::close_range(3, ~0U, 0) != 0) ::_exit(kCouldNotStart);  // a command has no use for what is open here
    ::execve("/bin/sh", const_cast<char* const*>(arguments.data()), pointers.data());
    ::_exit(kCouldNotStart);
  }
  ::setpgid(child, child);  // whoever of the two comes first
  input = UniqueFd();

  const SystemClock clock;
  const std::int64_t until = clock.monotonic_ns() + limit_ns;
  std::string printed;
  int status = 0;
  bool open = true, late = false;
  // False: nothing came for so long.
  const auto take_output = [&](int wait_ms) {
    pollfd wait{output.get(), POLLIN, 0};
    if (::poll(open ? &wait : nullptr, open ? 1 : 0, wait_ms) <= 0) return false;
    std::array<char, 4096> buffer;
    const ssize_t got = ::read(output.get(), buffer.data(), buffer.size());
    if (got > 0) printed.append(buffer.data(), static_cast<std::size_t>(got));
    if (printed.size() > kOutputKept) printed.erase(0, printed.size() - kOutputKept);
    open = got > 0 || (got < 0 && errno == EINTR);
    return open;
  };
  for (;;) {
    late = clock.monotonic_ns() >= until;
    if (late || stop.stop_requested()) {
      ::kill(-child, SIGKILL);
      while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
      break;
    }
    take_output(kPollMs);
    // What it left running in the background is not waited for, nor what that prints.
    if (::waitpid(child, &status, WNOHANG) == child) {
      for (int reads = 0; reads < kReadsAfterEnd && take_output(0); ++reads) continue;
      break;
    }
  }
  if (late) throw Error(ErrorCode::failed, "it did not end within its time limit, and was killed");
  if (stop.stop_requested()) throw Error(ErrorCode::interrupted, "stopped");
  if (status == 0) return;
  std::string what = WIFEXITED(status) ? "it ended with " + std::to_string(WEXITSTATUS(status))
                                       : "it was ended by signal " + std::to_string(WTERMSIG(status));
  if (const std::string line = last_line(printed); !line.empty()) what += ": " + line;
  throw Error(ErrorCode::failed, what);
}

}  // namespace qcbak::daemon
