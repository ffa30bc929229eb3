#include "wipe/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <thread>

#include "base/unique_fd.h"

namespace qcbak::wipe {
namespace {

constexpr int kHeld = 0, kGotAway = 1, kNoFilter = 2;

// Runs `attempt` in a process of its own, within the sandbox; gives how that ended.
template <class Attempt>
int in_sandbox(Attempt&& attempt) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    const auto holds = enter_sandbox(std::nullopt);
    if (std::ranges::find(holds, "seccomp") == holds.end()) ::_exit(kNoFilter);
    ::_exit(attempt() ? kGotAway : kHeld);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return status;
}

bool was_ended(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS; }
bool has_no_filter(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == kNoFilter; }

#define NEEDS_FILTER(status) \
  if (has_no_filter(status)) GTEST_SKIP() << "this kernel, or a build with sanitizers, has no filter"

TEST(Sandbox, OpensNoFile) {
  const int status = in_sandbox([] { return ::open("/etc/hostname", O_RDONLY | O_CLOEXEC) >= 0; });
  NEEDS_FILTER(status);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), kHeld);
}

TEST(Sandbox, MakesNoFile) {
  const int status = in_sandbox([] { return ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) >= 0; });
  NEEDS_FILTER(status);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), kHeld);
}

TEST(Sandbox, MakesNoSocket) {
  const int status = in_sandbox([] { return ::socket(AF_INET, SOCK_STREAM, 0) >= 0; });
  NEEDS_FILTER(status);
  EXPECT_TRUE(was_ended(status));
}

TEST(Sandbox, StartsNoProgram) {
  const int status = in_sandbox([] {
    ::execl("/bin/true", "true", nullptr);
    return true;
  });
  NEEDS_FILTER(status);
  EXPECT_TRUE(was_ended(status));
}

TEST(Sandbox, StartsNoProcess) {
  const int status = in_sandbox([] { return ::fork() >= 0; });
  NEEDS_FILTER(status);
  EXPECT_TRUE(was_ended(status));
}

TEST(Sandbox, LooksIntoNoProcess) {
  const int status = in_sandbox([] { return ::ptrace(PTRACE_SEIZE, ::getppid(), nullptr, nullptr) == 0; });
  NEEDS_FILTER(status);
  EXPECT_TRUE(was_ended(status));
}

TEST(Sandbox, UsesWhatItHasOpen) {
  const UniqueFd file(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_TRUE(file);
  const int status = in_sandbox([&] {
    bool failed = ::pwrite(file.get(), "held", 4, 0) != 4 || ::fsync(file.get()) != 0;
    std::thread([&] { failed = failed || ::ftruncate(file.get(), 2) != 0; }).join();
    return failed;
  });
  NEEDS_FILTER(status);
  ASSERT_TRUE(WIFEXITED(status)) << "by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), kHeld);
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_END), 2);
}

TEST(Sandbox, HoldsThreadsThatRanBefore) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    std::atomic<int> held = 0;  // 1: entered, 2: the other thread tried
    std::thread other([&] {
      held.wait(0);
      ::_exit(::open("/etc/hostname", O_RDONLY | O_CLOEXEC) >= 0 ? kGotAway : kHeld);
    });
    const auto holds = enter_sandbox(std::nullopt);
    if (std::ranges::find(holds, "seccomp") == holds.end()) ::_exit(kNoFilter);
    held = 1;
    held.notify_all();
    other.join();
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  NEEDS_FILTER(status);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), kHeld);
}

}  // namespace
}  // namespace qcbak::wipe
