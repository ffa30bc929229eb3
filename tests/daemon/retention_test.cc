#include "daemon/retention.h"

#include <gtest/gtest.h>

#include "tests/backup/workshop.h"
#include "tests/support/seeded_random.h"

namespace qcbak::daemon {
namespace {

using tests::Access;
using tests::kDayNs;
using tests::ManualClock;
using tests::Workshop;

class RetentionTest : public testing::Test {
 protected:
  RetentionTest() {
    shop_.in_source("echo x >file");
    storage_ = shop_.open_storage();
    job_.name = "etc";
  }
  // A snapshot of the job, a day after the one before.
  repository::SnapshotId back_up(const std::string& job = "etc", std::int64_t later_ns = kDayNs) {
    clock_.advance(later_ns);
    const auto repository = shop_.open(*storage_, Access::write_only);
    BackupOptions options;
    options.paths = {shop_.source()};
    options.labels = {{"job", job}};
    Progress progress;
    return qcbak::backup({*storage_, *repository, repository->domain(""), clock_, random_}, options, progress, {}).snapshot;
  }
  Kept apply() {
    const auto repository = shop_.open(*storage_, Access::write_only);
    return apply_retention({*storage_, *repository, repository->domain(""), clock_, random_}, job_);
  }
  std::size_t living() const { return shop_.open(*storage_, Access::write_only)->snapshots(nullptr).size(); }

  const Workshop shop_;
  ManualClock clock_{SystemClock().now()};  // the workshop makes its repository by the real one
  tests::SeededRandom random_{3};
  std::unique_ptr<storage::Storage> storage_;
  config::Job job_;
};

TEST_F(RetentionTest, WithoutARuleNothingIsForgotten) {
  for (int i = 0; i < 3; ++i) back_up();
  EXPECT_EQ(apply().forgotten, 0U);
  EXPECT_EQ(living(), 3U);
}

TEST_F(RetentionTest, ForgetsWhatNoRuleKeepsOfThisJobAlone) {
  for (int i = 0; i < 4; ++i) {
    back_up();
    back_up("other");
  }
  job_.retention.last = 2;
  EXPECT_EQ(apply().forgotten, 2U);
  EXPECT_EQ(living(), 6U);
  EXPECT_EQ(apply().forgotten, 0U);
}

TEST_F(RetentionTest, LocksAndForgetsNothingThatIsLocked) {
  job_.retention.last = 1;
  job_.retention.lock_ns = 3 * kDayNs;
  for (int i = 0; i < 3; ++i) {
    back_up();
    EXPECT_EQ(apply().locked, 1U);
  }
  EXPECT_EQ(living(), 3U);
  back_up();  // the first is three days old now
  EXPECT_EQ(apply().forgotten, 1U);
  EXPECT_EQ(living(), 3U);
}

TEST_F(RetentionTest, ALockIsLengthenedAndNeverShortened) {
  job_.retention.lock_ns = 10 * kDayNs;
  back_up();
  EXPECT_EQ(apply().locked, 1U);
  job_.retention.lock_ns = 5 * kDayNs;
  EXPECT_EQ(apply().locked, 0U);
  job_.retention.lock_ns = 20 * kDayNs;
  EXPECT_EQ(apply().locked, 1U);
}

TEST_F(RetentionTest, ForgetsNothingRightAfterAJumpOfTheClock) {
  job_.retention.last = 1;
  job_.retention.lock_ns = 30 * kDayNs;
  for (int i = 0; i < 3; ++i) back_up();
  apply();
  back_up("etc", 3650 * kDayNs);
  EXPECT_EQ(apply().forgotten, 0U);
  EXPECT_EQ(living(), 4U);
}

}  // namespace
}  // namespace qcbak::daemon
