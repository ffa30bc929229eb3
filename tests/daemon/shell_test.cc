#include "daemon/shell.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "base/error.h"
#include "tests/support/temporary_directory.h"

namespace qcbak::daemon {
namespace {

using tests::TemporaryDirectory;

using testing::HasSubstr;
constexpr std::int64_t kSecond = 1'000'000'000;

std::string failure(const std::string& command, std::int64_t limit_ns = 60 * kSecond, const std::stop_token& stop = {}) {
  try {
    run_shell(command, {}, limit_ns, stop);
  } catch (const Error& error) {
    return error.what();
  }
  return "it succeeded";
}

TEST(Shell, RunsWithItsVariables) {
  run_shell("test \"$QCBAK_JOB\" = 'the job' && test -z \"$(cat)\"", {{"QCBAK_JOB", "the job"}}, 60 * kSecond, {});
}

TEST(Shell, SaysHowItFailed) {
  EXPECT_EQ(failure("echo first; echo the last line; exit 7"), "it ended with 7: the last line");
  EXPECT_EQ(failure("kill -TERM $$"), "it was ended by signal 15");
  EXPECT_THAT(failure("yes | head -c 10000000; echo; echo end; false"), HasSubstr("it ended with 1: end"));
}

TEST(Shell, IsKilledWithItsChildrenAtItsLimit) {
  const TemporaryDirectory directory;
  const std::string mark = directory.path() + "/mark";
  EXPECT_EQ(failure("(sleep 3; touch " + mark + ") & sleep 1000", kSecond / 2),
            "it did not end within its time limit, and was killed");
  std::this_thread::sleep_for(std::chrono::milliseconds(3500));
  EXPECT_FALSE(std::filesystem::exists(mark));
}

TEST(Shell, InheritsNothingThatIsOpen) {
  constexpr int kOpen = 9;
  ASSERT_EQ(::dup2(0, kOpen), kOpen);
  run_shell("test ! -e /proc/$$/fd/9", {}, 60 * kSecond, {});
  ::close(kOpen);
}

TEST(Shell, IsStoppedOnRequest) {
  std::stop_source stop;
  std::jthread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    stop.request_stop();
  });
  EXPECT_EQ(failure("sleep 1000", 1000 * kSecond, stop.get_token()), "stopped");
}

TEST(Shell, DoesNotWaitForWhatIsLeftInTheBackground) { run_shell("sleep 2 & echo $!", {}, 60 * kSecond, {}); }

}  // namespace
}  // namespace qcbak::daemon
