// Archives checked by the programs that people will unpack them with: GNU tar, bsdtar, unzip.
#include "backup/export.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sstream>

#include "base/error.h"
#include "tests/backup/workshop.h"

// libarchive 3.6 does not free the buffer of an archive that was given up (archive_write_fail). Closing it instead would
// write the rest of the entry, however long, and make what was cut short look whole.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libarchive"; }

namespace qcbak::tests {
namespace {

// Everything a tar has to hold. The directories' times go last.
constexpr const char* kVariety = R"sh(
mkdir -p a/b/c empty "$(printf 'e\314\201')"
echo hello > a/hello
: > a/nothing
head -c 3000000 /dev/urandom > a/b/large
ln a/hello a/b/hard
ln -s ../hello a/b/soft
ln a/b/soft a/b/soft-again -P
ln -s "$(printf 'to\377')" a/b/soft-binary
mkfifo a/fifo
truncate -s 20M a/sparse
printf x | dd of=a/sparse bs=1 seek=10000000 conv=notrunc 2>/dev/null
truncate -s 5M a/hole
printf data > a/hole-at-end; truncate -s 3M a/hole-at-end
touch -d '1969-05-05 12:00:00' a/old
touch -d '2200-05-05 12:00:00.5' a/late
touch -d '2001-02-03 04:05:06.123456789' a/exact
chmod 4755 a/hello; chmod 1777 empty
printf data > "$(printf 'b\377d\nname')"
printf data > "t$(printf '\303\272')n"
setfattr -n user.k -v value a/nothing
setfattr -n user.binary -v 0x00ff3d0a a/nothing
setfattr -n user.empty a/nothing
setfacl -m u:1234:rw,u:root:r,g:4321:x a/old
setfacl -m u:1234:rwx -d -m g:4321:rx a/b/c
i=$(printf '%0200d' 7); mkdir -p "$i/$i/$i"; echo deep > "$i/$i/$i/$i"
touch -d '2001-01-01' a/b a
)sh";
constexpr const char* kForRoot = R"sh(
mknod a/null c 1 3
mknod a/disk b 259 1048575
chown 12345:54321 a/exact
chown -h 3000000000:7 a/b/soft-binary
setfattr -n trusted.t -v secret a/exact
setcap cap_net_raw+ep a/nothing
chattr +d a/exact
)sh";

class Export : public testing::Test {
 protected:
  void make_snapshot() {
    shop_.backup();
    storage_ = shop_.open_storage();
    repository_ = shop_.open(*storage_, Access::read);
    tree_.emplace(*repository_, find_snapshot(*repository_, "latest", {}));
  }
  ExportResult write(ArchiveFormat format, const std::string& path = "") {
    Progress progress;
    return export_archive(*tree_, path.empty() ? shop_.source() : path, format, archive(), progress, {});
  }
  std::string archive() const { return shop_.root() + "/archive"; }
  std::string unpacked() const { return shop_.root() + "/unpacked"; }
  std::string unpack(const std::string& script) const {
    return run_or_throw({"/bin/sh", "-ec", "mkdir '" + unpacked() + "'; cd '" + unpacked() + "'; " + script});
  }
  // All that differs, in rsync's words.
  std::string difference() const {
    return run_or_throw({"rsync", "-aHAXSn", "--checksum", "--delete", "--itemize-changes", shop_.source() + "/",
                         unpacked() + shop_.source() + "/"});
  }
  static std::vector<std::string> left_out(const ExportResult& result) {
    std::vector<std::string> text;
    for (const repository::Finding& finding : result.left_out)
      text.push_back(finding.path.substr(finding.path.rfind('/') + 1) + ": " + finding.what);
    return text;
  }

  Workshop shop_;
  std::unique_ptr<storage::Storage> storage_;
  std::unique_ptr<repository::Repository> repository_;
  std::optional<SnapshotTree> tree_;
};

// What GNU tar says of things it does not know or finds odd, and keeps or leaves nevertheless.
std::string without_chatter(const std::string& output) {
  std::istringstream lines(output);
  std::string kept;
  for (std::string line; std::getline(lines, line);)
    if (line.find("Ignoring unknown extended header keyword") == std::string::npos &&
        line.find("time stamp") == std::string::npos)
      kept += line + "\n";
  return kept;
}

constexpr const char* kGnuTar = "tar --acls --xattrs --xattrs-include='*' --numeric-owner --same-owner -xpf ../archive";
constexpr const char* kBsdTar = "bsdtar --acls --xattrs --fflags --numeric-owner --same-owner -xpf ../archive";

TEST_F(Export, GnuTarPutsBackEverything) {
  shop_.in_source(kVariety);
  if (::geteuid() == 0) shop_.in_source(kForRoot);
  make_snapshot();
  const ExportResult result = write(ArchiveFormat::tar);
  EXPECT_THAT(left_out(result), testing::IsEmpty());
  EXPECT_EQ(without_chatter(unpack(kGnuTar)), "");
  EXPECT_EQ(difference(), "");
  EXPECT_EQ(run_or_throw({"find", shop_.source(), "-mindepth", "0", "-printf", "x"}).size(), result.entries);
}

TEST_F(Export, BsdTarPutsBackEverything) {
  shop_.in_source(kVariety);
  if (::geteuid() == 0) shop_.in_source(kForRoot);
  shop_.in_source("rmdir \"$(printf 'e\\314\\201')\"");  // bsdtar composes such names as it reads them
  make_snapshot();
  write(ArchiveFormat::tar_zst);
  EXPECT_EQ(unpack(kBsdTar), "");
  EXPECT_EQ(difference(), "");
  if (::geteuid() == 0) {
    EXPECT_THAT(run_or_throw({"lsattr", unpacked() + shop_.source() + "/a/exact"}), testing::HasSubstr("d"));
  }
}

TEST_F(Export, HolesTakeNoRoom) {
  shop_.in_source("truncate -s 50M a; printf x | dd of=a bs=1 seek=30000000 conv=notrunc 2>/dev/null; truncate -s 200M b");
  make_snapshot();
  const ExportResult result = write(ArchiveFormat::tar);
  EXPECT_EQ(result.bytes, 250U << 20);
  struct stat status {};
  ASSERT_EQ(::stat(archive().c_str(), &status), 0);
  EXPECT_LT(status.st_size, 1 << 20);
  unpack(kGnuTar);
  EXPECT_EQ(difference(), "");
  EXPECT_LT(std::stoi(run_or_throw({"du", "-sk", unpacked()})), 4096);
}

TEST_F(Export, SaysWhatTarCannotHold) {
  shop_.in_source(R"sh(
    touch -d '1969-12-31 23:59:59.25Z' early
    echo x > file; setfattr -n 'user.a=b' -v v file; setfattr -n 'user.a' -v v file
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")')sh");
  make_snapshot();
  EXPECT_THAT(left_out(write(ArchiveFormat::tar)),
              testing::ElementsAre("early: the fraction of a second in its time before 1970",
                                   "file: attribute user.a=b, whose name pax cannot hold",
                                   "socket: a socket, which tar cannot hold"));
  unpack(kGnuTar);
  EXPECT_EQ(run_or_throw({"getfattr", "--absolute-names", "-n", "user.a", "--only-values", unpacked() + shop_.source() + "/file"}), "v");
}

TEST_F(Export, ZipHoldsFilesDirectoriesAndLinks) {
  shop_.in_source(kVariety);
  shop_.in_source("rm a/fifo a/old; find . -exec touch -h -d '2020-02-02 02:02:02' {} +");
  make_snapshot();
  EXPECT_THAT(left_out(write(ArchiveFormat::zip)),
              testing::ElementsAre("c: attribute system.posix_acl_access, which zip cannot hold",
                                   "c: attribute system.posix_acl_default, which zip cannot hold",
                                   "soft-binary: its target is not UTF-8, and zip cannot hold it",
                                   "nothing: attribute user.binary, which zip cannot hold",
                                   "nothing: attribute user.empty, which zip cannot hold",
                                   "nothing: attribute user.k, which zip cannot hold",
                                   "b\xff" "d\nname: its name is not UTF-8, and zip cannot hold it"));
  unpack("unzip -qK ../archive");
  shop_.in_source("rm a/b/soft-binary \"$(printf 'b\\377d\\nname')\"");
  // Hard links became copies; the time of a symbolic link is one that unzip does not set.
  EXPECT_EQ(run_or_throw({"rsync", "-rlptOJn", "--checksum", "--delete", "--itemize-changes", shop_.source() + "/",
                          unpacked() + shop_.source() + "/"}),
            "");
}

TEST_F(Export, SaysWhatZipCannotHold) {
  shop_.in_source("mkfifo fifo; echo x > late; touch -d '2100-01-01' late; echo x > old; touch -d '1969-01-01' old; "
                  "touch -d '2020-02-02' fifo .");
  if (::geteuid() == 0) shop_.in_source("mknod null c 1 3");
  make_snapshot();
  std::vector<std::string> expected{"fifo: a FIFO, which zip cannot hold", "late: its time, which zip cannot hold"};
  if (::geteuid() == 0) expected.emplace_back("null: a device, which zip cannot hold");
  expected.emplace_back("old: its time, which zip cannot hold");
  EXPECT_EQ(left_out(write(ArchiveFormat::zip)), expected);
  unpack("unzip -q ../archive");
}

TEST_F(Export, OfOneFileAndOfAllHaveTheSamePaths) {
  shop_.in_source("mkdir d; echo x > d/file");
  make_snapshot();
  const std::string relative = shop_.source().substr(1);
  EXPECT_EQ(write(ArchiveFormat::tar, shop_.source() + "/d/file").entries, 1U);
  EXPECT_EQ(run_or_throw({"tar", "-tf", archive()}), relative + "/d/file\n");
  write(ArchiveFormat::tar, "/");
  EXPECT_THAT(run_or_throw({"tar", "-tf", archive()}), testing::EndsWith(relative + "/\n" + relative + "/d/\n" + relative + "/d/file\n"));
  EXPECT_THROW(write(ArchiveFormat::tar, "/nowhere"), Error);
}

TEST_F(Export, LeavesNothingBehindWhenItFails) {
  shop_.in_source("head -c 3000000 /dev/urandom > file");
  make_snapshot();
  run_or_throw({"/bin/sh", "-ec", "for pack in '" + shop_.repository_path() + "'/packs/*/*; do "
                "chmod u+w $pack; head -c $(stat -c %s $pack) /dev/zero | dd of=$pack bs=1M conv=notrunc skip=0 2>/dev/null; done"});
  run_or_throw({"/bin/sh", "-c", "echo before > '" + archive() + "'"});
  EXPECT_THROW(write(ArchiveFormat::tar), Error);
  EXPECT_EQ(run_or_throw({"cat", archive()}), "before\n");
  EXPECT_EQ(run_or_throw({"/bin/sh", "-c", "ls '" + shop_.root() + "' | grep -c archive"}), "1\n");
}

TEST_F(Export, WritesStraightToWhatIsNoFile) {
  shop_.in_source("echo x > file");
  make_snapshot();
  Progress progress;
  export_archive(*tree_, "/", ArchiveFormat::tar, "/dev/null", progress, {});
  EXPECT_EQ(run_or_throw({"stat", "-c", "%F", "/dev/null"}), "character special file\n");
}

TEST_F(Export, StopsWhenAsked) {
  shop_.in_source("echo x > file");
  make_snapshot();
  std::stop_source stop;
  stop.request_stop();
  Progress progress;
  EXPECT_THROW(export_archive(*tree_, "/", ArchiveFormat::tar, archive(), progress, stop.get_token()), Error);
  EXPECT_NE(::access(archive().c_str(), F_OK), 0);
}

}  // namespace
}  // namespace qcbak::tests
