// Differences between snapshots, and between a snapshot and real files.
#include "backup/compare.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "base/error.h"
#include "tests/backup/workshop.h"

namespace qcbak::tests {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class Compare : public testing::Test {
 protected:
  // "+ /path", "- /path", "~ /path: what; what", with ! where the bytes differ; times without their values.
  std::string shown(const Difference& difference) const {
    std::string text = difference.kind == Difference::Kind::added     ? "+ "
                       : difference.kind == Difference::Kind::removed ? "- "
                       : difference.content                           ? "! "
                                                                      : "~ ";
    text += difference.path == shop_.source() ? "." : difference.path.substr(shop_.source().size() + 1);
    for (std::size_t i = 0; i < difference.what.size(); ++i)
      text += (i == 0 ? ": " : "; ") +
              (difference.what[i].starts_with("time ") ? std::string("time") : difference.what[i]);
    return text;
  }
  void snapshot() { shop_.backup(); }
  std::vector<std::string> live(std::vector<std::string> paths = {}) {
    open();
    for (std::string& path : paths) path = shop_.source() + "/" + path;
    std::vector<std::string> found;
    compare_live(*tree_, paths, [&](const Difference& difference) { found.push_back(shown(difference)); }, {});
    return found;
  }
  // The last snapshot but one with the last.
  std::vector<std::string> snapshots() {
    open();
    const std::vector<repository::SnapshotInfo> all = repository_->snapshots(nullptr);
    SnapshotTree before(*repository_, all.at(all.size() - 2));
    SnapshotTree after(*repository_, all.back());
    std::vector<std::string> found;
    compare_snapshots(before, after, {shop_.source()},
                      [&](const Difference& difference) { found.push_back(shown(difference)); });
    return found;
  }
  void open() {
    storage_ = shop_.open_storage();
    repository_ = shop_.open(*storage_, Access::read);
    tree_.emplace(*repository_, find_snapshot(*repository_, "latest", {}));
  }

  Workshop shop_;
  std::unique_ptr<storage::Storage> storage_;
  std::unique_ptr<repository::Repository> repository_;
  std::optional<SnapshotTree> tree_;
};

constexpr const char* kTree = R"sh(
mkdir -p dir/sub etc
for name in content mode xattr acl time grown type; do echo "$name" > etc/$name; done
echo x > dir/sub/file; echo y > dir/gone; ln -s here link; mkfifo fifo
truncate -s 3M etc/sparse
setfattr -n user.kept -v 1 etc/xattr; setfattr -n user.lost -v 1 etc/xattr
find . -exec touch -h -d '2020-02-02 02:02:02' {} +
)sh";
// One change of each kind. The directories keep their times, so that only what is meant is seen.
constexpr const char* kChanges = R"sh(
echo CONTENT > etc/content; touch -d '2020-02-02 02:02:02' etc/content
chmod 600 etc/mode
setfattr -n user.kept -v 2 etc/xattr; setfattr -x user.lost etc/xattr; setfattr -n user.new -v 1 etc/xattr
setfacl -m u:1234:r etc/acl
touch -d '2020-02-02 02:02:03' etc/time
echo more >> etc/grown; touch -d '2020-02-02 02:02:02' etc/grown
rm etc/type; mkdir etc/type; echo z > etc/type/inside
rm -r dir; echo x > etc/added; mkdir etc/new; echo x > etc/new/below
ln -sf there link; touch -h -d '2020-02-02 02:02:02' link
find . -type d ! -path './etc/type' ! -path './etc/new' -exec touch -d '2020-02-02 02:02:02' {} +
)sh";

const auto kFound = ElementsAre("- dir", "- dir/gone", "- dir/sub", "- dir/sub/file", "~ etc/acl: attribute system.posix_acl_access added",
                                "+ etc/added", "! etc/content: content", "! etc/grown: content; size 6 → 11",
                                "~ etc/mode: mode 0644 → 0600", "+ etc/new", "+ etc/new/below", "~ etc/time: time",
                                "! etc/type: type file → directory", "+ etc/type/inside",
                                "~ etc/xattr: attribute user.kept; attribute user.lost removed; attribute user.new added",
                                "! link: target here → there");

TEST_F(Compare, LiveFindsEachKindOfChange) {
  shop_.in_source(kTree);
  snapshot();
  EXPECT_THAT(live(), IsEmpty());
  shop_.in_source(kChanges);
  EXPECT_THAT(live(), kFound);
}

TEST_F(Compare, SnapshotsShowTheSame) {
  shop_.in_source(kTree);
  snapshot();
  shop_.in_source(kChanges);
  snapshot();
  EXPECT_THAT(snapshots(), kFound);
  snapshot();
  EXPECT_THAT(snapshots(), IsEmpty());
}

TEST_F(Compare, LiveSeesNewContentOfTheSameSizeAndTime) {
  shop_.in_source("head -c 5000000 /dev/urandom > file; touch -d '2020-02-02' file");
  snapshot();
  shop_.in_source("printf X | dd of=file bs=1 seek=4999999 conv=notrunc 2>/dev/null; touch -d '2020-02-02' file");
  EXPECT_THAT(live(), ElementsAre("! file: content"));
}

TEST_F(Compare, LiveDoesNotTouchAccessTimes) {
  shop_.in_source("echo x > file; mkdir dir; touch -a -d '2001-01-01' file dir");
  snapshot();
  live();
  EXPECT_EQ(run_or_throw({"stat", "-c", "%X", shop_.source() + "/file"}),
            run_or_throw({"date", "-d", "2001-01-01", "+%s"}));
}

TEST_F(Compare, OnlyBelowThePathsGiven) {
  shop_.in_source(kTree);
  snapshot();
  shop_.in_source(kChanges);
  EXPECT_THAT(live({"etc/mode", "dir"}),
              ElementsAre("- dir", "- dir/gone", "- dir/sub", "- dir/sub/file", "~ etc/mode: mode 0644 → 0600"));
  EXPECT_THAT(live({"etc/added"}), ElementsAre("+ etc/added"));
  EXPECT_THAT(live({"dir/sub/file"}), ElementsAre("- dir/sub/file"));
  EXPECT_THROW(live({"nowhere"}), Error);
}

TEST_F(Compare, AFileThatBecameALinkIsNotFollowed) {
  shop_.in_source("echo x > file; mkdir dir; echo x > dir/file; touch -d '2020-02-02' . dir");
  snapshot();
  shop_.in_source("mv file elsewhere; ln -s elsewhere file; mv dir away; ln -s away dir; touch -d '2020-02-02' .");
  EXPECT_THAT(live(), ElementsAre("+ away", "+ away/file", "! dir: type directory → symlink", "- dir/file", "+ elsewhere",
                                  "! file: type file → symlink"));
}

TEST_F(Compare, LiveGoesThroughDeepDirectoriesWithFewDescriptors) {
  shop_.in_source("d=$(printf 'd/%.0s' $(seq 300)); mkdir -p $d; echo x > $d/file; touch -d '2020-02-02' d; echo y > zz");
  snapshot();
  // Names that come after the way down, at every level.
  shop_.in_source("at=.; for i in $(seq 300); do at=$at/d; done; echo z >> $at/file; echo new > d/zzz; touch -d '2020-02-02' d");
  const std::vector<std::string> found = live();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_THAT(found[0], testing::HasSubstr("d/file: content; size 2 → 4"));
  EXPECT_EQ(found[1], "+ d/zzz");
}

TEST_F(Compare, OwnersAndDevices) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  shop_.in_source("echo x > file; mknod null c 1 3; echo x > flagged; echo x > linked; touch -d '2020-02-02' .");
  snapshot();
  shop_.in_source("chown 12:34 file; rm null; mknod -m 644 null c 1 5; chattr +d flagged; ln linked again");
  const auto found = live();
  EXPECT_THAT(found, UnorderedElementsAre(testing::StartsWith("~ .: time"), "+ again", "~ file: owner 0 → 12; group 0 → 34",
                                          testing::StartsWith("! null: device 1:3 → 1:5"),
                                          "~ flagged: flags 0x0 → 0x40", "~ linked: links 1 → 2"));
}

TEST_F(Compare, AFileSystemMountedSinceIsNotEntered) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  shop_.in_source("mkdir mnt; echo x > file");
  snapshot();
  const std::string mounted = shop_.source() + "/mnt";
  run_or_throw({"mount", "-t", "tmpfs", "-o", "mode=755", "none", mounted});
  run_or_throw({"/bin/sh", "-ec", "echo inside > '" + mounted + "/inside'"});
  std::vector<std::string> found, given;
  try {
    found = live();
    given = live({"mnt"});
  } catch (...) {
    run_or_throw({"umount", mounted});
    throw;
  }
  run_or_throw({"umount", mounted});
  EXPECT_THAT(found, ElementsAre(testing::StartsWith("~ mnt: time")));
  EXPECT_THAT(given, ElementsAre(testing::StartsWith("~ mnt: time"), "+ mnt/inside"));
}

TEST_F(Compare, WhatCannotBeReadIsSaid) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
  shop_.in_source("echo x > secret; chmod 600 secret; mkdir closed; echo x > closed/file; chmod 700 closed; echo x > open");
  snapshot();
  open();
  // The way there and the repository are open to all; the system's own directory for temporaries already is.
  run_or_throw({"/bin/sh", "-ec", "cd '" + shop_.root() + "'; chmod a+x .; chmod a+rx source; chmod -R a+rX repository"});
  std::vector<std::string> found;
  ASSERT_EQ(::seteuid(65534), 0);
  try {
    compare_live(*tree_, {shop_.source()}, [&](const Difference& difference) { found.push_back(shown(difference)); }, {});
  } catch (...) {
    ::seteuid(0);
    throw;
  }
  ASSERT_EQ(::seteuid(0), 0);
  EXPECT_THAT(found, testing::IsSupersetOf({testing::ContainsRegex("~ closed: unreadable: open .*Permission denied"),
                                            testing::ContainsRegex("~ secret: unreadable: open .*Permission denied")}));
  for (const std::string& line : found) EXPECT_THAT(line, testing::Not(testing::StartsWith("-")));
}

TEST_F(Compare, StopsWhenAsked) {
  shop_.in_source("echo x > file");
  snapshot();
  open();
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(compare_live(*tree_, {}, [](const Difference&) {}, stop.get_token()), Error);
}

TEST_F(Compare, EqualSubtreesAreNotEntered) {
  shop_.in_source("mkdir same; for i in $(seq 50); do echo $i > same/$i; done; echo x > file");
  snapshot();
  shop_.in_source("echo y > file");
  snapshot();
  open();
  const std::vector<repository::SnapshotInfo> all = repository_->snapshots(nullptr);
  SnapshotTree before(*repository_, all[0]), after(*repository_, all[1]);
  EXPECT_EQ(before.find(shop_.source() + "/same")->directory, after.find(shop_.source() + "/same")->directory);
  EXPECT_THAT(snapshots(), ElementsAre(testing::StartsWith("! file: content")));
}

}  // namespace
}  // namespace qcbak::tests
