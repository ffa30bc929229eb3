// Files that change, vanish, or cannot be read while a backup runs.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "backup/browse.h"
#include "backup/verify.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "tests/backup/workshop.h"
#include "tests/storage/child_process.h"
#include "tests/support/loop_mount.h"
#include "tests/support/seeded_random.h"
#include "tests/support/whole_tree.h"

namespace qcbak::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

template <class Result>
std::string findings(const Result& result) {
  std::string text;
  for (const auto& finding : result.findings) text += printable(finding.path) + ": " + finding.what + "\n";
  return text;
}

// Does to a tree whatever programs do, and never waits.
class Meddler {
 public:
  explicit Meddler(std::string root, std::uint64_t seed) : root_(std::move(root)), random_(seed) {
    for (int i = 0; i < 300; ++i) act();
  }
  void act() {
    const std::string path = some_path(), other = some_path();
    std::error_code ignored;
    switch (random_.below(16)) {
      case 0: std::filesystem::create_directories(root_ + "/" + some_name(), ignored); break;
      case 1: ::unlink(path.c_str()); break;
      case 2:
      case 3: ::rename(path.c_str(), other.c_str()); break;
      case 4:
        ::syscall(SYS_renameat2, AT_FDCWD, path.c_str(), AT_FDCWD, other.c_str(), 2U /* RENAME_EXCHANGE */);
        break;
      case 5:
        ::unlink(path.c_str());
        ::mkfifo(path.c_str(), 0600);
        break;
      case 6:
        ::unlink(path.c_str());
        std::filesystem::create_symlink(other, path, ignored);
        break;
      case 7: ::link(path.c_str(), other.c_str()); break;
      case 8: std::filesystem::remove_all(root_ + "/" + some_name(), ignored); break;
      case 9: ::chmod(path.c_str(), 0600 | static_cast<unsigned>(random_.below(8))); break;
      case 10: ::truncate(path.c_str(), static_cast<off_t>(random_.below(2'000'000))); break;
      default: write(path); break;
    }
  }

 private:
  std::string some_name() { return std::string(1, static_cast<char>('a' + random_.below(12))); }
  std::string some_path() {
    return root_ + "/" + some_name() + "/" + some_name() + (random_.one_in(8) ? "/" + some_name() : "");
  }
  void write(const std::string& path) {
    std::error_code ignored;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
    const int how = random_.one_in(2) ? O_APPEND : random_.one_in(2) ? O_TRUNC : 0;
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | how, 0644));
    if (!fd) return;
    Bytes content(random_.one_in(20) ? 1'500'000 : random_.below(20'000));
    for (std::size_t i = 0; i < content.size(); i += 97) content[i] = static_cast<std::byte>(random_.below(256));
    const auto offset = static_cast<off_t>(random_.one_in(2) ? random_.below(3'000'000) : 0);
    if (::pwrite(fd.get(), content.data(), content.size(), offset) < 0) return;
  }

  std::string root_;
  SeededRandom random_;
};

TEST(Changing, EverySnapshotIsWhole) {
  const Workshop shop;
  {
    Meddler first(shop.source(), 1), second(shop.source(), 2);
    const auto meddle = [](Meddler& meddler) {
      return [&meddler](const std::stop_token& stop) {
        while (!stop.stop_requested()) meddler.act();
      };
    };
    const std::jthread a(meddle(first)), b(meddle(second));
    for (int i = 0; i < 15; ++i) {
      const BackupResult made = shop.backup();
      for (const repository::Finding& finding : made.findings) {
        EXPECT_TRUE(finding.path.starts_with(shop.source())) << finding.path;
        EXPECT_FALSE(finding.what.empty());
      }
      RestoreOptions options;
      options.verify = RestoreOptions::Verify::yes;
      options.target = shop.target() + std::to_string(i % 2);
      options.extra = RestoreOptions::Extra::remove;
      const RestoreResult restored = shop.restore(options, made.snapshot.hex());
      EXPECT_EQ(findings(restored), "") << findings(made);
    }
  }
  const auto storage = shop.open_storage();
  const auto repository = shop.open(*storage, Access::read);
  VerifyOptions all;
  all.data = VerifyOptions::Data::read;
  Progress progress;
  EXPECT_TRUE(verify(*repository, all, progress, {}).clean());
}

TEST(Changing, ATreeThatComesToRestIsBackedUpExactly) {
  const Workshop shop;
  Meddler meddler(shop.source(), 3);
  {
    const std::jthread thread([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) meddler.act();
    });
    for (int i = 0; i < 5; ++i) shop.backup();
  }
  // What was cached of files that moved under the reader must not be believed.
  EXPECT_EQ(findings(shop.backup()), "");
  shop.restore();
  EXPECT_EQ(shop.difference(), "");
}

TEST(Changing, AFifoInPlaceOfAFileDoesNotHang) {
  const Workshop shop;
  shop.in_source("echo content > file; mkfifo fifo");
  const std::string file = shop.source() + "/file", fifo = shop.source() + "/fifo";
  const std::jthread swapper([&](const std::stop_token& stop) {
    while (!stop.stop_requested())
      ::syscall(SYS_renameat2, AT_FDCWD, file.c_str(), AT_FDCWD, fifo.c_str(), 2U /* RENAME_EXCHANGE */);
  });
  for (int i = 0; i < 20; ++i) shop.backup();
}

// Backs up one large file, and does `change` to it once some of it was read.
BackupResult backup_while(const Workshop& shop, const std::function<void(const std::string& path)>& change) {
  const std::string path = shop.source() + "/file";
  shop.in_source("head -c 200000000 /dev/zero | tr '\\0' x > file; sync file");
  const auto storage = shop.open_storage();
  const auto repository = shop.open(*storage, Access::write_only);
  const SystemClock clock;
  SystemRandom random;
  Progress progress;
  const std::jthread thread([&](const std::stop_token& stop) {
    while (progress.done_bytes < 4'000'000 && !stop.stop_requested()) std::this_thread::yield();
    change(path);
  });
  BackupOptions options;
  options.paths = {shop.source()};
  return qcbak::backup({*storage, *repository, repository->domain(""), clock, random}, options, progress, {});
}

void expect_restored(const Workshop& shop, std::uint64_t least, std::uint64_t most) {
  RestoreOptions options;
  options.verify = RestoreOptions::Verify::yes;
  EXPECT_EQ(findings(shop.restore(options)), "");
  struct stat status {};
  ASSERT_EQ(::stat((shop.target() + "/file").c_str(), &status), 0);
  EXPECT_GE(status.st_size, std::int64_t(least));
  EXPECT_LE(status.st_size, std::int64_t(most));
}

TEST(Changing, AFileCutShortIsKeptAsFarAsItWasRead) {
  const Workshop shop;
  const BackupResult made = backup_while(shop, [](const std::string& path) { ::truncate(path.c_str(), 1'000'000); });
  EXPECT_THAT(findings(made), HasSubstr("/file: changed while it was read"));
  expect_restored(shop, 4'000'000, 199'999'999);
}

TEST(Changing, AFileThatGrowsIsKeptAsLongAsItWas) {
  const Workshop shop;
  const BackupResult made = backup_while(shop, [](const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    write_full(fd.get(), Bytes(30'000'000, std::byte{'y'}), path);
  });
  EXPECT_THAT(findings(made), HasSubstr("/file: changed while it was read"));
  expect_restored(shop, 200'000'000, 200'000'000);
}

TEST(Changing, AFileThatChangesBetweenItsNamesIsKeptAsItWasAtEach) {
  const Workshop shop;
  shop.in_source("echo before > a; ln a z");
  const BackupResult made =
      backup_while(shop, [&](const std::string&) { shop.in_source("echo after, which is longer > z"); });
  EXPECT_EQ(findings(made),
            shop.source() + "/z: changed after another of its names was read: it is kept as a file of its own\n");
  RestoreOptions options;
  options.verify = RestoreOptions::Verify::yes;
  EXPECT_EQ(findings(shop.restore(options)), "");
  EXPECT_EQ(listing(shop.target(), "cat a z"), "before\nafter, which is longer\n");
}

// A file system in which two files have good blocks at the start and then one that the medium cannot read.
TEST(Unreadable, AReadErrorIsAFindingAndTheRestIsKept) {
  const LoopMount room("tmpfs");  // also the mount namespace that the mount below lies in
  in_directory(room.path(), R"sh(
    mkdir content mount
    head -c 100000 /dev/urandom > content/small; head -c 3000000 /dev/urandom > content/large
    for f in before file zlast; do echo $f > content/$f; done
    mkfs.ext4 -q -b 1024 -O ^extent,^64bit,^metadata_csum,^has_journal -d content image 16M
    for f in small large; do debugfs -w -R "set_inode_field /$f block[IND] 0x7ffffff0" image; done
    mount -o loop image mount
  )sh");
  const Workshop shop;
  BackupOptions options;
  options.paths = {room / "mount"};
  const BackupResult made = shop.backup(options);
  ASSERT_EQ(made.findings.size(), 2U) << findings(made);
  EXPECT_EQ(made.findings[0].path, room / "mount/large");
  EXPECT_EQ(made.findings[1].path, room / "mount/small");
  RestoreOptions back;
  back.path = room / "mount";
  back.verify = RestoreOptions::Verify::yes;
  EXPECT_EQ(findings(shop.restore(back)), "");
  EXPECT_EQ(listing(shop.target(), "ls | tr '\\n' ' '; cat before file zlast"),
            "before file lost+found zlast before\nfile\nzlast\n");
}

TEST(Unreadable, WhatIsNotPermittedIsAFinding) {
  const TemporaryDirectory tree;
  in_directory(tree.path(), R"sh(
    chmod 755 .; echo open > open; echo secret > secret; chmod 600 secret
    mkdir closed shut; echo x > closed/x; chmod 700 closed; echo x > shut/x; chmod 744 shut
  )sh");
  ChildProcess child([&] {
    constexpr unsigned kNobody = 65534;
    if (::setgroups(0, nullptr) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)
      throw_errno("become", "nobody");
    const Workshop shop;
    BackupOptions options;
    options.paths = {tree.path()};
    const BackupResult made = shop.backup(options);
    EXPECT_EQ(made.findings.size(), 3U) << findings(made);
    for (const char* name : {"/closed: ", "/secret: ", "/shut/x: "}) EXPECT_THAT(findings(made), HasSubstr(name));
    RestoreOptions back;
    back.path = tree.path();
    for (const RestoreFinding& finding : shop.restore(back).findings)
      EXPECT_EQ(finding.kind, RestoreFinding::Kind::not_set) << finding.path << finding.what;
    EXPECT_EQ(listing(shop.target(), "find . -type f -o -type d | sort | tr '\\n' ' '; cat open"),
              ". ./open ./shut open\n");
    return ::testing::Test::HasFailure() ? 1 : 0;
  });
  EXPECT_EQ(child.wait(), 0);
}

}  // namespace
}  // namespace qcbak::tests
