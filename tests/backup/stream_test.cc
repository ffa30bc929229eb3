// What comes as a stream: kept when it ended well, and not at all otherwise, whatever fails meanwhile.
#include "backup/stream_source.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "backup/backup.h"
#include "backup/browse.h"
#include "base/error.h"
#include "tests/backup/workshop.h"
#include "tests/simulated/simulated_storage.h"
#include "tests/support/code_of.h"

namespace qcbak::tests {
namespace {

using simulated::Medium;
using simulated::SimulatedStorage;

class StreamTest : public testing::Test {
 protected:
  StreamTest() {
    SimulatedStorage process(medium_);
    SystemRandom random;
    create_test_repository(process, SystemClock(), random);
  }
  BackupResult backup(storage::Storage& storage, BackupSource& source, std::stop_token stop = {}) {
    const SystemClock clock;
    SystemRandom random;
    const auto lock = repository::lock_for_writing(storage, clock, 0, {});
    const auto repository = open_test_repository(storage, Access::write_only, {});
    BackupOptions options;
    options.host = "host";
    Progress progress;
    return qcbak::backup({storage, *repository, repository->domain(""), clock, random}, options, source, progress,
                         stop);
  }
  std::size_t snapshots() {
    const SimulatedStorage reader(medium_);
    return open_test_repository(reader, Access::read, {})->log().snapshots.size();
  }
  std::string content(const std::string& path) {
    const SimulatedStorage reader(medium_);
    const auto repository = open_test_repository(reader, Access::read, {});
    SnapshotTree tree(*repository, find_snapshot(*repository, "latest", {}));
    const auto entry = tree.find(path);
    std::string all;
    if (entry) tree.read_file(*entry, [&](ByteView piece) { all += as_text(piece); });
    return all;
  }

  TemporaryDirectory directory_;
  Medium medium_;
};

// 30 MB that nothing else has, in any order of sizes of what one read gives.
constexpr const char* kMuch = "seq 1 4000000";
constexpr std::uint64_t kMuchBytes = 30'888'896;

TEST_F(StreamTest, KeepsWhatACommandPrints) {
  SimulatedStorage process(medium_);
  CommandSource source(kMuch, "numbers");
  const BackupResult result = backup(process, source);
  EXPECT_EQ(result.files_new, 1U);
  EXPECT_EQ(result.bytes_read, kMuchBytes);
  EXPECT_TRUE(result.findings.empty());
  const std::string kept = content("/numbers");
  EXPECT_EQ(kept.size(), kMuchBytes);
  EXPECT_TRUE(kept.starts_with("1\n2\n3\n"));
  EXPECT_TRUE(kept.ends_with("3999999\n4000000\n"));
}

TEST_F(StreamTest, KeepsWhatComesOnADescriptor) {
  SimulatedStorage process(medium_);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  write_full(to.get(), as_bytes("some text"), "the pipe");
  to = UniqueFd();
  InputSource source(from.get(), "text");
  backup(process, source);
  EXPECT_EQ(content("/text"), "some text");
}

TEST_F(StreamTest, AnEmptyOrFailedStreamLeavesNoSnapshot) {
  SimulatedStorage process(medium_);
  for (const char* command :
       {"true", "exit 3", "seq 1 2000000; exit 3", "seq 1 2000000; kill -TERM $$", "echo text; exec >&-; exit 1"}) {
    SCOPED_TRACE(command);
    CommandSource source(command, "numbers");
    EXPECT_EQ(code_of([&] { backup(process, source); }), ErrorCode::failed);
  }
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  InputSource input(nothing.get(), "text");
  EXPECT_EQ(code_of([&] { backup(process, input); }), ErrorCode::failed);
  EXPECT_EQ(snapshots(), 0U);
}

// The command would go on for ever. It is ended, and the medium's failure is what is said.
TEST_F(StreamTest, AFailingMediumEndsTheCommand) {
  const std::string number = directory_.path() + "/number";
  for (int nth = 1; nth <= 2; ++nth) {
    SCOPED_TRACE(nth);
    SimulatedStorage process(medium_);
    std::atomic<int> puts = 0;
    process.before_mutations([&](SimulatedStorage::Call call, std::string_view) {
      if (call == SimulatedStorage::Call::put && ++puts >= nth) throw Error(ErrorCode::io, "it failed");
    });
    CommandSource source("echo $$ > '" + number + "'; exec cat /dev/urandom", "endless");
    EXPECT_EQ(code_of([&] { backup(process, source); }), ErrorCode::io);
    const pid_t command = std::stoi(to_string(read_file(number, 100)));
    EXPECT_NE(::kill(command, 0), 0) << "it is still there";
  }
  EXPECT_EQ(snapshots(), 0U);
}

TEST_F(StreamTest, AStopEndsTheCommand) {
  SimulatedStorage process(medium_);
  std::stop_source stop;
  CommandSource source("echo begun; sleep 100000", "endless");
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_EQ(code_of([&] { backup(process, source, stop.get_token()); }), ErrorCode::interrupted);
  EXPECT_EQ(snapshots(), 0U);
}

TEST_F(StreamTest, ItsNameIsOneOfAFile) {
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string(256, 'x')})
    EXPECT_EQ(code_of([&] { const CommandSource source("true", name); }), ErrorCode::usage) << name;
  const CommandSource longest("true", std::string(255, 'x'));
  EXPECT_EQ(longest.paths().front().size(), 256U);
}

}  // namespace
}  // namespace qcbak::tests
