#include "cli/wipe_status_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "base/error.h"
#include "base/unique_fd.h"
#include "tests/support/temporary_directory.h"

namespace qcbak::cli {
namespace {

WipeStatus status() {
  WipeStatus status;
  status.medium = 2;
  status.device = "/dev/sdb";
  status.serial = "S \"00A1B2\"";
  status.plan = "nist-clear";
  status.state = JobState::sanitising;
  status.step = 1;
  status.steps = 2;
  status.done_bytes = 3ULL << 40;
  status.total_bytes = 8ULL << 40;
  status.bytes_per_second = 200'000'000;
  status.seconds_left = 27'000;
  status.errors = 4;
  status.process = {1234, 5678};
  return status;
}

WipeStatus parse(const std::string& text) { return parse_wipe_status(as_bytes(text)); }

std::string with(const std::string& from, const std::string& to) {
  std::string text = encode(status());
  const std::size_t at = text.find(from);
  EXPECT_NE(at, text.npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(WipeStatusFile, ComesAsItWent) {
  WipeStatus sent = status();
  EXPECT_EQ(parse(encode(sent)), sent);
  for (const JobState state : {JobState::inspected, JobState::cleared, JobState::verifying, JobState::ended,
                               JobState::given_up, JobState::failed}) {
    sent.state = state;
    sent.seconds_left.reset();
    EXPECT_EQ(parse(encode(sent)), sent);
  }
}

TEST(WipeStatusFile, OnlyExactlyThatIsTaken) {
  for (const std::string& text : {std::string(),
                                  std::string("{"),
                                  std::string("[]"),
                                  std::string("\"x\""),
                                  with("status 1", "status 2"),
                                  with("\"medium\":2,", ""),
                                  with("\"medium\":2", "\"medium\":-2"),
                                  with("\"medium\":2", "\"medium\":2.5"),
                                  with("\"medium\":2", "\"medium\":\"2\""),
                                  with("\"medium\":2", "\"medium\":2,\"medium\":3"),
                                  with("\"medium\":2", "\"medium\":2,\"more\":3"),
                                  with("sanitising", "resting"),
                                  with("\"errors\":4", "\"errors\":null"),
                                  with("\"errors\":4", "\"errors\":9007199254740992"),
                                  with("\"steps\":2", "\"steps\":65"),
                                  with("\"pid\":1234", "\"pid\":0"),
                                  with("\"pid\":1234", "\"pid\":4294967297"),
                                  with("nist-clear", std::string(4000, 'a')),
                                  with("nist-clear", "\xff"),
                                  encode(status()) + "{}",
                                  encode(status()) + std::string(kStatusFileLimit, ' '),
                                  std::string(kStatusFileLimit, '[')})
    EXPECT_THROW(parse(text), Error) << text.substr(0, 400);
}

TEST(WipeStatusFile, WhatADiskOrAnErrorSaysAlwaysFits) {
  for (const char* each : {"\xff", "\x01", "\"", "\\", "xổ"}) {
    std::string much = each;
    while (much.size() < 9000) much += each;
    WipeStatus long_one = status();
    for (std::string* text : {&long_one.device, &long_one.serial, &long_one.plan, &long_one.verdict, &long_one.reason})
      *text = much;
    const std::string told = encode(long_one);
    EXPECT_EQ(encode(parse(told)), told) << each;
  }
}

TEST(WipeStatusFile, TellsWhetherItsProcessIsThere) {
  EXPECT_TRUE(is_running(this_process()));
  ProcessMark later = this_process();
  ++later.started;
  EXPECT_FALSE(is_running(later)) << "another process with this number";
  int gate[2];
  ASSERT_EQ(::pipe(gate), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(gate[1]);
    char byte = 0;
    ::_exit(::read(gate[0], &byte, 1) == 0 ? 0 : 1);
  }
  ASSERT_GT(child, 0);
  ::close(gate[0]);
  ::close(gate[1]);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  EXPECT_FALSE(is_running({child, 0})) << "it has ended, and nobody asked how";
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_FALSE(is_running({child, 0}));
}

TEST(WipeStatusFile, PaceIsThatOfTheLastHalfMinute) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  Pace pace;
  EXPECT_EQ(pace.bytes_per_second(), 0U);
  for (int second = 0; second <= 100; ++second) pace.take(1000U * static_cast<unsigned>(second), second * kSecond);
  EXPECT_EQ(pace.bytes_per_second(), 1000U);
  for (int second = 101; second <= 140; ++second)
    pace.take(100'000U + 10U * static_cast<unsigned>(second - 100), second * kSecond);
  EXPECT_EQ(pace.bytes_per_second(), 10U);
  pace.take(5, 141 * kSecond);  // it began anew
  EXPECT_EQ(pace.bytes_per_second(), 0U);
}

class StatusFolder : public ::testing::Test {
 protected:
  tests::TemporaryDirectory folder_;
};

TEST_F(StatusFolder, IsWrittenForItsOwnerAloneAndFollowsNoLink) {
  const std::string other = folder_ / "other", written = folder_ / "j.status.new";
  ASSERT_EQ(::symlink(other.c_str(), written.c_str()), 0);
  StatusFile file(folder_ / "j");
  EXPECT_TRUE(file.is_due(0));
  EXPECT_TRUE(file.tell(status(), 0));
  EXPECT_FALSE(file.is_due(999'999'999));
  EXPECT_TRUE(file.is_due(1'000'000'000));
  struct stat facts {};
  ASSERT_EQ(::lstat((folder_ / "j.status").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode, static_cast<mode_t>(S_IFREG | 0600));
  EXPECT_NE(::lstat(other.c_str(), &facts), 0);
  EXPECT_EQ(parse_wipe_status(read_file(folder_ / "j.status", kStatusFileLimit)), status());
}

TEST_F(StatusFolder, ThatItCannotBeWrittenIsNoError) {
  StatusFile file(folder_ / "none/j");
  EXPECT_FALSE(file.tell(status(), 0));
}

}  // namespace
}  // namespace qcbak::cli
