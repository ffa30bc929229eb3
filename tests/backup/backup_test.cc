#include "backup/backup.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/backup/workshop.h"

namespace qcbak::tests {
namespace {

std::string findings(const RestoreResult& result) {
  std::string text;
  for (const RestoreFinding& finding : result.findings) text += finding.path + ": " + finding.what + "\n";
  return text;
}

std::string findings(const BackupResult& result) {
  std::string text;
  for (const repository::Finding& finding : result.findings) text += finding.path + ": " + finding.what + "\n";
  return text;
}

constexpr const char* kVariety = R"sh(
mkdir -p a/b/c empty
echo hello > a/hello
: > a/nothing
head -c 3000000 /dev/urandom > a/b/large
head -c 9000000 /dev/zero > a/b/zeros
ln a/hello a/b/hard
ln -s ../hello a/b/soft
mkfifo a/fifo
truncate -s 50M a/sparse; printf x | dd of=a/sparse bs=1 seek=20000000 conv=notrunc 2>/dev/null
touch -d '1969-05-05 12:00:00.123456789' a/old
touch -d '2200-05-05 12:00:00.5' a/late
chmod 4755 a/hello
printf data > "$(printf 'b\377d\nname')"
setfattr -n user.k -v value a/nothing
setfacl -m u:1234:rw a/old
touch -d '2001-01-01' a/b a
for i in $(seq 500); do echo "file $i" > a/b/c/$i; done
)sh";

TEST(Backup, ComesBackExactly) {
  const Workshop shop;
  shop.in_source(kVariety);
  const BackupResult made = shop.backup();
  EXPECT_EQ(findings(made), "");
  RestoreOptions options;
  options.verify = RestoreOptions::Verify::yes;
  const RestoreResult restored = shop.restore(options);
  EXPECT_EQ(findings(restored), "");
  EXPECT_EQ(shop.difference(), "");
  EXPECT_EQ(restored.files, made.files_new + 1);  // the second name of the hard link was not read again
}

TEST(Backup, UnchangedFilesAreNotOpenedAndNothingIsStored) {
  const Workshop shop;
  shop.in_source(kVariety);
  shop.in_source("find . -exec touch -h -d '2 days ago' {} +; sleep 1.2");
  shop.backup();
  const BackupResult again = shop.backup();
  EXPECT_EQ(again.files_unmodified, 508U);
  EXPECT_EQ(again.bytes_read, 0U);
  EXPECT_EQ(again.bytes_added, 0U);
  shop.restore();
  EXPECT_EQ(shop.difference(), "");
}

TEST(Backup, ReadsAgainWhatChanged) {
  const Workshop shop;
  shop.in_source(kVariety);
  shop.in_source("sleep 1.2");
  shop.backup();
  shop.in_source("echo more >> a/b/large; rm a/b/c/7; echo changed > a/b/c/8; setfattr -n user.n -v w a/b/c/9");
  const BackupResult again = shop.backup();
  EXPECT_EQ(again.files_changed, 3U);
  EXPECT_EQ(again.files_new, 0U);
  EXPECT_LT(again.bytes_added, 3'000'000U);
  shop.restore();
  EXPECT_EQ(shop.difference(), "");
}

TEST(Backup, ALostCacheCostsOnlyTime) {
  const Workshop shop;
  shop.in_source(kVariety);
  shop.backup();
  run_or_throw({"rm", "-r", shop.root() + "/cache"});
  const BackupResult again = shop.backup();
  EXPECT_EQ(again.bytes_added, 0U);
  EXPECT_EQ(again.files_unmodified, 0U);
}

TEST(Restore, LeavesAloneWhatIsRightAndMendsTheRest) {
  const Workshop shop;
  shop.in_source(kVariety);
  shop.backup();
  shop.restore();
  run_or_throw({"/bin/sh", "-ec",
                "cd '" + shop.target() +
                    "'; printf XX | dd of=a/b/large bs=1 seek=2000000 conv=notrunc 2>/dev/null; rm a/b/c/3; "
                    "echo junk | dd of=a/sparse bs=1 seek=1000 conv=notrunc 2>/dev/null; ln -sf /etc/passwd a/b/c/4"});
  RestoreOptions options;
  options.verify = RestoreOptions::Verify::yes;
  const RestoreResult restored = shop.restore(options);
  EXPECT_EQ(findings(restored), "");
  EXPECT_EQ(shop.difference(), "");
  EXPECT_LT(restored.bytes_written, 3'000'000U);
}

TEST(Restore, RemovesWhatTheSnapshotDoesNotHaveOnlyWhenAsked) {
  const Workshop shop;
  shop.in_source(kVariety);
  shop.backup();
  shop.restore();
  run_or_throw({"/bin/sh", "-ec", "cd '" + shop.target() + "'; mkdir -p extra/deep; echo x > extra/deep/file; echo y > a/more"});
  shop.restore();
  EXPECT_NE(shop.difference(), "");
  RestoreOptions options;
  options.extra = RestoreOptions::Extra::remove;
  EXPECT_EQ(shop.restore(options).removed, 2U);
  EXPECT_EQ(shop.difference(), "");
}

TEST(Restore, PicksAndLeavesOut) {
  const Workshop shop;
  shop.in_source(kVariety);
  shop.backup();
  RestoreOptions options;
  options.includes.add("c/");
  options.excludes.add("1*");
  const RestoreResult restored = shop.restore(options);
  EXPECT_EQ(findings(restored), "");
  EXPECT_EQ(run_or_throw({"/bin/sh", "-ec", "cd '" + shop.target() + "'; find . -type f | wc -l"}), "389\n");
}

TEST(Backup, ExcludesAndFindings) {
  const Workshop shop;
  shop.in_source(kVariety);
  BackupOptions options;
  options.excludes.add("c/");
  options.paths = {shop.source(), shop.root() + "/nowhere"};
  const BackupResult made = shop.backup(options);
  EXPECT_EQ(made.findings.size(), 1U);
  EXPECT_LT(made.files_new, 20U);
}

TEST(Backup, NothingThereIsAnError) {
  const Workshop shop;
  BackupOptions options;
  options.paths = {shop.root() + "/nowhere"};
  EXPECT_THROW(shop.backup(options), Error);
}

TEST(Backup, CommitsNothingWhileTheStateIsTheSame) {
  const Workshop shop;
  shop.in_source("mkdir -p folder/below; echo one >folder/below/file; echo two >second; ln -s file folder/below/link; chmod 755 folder; chmod 644 second; sleep 1.2");
  BackupOptions options;
  options.paths = {shop.source() + "/folder", shop.source() + "/second"};
  const BackupResult first = shop.backup(options);
  options.unless_state = first.state;
  const auto unchanged = [&] {
    const BackupResult again = shop.backup(options);
    EXPECT_EQ(again.snapshot == repository::SnapshotId(), again.state == first.state);
    return again.state == first.state;
  };
  EXPECT_TRUE(unchanged());
  shop.in_source("touch third; chmod 701 .");  // above the paths, and beside them
  EXPECT_TRUE(unchanged());
  for (const auto& [change, back] : std::vector<std::pair<std::string, std::string>>{
           {"chmod 700 folder", "chmod 755 folder"},
           {"chmod 600 second", "chmod 644 second"},
           {"touch -d 2001-01-01 folder/below/link -h", ""},
           {"echo three >folder/below/file", ""},
           {"mv folder/below/file folder/below/other", ""},
           {"rm second", ""}}) {
    SCOPED_TRACE(change);
    shop.in_source(change);
    EXPECT_FALSE(unchanged());
    if (back.empty()) continue;
    shop.in_source(back);
    EXPECT_TRUE(unchanged());
  }
}

}  // namespace
}  // namespace qcbak::tests
