#include "daemon/state.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "tests/support/temporary_directory.h"

namespace qcbak::daemon {
namespace {

using tests::TemporaryDirectory;

using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

class StateTest : public testing::Test {
 protected:
  using Run = daemon::Run;  // testing::Test has another
  std::string path() const { return directory_.path() + "/state.db"; }
  static Run run(const std::string& id, std::int64_t slot, std::int64_t tries = 1) {
    Run run;
    run.id = id + std::string(32 - id.size(), '0');
    run.job = "etc";
    run.slot = Time{slot};
    run.tries = tries;
    run.started = Time{slot + 1};
    return run;
  }
  static Run ended(Run run, Outcome outcome) {
    run.ended = Time{run.started.ns + 1};
    run.outcome = outcome;
    run.snapshot = "abcd";
    run.error = "it \"hurt\"";
    run.summary = "{}";
    return run;
  }
  const TemporaryDirectory directory_;
};

TEST_F(StateTest, KeepsRunsFromOneLifeToTheNext) {
  {
    State state(path());
    EXPECT_FALSE(state.handled("etc"));
    EXPECT_TRUE(state.begin(run("11111111", 100)));
    EXPECT_EQ(state.handled("etc"), Time{100});
    EXPECT_THAT(state.unfinished(), ElementsAre(Field(&daemon::Run::slot, Time{100})));
    state.end(ended(run("11111111", 100), Outcome::complete));
    EXPECT_TRUE(state.begin(run("22222222", 200)));
  }
  State state(path());
  EXPECT_EQ(state.handled("etc"), Time{200});
  EXPECT_THAT(state.unfinished(), ElementsAre(Field(&daemon::Run::slot, Time{200})));
  const auto first = state.run("11111111");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->outcome, Outcome::complete);
  EXPECT_EQ(first->snapshot, "abcd");
  EXPECT_EQ(first->error, "it \"hurt\"");
  EXPECT_EQ(state.first_known("etc"), Time{100});
  EXPECT_FALSE(state.first_known("other"));
  EXPECT_EQ(state.last("etc")->slot, Time{200});
  EXPECT_EQ(state.last_success("etc")->slot, Time{100});
  EXPECT_THAT(state.history("etc", 10), ElementsAre(Field(&daemon::Run::slot, Time{200}), Field(&daemon::Run::slot, Time{100})));
  EXPECT_THAT(state.history("etc", 1), testing::SizeIs(1));
  EXPECT_THAT(state.history("other", 10), IsEmpty());
}

TEST_F(StateTest, GivesASlotAndTryOnlyOnce) {
  State state(path());
  EXPECT_TRUE(state.begin(run("11111111", 100)));
  EXPECT_FALSE(state.begin(run("22222222", 100)));
  EXPECT_FALSE(state.run("22222222"));
  EXPECT_TRUE(state.begin(run("33333333", 100, 2)));
}

TEST_F(StateTest, FindsARunByItsFirstDigitsWhenTheyAreItsOwn) {
  State state(path());
  state.begin(run("1111111122", 100));
  state.begin(run("1111111133", 200));
  EXPECT_FALSE(state.run("1111111"));
  EXPECT_FALSE(state.run("11111111"));
  EXPECT_EQ(state.run("1111111133")->slot, Time{200});
}

TEST_F(StateTest, RecallsOnlyWhatItDoesNotKnow) {
  State state(path());
  state.begin(run("11111111", 100));
  state.recall(ended(run("11111111", 100), Outcome::complete));
  EXPECT_FALSE(state.run("11111111")->outcome);
  state.recall(ended(run("22222222", 200), Outcome::incomplete));
  EXPECT_EQ(state.run("22222222")->outcome, Outcome::incomplete);
}

TEST_F(StateTest, IsForItsOwnerAlone) {
  const State state(path());
  EXPECT_EQ(std::filesystem::status(path()).permissions(), std::filesystem::perms(0600));
}

TEST_F(StateTest, SaysThatItIsDamaged) {
  { State state(path()); }
  for (const std::size_t keep : {std::size_t{0}, std::size_t{40}}) {
    std::string text(8192, 'x');
    if (keep > 0) {
      std::ifstream file(path(), std::ios::binary);
      file.read(text.data(), static_cast<std::streamsize>(keep));
    }
    std::ofstream(path(), std::ios::binary) << text;
    try {
      State state(path());
      ADD_FAILURE() << "it was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::damaged);
    }
  }
}

}  // namespace
}  // namespace qcbak::daemon
