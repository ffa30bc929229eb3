// Everything that file systems keep, through a backup and a restore, judged by programs that are not ours.
#include <gtest/gtest.h>

#include "tests/backup/workshop.h"
#include "tests/support/loop_mount.h"
#include "tests/support/whole_tree.h"

namespace qcbak::tests {
namespace {

template <class Result>
std::string findings(const Result& result) {
  std::string text;
  for (const auto& finding : result.findings) text += finding.path + ": " + finding.what + "\n";
  return text;
}

class FileSystem : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(On, FileSystem, ::testing::Values("ext4", "xfs", "btrfs", "tmpfs"),
                         [](const auto& case_) { return case_.param; });

TEST_P(FileSystem, ComesBackExactly) {
  const LoopMount mount(GetParam());
  const Workshop shop(mount.path());
  make_whole_tree(shop.source());
  EXPECT_EQ(findings(shop.backup()), "");
  RestoreOptions options;
  options.verify = RestoreOptions::Verify::yes;
  // Anew; over itself, with its flags and access lists; into the same inodes; with nothing else left.
  using Overwrite = RestoreOptions::Overwrite;
  for (const Overwrite overwrite : {Overwrite::if_changed, Overwrite::always, Overwrite::if_changed}) {
    options.overwrite = overwrite;
    const RestoreResult restored = shop.restore(options);
    EXPECT_EQ(findings(restored), "");
    EXPECT_EQ(differences(shop.source(), shop.target()), "");
    options.extra = RestoreOptions::Extra::remove;
  }
  EXPECT_EQ(shop.restore(options).bytes_written, 1U);  // a file of several names is made anew
}

// Metadata that comes from the cache instead of the file.
TEST_P(FileSystem, ComesBackExactlyFromTheSecondBackup) {
  const LoopMount mount(GetParam());
  const Workshop shop(mount.path());
  make_whole_tree(shop.source());
  in_directory(shop.root(), "sleep 1.2");
  shop.backup();
  const BackupResult again = shop.backup();
  EXPECT_EQ(findings(again), "");
  EXPECT_EQ(again.files_new + again.files_changed, 0U);
  EXPECT_EQ(again.bytes_added, 0U);
  RestoreOptions options;
  options.verify = RestoreOptions::Verify::yes;
  EXPECT_EQ(findings(shop.restore(options)), "");
  EXPECT_EQ(differences(shop.source(), shop.target()), "");
}

}  // namespace
}  // namespace qcbak::tests
