#include "base/shell_command.h"

#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <thread>

#include "base/error.h"
#include "tests/support/code_of.h"

namespace qcbak {
namespace {

std::string read_all(ShellCommand& command, const StopEvent& stop) {
  std::string all(1U << 16, '\0');
  all.resize(command.read(MutableByteView(reinterpret_cast<std::byte*>(all.data()), all.size()), stop));
  return all;
}

class ShellCommandTest : public testing::Test {
 protected:
  std::stop_source source_;
  StopEvent stop_{source_.get_token()};
};

TEST_F(ShellCommandTest, GivesWhatItPrintsAndHowItEnds) {
  ShellCommand command("echo one; echo two; exit 3");
  EXPECT_EQ(read_all(command, stop_), "one\ntwo\n");
  const ShellCommand::Ending ending = command.wait(stop_);
  EXPECT_FALSE(ending.good());
  EXPECT_EQ(ending.text(), "ended with exit status 3");
  EXPECT_EQ(command.wait(stop_).text(), ending.text()) << "asked again";
}

TEST_F(ShellCommandTest, EndsWell) {
  ShellCommand command("cat");
  EXPECT_EQ(read_all(command, stop_), "") << "there is nothing on its input";
  EXPECT_TRUE(command.wait(stop_).good());
}

TEST_F(ShellCommandTest, SaysWhichSignalEndedIt) {
  ShellCommand command("kill -KILL $$");
  EXPECT_EQ(command.wait(stop_).text(), "was ended by signal 9 (Killed)");
}

TEST_F(ShellCommandTest, WaitsForTheEndBehindAClosedOutput) {
  ShellCommand command("exec >&-; sleep 0.2; exit 4");
  EXPECT_EQ(read_all(command, stop_), "");
  EXPECT_EQ(command.wait(stop_).text(), "ended with exit status 4");
}

TEST_F(ShellCommandTest, DoesNotWaitForWhatAFailedOneLeftBehind) {
  ShellCommand command("sleep 100000 & exit 5");
  EXPECT_EQ(read_all(command, stop_), "");
  EXPECT_EQ(command.wait(stop_).text(), "ended with exit status 5");
}

TEST_F(ShellCommandTest, AStopEndsTheWaiting) {
  ShellCommand command("echo begun; sleep 100000");
  std::jthread stopper([&] { source_.request_stop(); });
  EXPECT_EQ(tests::code_of([&] { read_all(command, stop_); }), ErrorCode::interrupted);
  EXPECT_EQ(tests::code_of([&] { command.wait(stop_); }), ErrorCode::interrupted);
}

TEST_F(ShellCommandTest, EverythingItStartedIsGoneAfterIt) {
  pid_t child = 0;
  {
    ShellCommand command("setsid sh -c 'echo $$; exec sleep 100000' & wait");
    std::string line;
    for (std::byte next{}; line.empty() || line.back() != '\n'; line += static_cast<char>(next))
      ASSERT_EQ(command.read(MutableByteView(&next, 1), stop_), 1U);
    child = std::stoi(line);
    ASSERT_EQ(::kill(child, 0), 0);
  }
  EXPECT_NE(::kill(child, 0), 0);
}

}  // namespace
}  // namespace qcbak
