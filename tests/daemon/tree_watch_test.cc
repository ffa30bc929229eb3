#include "daemon/tree_watch.h"

#include <gmock/gmock.h>
#include <poll.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temporary_directory.h"

namespace qcbak::daemon {
namespace {

using tests::TemporaryDirectory;

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

class TreeWatchTest : public testing::Test {
 protected:
  TreeWatchTest() {
    fs::create_directories(top() + "/a/b");
    write("a/b/file", "old");
    write("other", "old");
    source::Patterns excludes(top());
    excludes.add("*.tmp");
    excludes.add("cache/");
    watch_.add("job", {top()}, excludes);
  }
  std::string top() const { return directory_.path() + "/top"; }
  void write(const std::string& path, const std::string& text) const { std::ofstream(top() + "/" + path) << text; }
  // The kernel has queued an event before the call that caused it returns.
  std::set<std::string> changed() { return watch_.read(); }

  const TemporaryDirectory directory_;
  TreeWatch watch_;
};

TEST_F(TreeWatchTest, SaysNothingWhenNothingChanged) {
  std::ifstream(top() + "/a/b/file").get();
  EXPECT_THAT(changed(), IsEmpty());
  EXPECT_THAT(watch_.refresh(), IsEmpty());
  pollfd wait{watch_.descriptor(), POLLIN, 0};
  EXPECT_EQ(::poll(&wait, 1, 0), 0);
}

TEST_F(TreeWatchTest, SeesEveryKindOfChange) {
  const auto expect_change = [&](const char* what) {
    EXPECT_THAT(changed(), ElementsAre("job")) << what;
    EXPECT_THAT(changed(), IsEmpty()) << what;
  };
  write("a/b/file", "new");
  expect_change("content");
  fs::permissions(top() + "/a/b/file", fs::perms(0600));
  expect_change("mode");
  fs::last_write_time(top() + "/other", fs::file_time_type::clock::now());
  expect_change("times");
  fs::rename(top() + "/a/b/file", top() + "/a/file");
  expect_change("rename");
  fs::create_symlink("x", top() + "/link");
  expect_change("link");
  fs::remove(top() + "/other");
  expect_change("removal");
  fs::permissions(top(), fs::perms(0700));
  expect_change("the top itself");
}

TEST_F(TreeWatchTest, FollowsDirectoriesThatComeAndMove) {
  fs::create_directories(top() + "/new/deep/deeper");
  EXPECT_THAT(changed(), ElementsAre("job"));
  write("new/deep/deeper/file", "x");
  EXPECT_THAT(changed(), ElementsAre("job"));
  fs::rename(top() + "/new", top() + "/moved");
  EXPECT_THAT(changed(), ElementsAre("job"));
  write("moved/deep/deeper/file", "y");
  EXPECT_THAT(changed(), ElementsAre("job"));
  fs::rename(top() + "/moved", directory_.path() + "/away");
  EXPECT_THAT(changed(), ElementsAre("job"));
  std::ofstream(directory_.path() + "/away/deep/deeper/file") << "z";
  EXPECT_THAT(changed(), IsEmpty()) << "it is not the job's any more";
}

TEST_F(TreeWatchTest, LeavesOutWhatIsExcluded) {
  write("a/x.tmp", "x");
  EXPECT_THAT(changed(), IsEmpty());
  fs::create_directory(top() + "/cache");
  EXPECT_THAT(changed(), IsEmpty());
  write("cache/x", "x");
  EXPECT_THAT(changed(), IsEmpty());
}

TEST_F(TreeWatchTest, NoticesThatTheTopCameWentOrWasReplaced) {
  fs::rename(top(), directory_.path() + "/gone");
  std::set<std::string> jobs = changed();
  jobs.merge(watch_.refresh());
  EXPECT_THAT(jobs, ElementsAre("job"));
  EXPECT_THAT(watch_.refresh(), IsEmpty());
  fs::create_directories(top() + "/a");
  EXPECT_THAT(watch_.refresh(), ElementsAre("job"));
  EXPECT_THAT(watch_.refresh(), IsEmpty());
  write("a/file", "x");
  EXPECT_THAT(changed(), ElementsAre("job"));
}

TEST_F(TreeWatchTest, TellsTheJobsOfOverlappingTrees) {
  watch_.add("inner", {top() + "/a/b"}, {});
  write("a/b/file", "new");
  EXPECT_THAT(changed(), ElementsAre("inner", "job"));
  write("a/file", "new");
  EXPECT_THAT(changed(), ElementsAre("job"));
  write("a/b/x.tmp", "new");
  EXPECT_THAT(changed(), ElementsAre("inner"));
}

TEST_F(TreeWatchTest, ASingleFileIsWatchedThroughItsReplacement) {
  watch_.add("file", {top() + "/a/b/file"}, {});
  write("a/b/file", "new");
  EXPECT_THAT(changed(), ElementsAre("file", "job"));
  write("replacement", "x");
  changed();
  fs::rename(top() + "/replacement", top() + "/a/b/file");
  std::set<std::string> jobs = changed();
  jobs.merge(watch_.refresh());
  EXPECT_THAT(jobs, ElementsAre("file", "job"));
  write("a/b/file", "again");
  EXPECT_THAT(changed(), ElementsAre("file", "job"));
}

// More events than the queue holds: it is not known what they were.
TEST_F(TreeWatchTest, SurvivesAnOverflow) {
  std::size_t limit = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> limit;
  ASSERT_GT(limit, 0U);
  for (std::size_t i = 0; i < limit; ++i) {
    // Two names in turn, so that equal events next to each other are not made one.
    fs::permissions(top() + "/other", fs::perms(0600));
    fs::permissions(top() + "/a/b/file", fs::perms(0600));
  }
  fs::create_directories(top() + "/unseen/deep");
  EXPECT_THAT(changed(), ElementsAre("job"));
  write("unseen/deep/file", "x");
  EXPECT_THAT(changed(), ElementsAre("job"));
}

}  // namespace
}  // namespace qcbak::daemon
