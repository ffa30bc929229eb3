#include "backup/repository/log_check.h"

#include <gmock/gmock.h>

#include "backup/repository/format.h"
#include "base/error.h"
#include "tests/repository/test_repository.h"
#include "tests/simulated/simulated_storage.h"
#include "tests/support/seeded_random.h"

namespace qcbak::repository {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using tests::Access;

MATCHER_P2(Finds, number, what, "") { return arg.number == number && arg.what.find(what) != std::string::npos; }

// Ten audit entries after what a new repository starts with.
class LogCheckTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kAdded = 10;
  LogCheckTest() {
    tests::create_test_repository(storage_, clock_, random_);
    const auto repository = tests::open_test_repository(storage_, Access::write_only);
    const WriteContext context{storage_, *repository, repository->domain(""), clock_, random_};
    for (std::uint64_t i = 0; i < kAdded; ++i) {
      clock_.advance(tests::kSecondNs);
      append_log(context, [&]() -> LogEvent { return Audit{R"({"act":)" + std::to_string(i) + "}"}; });
    }
    last_ = repository->log().head;
  }
  LogCheck check(const std::vector<LogHead>& known = {}) { return check_log(storage_, "", known); }
  Bytes entry(std::uint64_t number) const { return storage_.get(log_path(number), kLogEntryLimit).value(); }

  simulated::Medium medium_;
  simulated::SimulatedStorage storage_{medium_};
  tests::ManualClock clock_;
  tests::SeededRandom random_{1};
  LogHead last_;
};

TEST_F(LogCheckTest, FindsNothingWrongWithAWholeLog) {
  const LogCheck whole = check({last_});
  EXPECT_THAT(whole.findings, IsEmpty());
  EXPECT_EQ(whole.entries, last_.number);
  EXPECT_EQ(whole.last.hash, last_.hash);
  EXPECT_EQ(whole.last_time, clock_.now());
}

TEST_F(LogCheckTest, NamesAnEntryWithAnyBitAltered) {
  const std::uint64_t number = last_.number - 5;
  const Bytes good = entry(number);
  for (std::size_t at = 0; at < good.size(); ++at) {
    Bytes bad = good;
    bad[at] ^= std::byte{0x10};
    storage_.replace(log_path(number), bad);
    EXPECT_THAT(check().findings, ElementsAre(Finds(number, "was altered"))) << at;
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, good.size() - 1}) {
    storage_.replace(log_path(number), ByteView(good).first(size));
    EXPECT_THAT(check().findings, ElementsAre(Finds(number, "was altered"))) << size;
  }
}

TEST_F(LogCheckTest, NamesEveryEntryThatIsMissing) {
  storage_.remove(log_path(last_.number - 2));
  storage_.remove(log_path(last_.number - 6));
  EXPECT_THAT(check().findings, ElementsAre(Finds(last_.number - 6, "is missing"), Finds(last_.number - 2, "is missing")));
}

TEST_F(LogCheckTest, NamesEntriesThatWereSwapped) {
  const std::uint64_t one = last_.number - 7, other = last_.number - 3;
  const Bytes first = entry(one), second = entry(other);
  storage_.replace(log_path(one), second);
  storage_.replace(log_path(other), first);
  EXPECT_THAT(check().findings, ElementsAre(Finds(one, "is entry " + std::to_string(other)),
                                            Finds(other, "is entry " + std::to_string(one))));
}

TEST_F(LogCheckTest, OnlyACheckpointTellsThatTheEndWasCutOff) {
  storage_.remove(log_path(last_.number));
  storage_.remove(log_path(last_.number - 1));
  EXPECT_THAT(check().findings, IsEmpty());
  EXPECT_THAT(check({last_}).findings,
              ElementsAre(Finds(last_.number, "the log ends before this checkpoint, with entry " +
                                                  std::to_string(last_.number - 2))));
}

// By somebody who has the writer's key: what followed no longer does.
TEST_F(LogCheckTest, NamesThePlaceWhereAnEntryWasReplacedAndSigned) {
  const std::uint64_t number = last_.number - 4;
  std::vector<Bytes> kept;
  for (std::uint64_t n = number; n <= last_.number; ++n) kept.push_back(entry(n));
  for (std::uint64_t n = number; n <= last_.number; ++n) storage_.remove(log_path(n));
  {
    const auto repository = tests::open_test_repository(storage_, Access::write_only);
    const WriteContext context{storage_, *repository, repository->domain(""), clock_, random_};
    append_log(context, [&]() -> LogEvent { return Audit{R"({"act":"another"})"}; });
  }
  for (std::uint64_t n = number + 1; n <= last_.number; ++n) storage_.put(log_path(n), kept[n - number]);
  EXPECT_THAT(check().findings, ElementsAre(Finds(number + 1, "does not follow on entry " + std::to_string(number))));
  EXPECT_THAT(check({{number, crypto::sha256(kept[0])}}).findings,
              testing::Contains(Finds(number, "is not the one that the checkpoint names")));
}

TEST_F(LogCheckTest, ChecksWhatCheckpointsInTheLogSay) {
  const auto repository = tests::open_test_repository(storage_, Access::write_only);
  const WriteContext context{storage_, *repository, repository->domain(""), clock_, random_};
  append_log(context, [&]() -> LogEvent { return Checkpoint{last_}; });
  EXPECT_THAT(check().findings, IsEmpty());
  append_log(context, [&]() -> LogEvent { return Checkpoint{{last_.number - 1, last_.hash}}; });
  EXPECT_THAT(check().findings, ElementsAre(Finds(last_.number + 2, "says something else of entry")));
}

TEST_F(LogCheckTest, NeedsARepository) {
  storage_.remove("config");
  EXPECT_THROW(check(), Error);
}

}  // namespace
}  // namespace qcbak::repository
