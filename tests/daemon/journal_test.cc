#include "daemon/journal.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/backup/workshop.h"
#include "tests/support/seeded_random.h"

namespace qcbak::daemon {
namespace {

using tests::Access;

// A copy that was made, and the source looked through afterwards, whatever happened to it in between.
class JournalTest : public testing::Test {
 protected:
  Reconciliation after(const std::string& change) {
    shop_.in_source("mkdir d; echo one >d/one; echo two >d/two; find . -exec touch -h -d '2 hours ago' {} +");
    const auto storage = shop_.open_storage();
    const auto repository = shop_.open(*storage, Access::write_only);
    const repository::WriteContext context{*storage, *repository, repository->domain(""), clock_, random_};
    BackupOptions options;
    options.paths = {shop_.source()};
    Progress progress;
    const BackupResult copy = qcbak::backup(context, options, progress, {});
    shop_.in_source(change);
    options.commit = BackupOptions::Commit::no;
    return reconcile(copy, qcbak::backup(context, options, progress, {}));
  }
  const tests::Workshop shop_;
  SystemClock clock_;
  tests::SeededRandom random_{3};
};

TEST_F(JournalTest, TheCopyOfWhatRestsAgrees) {
  const Reconciliation found = after("true");
  EXPECT_TRUE(found.agrees());
  EXPECT_EQ(found.files, 2U);
}

TEST_F(JournalTest, NewContentDiffers) {
  const Reconciliation found = after("echo something else >d/two");
  EXPECT_FALSE(found.agrees());
  EXPECT_EQ(found.bytes_differing, 15U);
  EXPECT_EQ(found.gone, 0U);
}

TEST_F(JournalTest, ANewFileDiffers) {
  const Reconciliation found = after("echo three >d/three");
  EXPECT_FALSE(found.agrees());
  EXPECT_EQ(found.read_again + found.as_stored, 3U);
}

TEST_F(JournalTest, AFileThatIsGoneDiffers) {
  const Reconciliation found = after("rm d/one");
  EXPECT_FALSE(found.agrees());
  EXPECT_EQ(found.gone, 1U);
}

TEST_F(JournalTest, TheLogHasAllButTheListOfFindings) {
  JournalEntry entry;
  entry.result.findings.push_back({"/etc/shadow", "permission denied"});
  const auto json = for_the_log(json_of(entry).dump());
  EXPECT_EQ(json.at("findings"), 1);
  EXPECT_FALSE(json.contains("errors"));
  EXPECT_TRUE(for_the_log("").is_null());
}

}  // namespace
}  // namespace qcbak::daemon
