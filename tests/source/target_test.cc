#include "backup/source/target.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>

#include "backup/source/capture.h"
#include "base/error.h"
#include "tests/support/run_command.h"
#include "tests/support/temporary_directory.h"

namespace qcbak::source {
namespace {

using repository::EntryType;
using repository::Metadata;
using tests::run_or_throw;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Existing = Target::Existing;

template <class Call>
ErrorCode code_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::failed;
}

void write_text(const std::string& path, std::string_view text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  ASSERT_TRUE(fd) << path;
  write_full(fd.get(), as_bytes(text), path);
}

std::string read_text(const std::string& path) { return to_string(read_file(path, 1 << 20)); }

void protect(const std::string& path, int flag) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  int flags = 0;
  ASSERT_EQ(::ioctl(fd.get(), FS_IOC_GETFLAGS, &flags), 0) << path;
  flags = (flags & ~(FS_IMMUTABLE_FL | FS_APPEND_FL)) | flag;
  ASSERT_EQ(::ioctl(fd.get(), FS_IOC_SETFLAGS, &flags), 0) << path;
}

bool is_protected(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  int flags = 0;
  EXPECT_EQ(::ioctl(fd.get(), FS_IOC_GETFLAGS, &flags), 0) << path;
  return (flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)) != 0;
}

struct stat status(const std::string& path) {
  struct stat result = {};
  EXPECT_EQ(::lstat(path.c_str(), &result), 0) << path;
  return result;
}

bool exists(const std::string& path) {
  struct stat result;
  return ::lstat(path.c_str(), &result) == 0;
}

Metadata as_root(EntryType type, std::uint32_t mode) {
  Metadata metadata;
  metadata.type = type;
  metadata.mode = mode;
  metadata.mtime_s = 1'000'000'000;
  return metadata;
}

repository::ExtendedAttribute attribute(std::string_view name, std::string_view value) {
  return {to_bytes(as_bytes(name)), to_bytes(as_bytes(value))};
}

// Beside the target lies `outside`, which nothing may touch.
class TargetTest : public ::testing::TestWithParam<Resolution> {
 protected:
  TargetTest() {
    EXPECT_EQ(::geteuid(), 0U) << "these tests need root";
    EXPECT_EQ(::mkdir(outside().c_str(), 0755), 0);
    write_text(outside("victim"), "untouched");
    untouched_ = describe_outside();
  }
  void TearDown() override { EXPECT_EQ(describe_outside(), untouched_); }

  std::string outside(const std::string& name = "") { return directory_ / "outside" + (name.empty() ? "" : "/" + name); }
  std::string inside(const std::string& name) { return target_.path() + "/" + name; }
  std::string describe_outside() {
    return run_or_throw({"find", outside(), "-printf", "%p %y %m %U %G %s %T@ %C@ %n\\n"}) + read_text(outside("victim"));
  }

  tests::TemporaryDirectory directory_;
  Target target_{directory_ / "new/target", GetParam()};
  std::string untouched_;
};

INSTANTIATE_TEST_SUITE_P(Ways, TargetTest, ::testing::Values(Resolution::openat2, Resolution::components),
                         [](const auto& case_) { return case_.param == Resolution::openat2 ? "openat2" : "components"; });

using Operation = std::function<void(Target&, const std::string&)>;
std::vector<Operation> all_operations() {
  return {
      [](Target& t, const std::string& path) { t.open_directory(path); },
      [](Target& t, const std::string& path) { t.make_directory(path); },
      [](Target& t, const std::string& path) { t.create_file(path, Existing::replace); },
      [](Target& t, const std::string& path) { t.create_file(path, Existing::reuse); },
      [](Target& t, const std::string& path) { t.open_existing_file(path); },
      [](Target& t, const std::string& path) { t.make_symlink(path, as_bytes("x")); },
      [](Target& t, const std::string& path) { t.make_special(path, as_root(EntryType::fifo, 0600)); },
      [](Target& t, const std::string& path) { t.make_hard_link(path, "own"); },
      [](Target& t, const std::string& path) { t.make_hard_link("other", path); },
      [](Target& t, const std::string& path) { t.remove_tree(path); },
      [](Target& t, const std::string& path) { t.apply_metadata(path, as_root(EntryType::file, 0777)); },
  };
}

TEST_P(TargetTest, NamesThatLeadOutsideAreRefused) {
  write_text(inside("own"), "");
  const std::string nul("a\0b", 3);
  for (const std::string& path : {std::string(".."), std::string("../outside/victim"), outside("victim"), std::string("a/../../outside"),
                                  std::string("."), std::string("a/"), std::string("/"), std::string("a//b"), std::string("./a"), nul})
    for (const Operation& operation : all_operations())
      EXPECT_EQ(code_of([&] { operation(target_, path); }), ErrorCode::damaged) << printable(path);
  EXPECT_EQ(code_of([] { check_component("a/b"); }), ErrorCode::damaged);
  EXPECT_EQ(code_of([] { check_relative_path(""); }), ErrorCode::damaged);
  check_relative_path("a/.../b\n\xff/..c");
}

TEST_P(TargetTest, NoLinkIsFollowedOnTheWay) {
  write_text(inside("own"), "");
  target_.make_directory("d");
  target_.make_symlink("absolute", as_bytes(outside()));
  target_.make_symlink("d/relative", as_bytes("../../../outside"));
  target_.make_symlink("magic", as_bytes("/proc/self/cwd"));
  for (const char* link : {"absolute", "d/relative", "magic"})
    for (const std::string name : {"victim", "new", "new/below"})
      for (const Operation& operation : all_operations())
        EXPECT_EQ(code_of([&] { operation(target_, link + ("/" + name)); }), ErrorCode::refused) << link << " " << name;
  EXPECT_THAT(target_.compare_metadata("absolute/victim", as_root(EntryType::file, 0644)), ElementsAre("missing"));
  EXPECT_EQ(code_of([&] { target_.open_directory("absolute"); }), ErrorCode::refused);
}

TEST_P(TargetTest, MagicLinksOfProcAreNotFollowed) {
  const Target proc("/proc/self", GetParam());
  EXPECT_EQ(code_of([&] { proc.open_directory("root/tmp"); }), ErrorCode::refused);
  EXPECT_EQ(code_of([&] { proc.open_directory("cwd"); }), ErrorCode::refused);
  EXPECT_EQ(code_of([&] { proc.open_existing_file("exe"); }), ErrorCode::differs);
}

TEST_P(TargetTest, ALinkInTheLastPlaceIsReplacedNotFollowed) {
  const auto link = [&](const char* name) { target_.make_symlink(name, as_bytes(outside("victim"))); };
  for (const Existing existing : {Existing::replace, Existing::reuse}) {
    link("f");
    write_full(target_.create_file("f", existing).get(), as_bytes("mine"), "f");
    EXPECT_TRUE(S_ISREG(status(inside("f")).st_mode));
    EXPECT_EQ(read_text(inside("f")), "mine");
  }
  target_.make_symlink("d", as_bytes(outside()));
  target_.make_directory("d");
  EXPECT_TRUE(S_ISDIR(status(inside("d")).st_mode));

  link("l");
  EXPECT_EQ(code_of([&] { target_.open_existing_file("l"); }), ErrorCode::differs);
  EXPECT_EQ(code_of([&] { target_.apply_metadata("l", as_root(EntryType::file, 0777)); }), ErrorCode::differs);
  Metadata metadata = as_root(EntryType::symlink, 0777);
  metadata.uid = 12;
  metadata.attributes = {attribute("trusted.x", "1")};
  metadata.link_target = to_bytes(as_bytes(outside("victim")));
  EXPECT_THAT(target_.apply_metadata("l", metadata), IsEmpty());
  EXPECT_THAT(target_.compare_metadata("l", metadata), IsEmpty());
  target_.make_symlink("tree", as_bytes(outside()));
  target_.remove_tree("tree");
  EXPECT_FALSE(exists(inside("tree")));
}

TEST_P(TargetTest, AHardLinkToOutsideIsNeverWritten) {
  ASSERT_EQ(::link(outside("victim").c_str(), inside("f").c_str()), 0);
  write_full(target_.create_file("f", Existing::reuse).get(), as_bytes("mine"), "f");
  EXPECT_EQ(read_text(inside("f")), "mine");
  EXPECT_EQ(read_text(outside("victim")), "untouched");
  untouched_ = describe_outside();  // its link count and ctime went to and fro
  EXPECT_EQ(status(outside("victim")).st_nlink, 1U);
}

TEST_P(TargetTest, NothingLandsOutsideWhileADirectoryIsSwappedForALink) {
  target_.make_directory("d");
  target_.make_symlink("s", as_bytes(outside()));
  std::atomic<bool> stop = false;
  std::thread swapper([&] {
    const int root = ::open(target_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (!stop) ::syscall(SYS_renameat2, root, "d", root, "s", RENAME_EXCHANGE);
    ::close(root);
  });
  int made = 0, refused = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::string path = "d/" + std::to_string(i);
    try {
      switch (i % 4) {
        case 0: target_.create_file(path, Existing::replace); break;
        case 1: target_.make_directory(path); break;
        case 2: target_.make_symlink(path, as_bytes("x")); break;
        case 3: target_.remove_tree("d/victim"); break;
      }
      ++made;
    } catch (const Error& error) {
      // By the time the reason is looked for it may be gone: then it is only "not a directory".
      EXPECT_TRUE(error.code() == ErrorCode::refused || error.code() == ErrorCode::io) << error.what();
      ++refused;
    }
  }
  stop = true;
  swapper.join();
  EXPECT_GT(made, 0);
  EXPECT_GT(refused, 0);
}

TEST_P(TargetTest, CreatesPrivateEntriesUntilMetadata) {
  target_.make_directory("d");
  const UniqueFd fd = target_.create_file("d/f", Existing::replace);
  EXPECT_EQ(status(inside("d")).st_mode & 07777U, 0700U);
  EXPECT_EQ(status(inside("d/f")).st_mode & 07777U, 0600U);
  EXPECT_EQ(status(target_.path()).st_mode & 07777U, 0700U);
  ASSERT_EQ(::fchmod(fd.get(), 06777), 0);
  const UniqueFd again = target_.create_file("d/f", Existing::reuse);
  EXPECT_EQ(status(inside("d/f")).st_mode & 07777U, 0600U);
}

TEST_P(TargetTest, ReuseKeepsTheInodeAndReplaceDoesNot) {
  write_text(inside("f"), "old");
  const ino_t inode = status(inside("f")).st_ino;
  {
    const UniqueFd fd = target_.create_file("f", Existing::reuse);
    EXPECT_EQ(status(inside("f")).st_ino, inode);
    Bytes content(10);
    EXPECT_EQ(read_full(fd.get(), content, "f"), 3U);
    const UniqueFd replaced = target_.create_file("f", Existing::replace);
    EXPECT_EQ(status(inside("f")).st_size, 0);
  }
  // FIFOs and devices are looked at, not opened.
  target_.make_special("p", as_root(EntryType::fifo, 0600));
  target_.create_file("p", Existing::reuse);
  EXPECT_TRUE(S_ISREG(status(inside("p")).st_mode));
}

TEST_P(TargetTest, ADirectoryIsNotReplaced) {
  target_.make_directory("d");
  target_.make_directory("d");
  write_text(inside("f"), "");
  EXPECT_EQ(code_of([&] { target_.create_file("d", Existing::replace); }), ErrorCode::refused);
  EXPECT_EQ(code_of([&] { target_.create_file("d", Existing::reuse); }), ErrorCode::refused);
  EXPECT_EQ(code_of([&] { target_.make_symlink("d", as_bytes("x")); }), ErrorCode::refused);
  EXPECT_EQ(code_of([&] { target_.make_hard_link("d", "f"); }), ErrorCode::refused);
  EXPECT_EQ(code_of([&] { target_.open_existing_file("d"); }), ErrorCode::differs);
  EXPECT_EQ(code_of([&] { target_.open_existing_file("none"); }), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { target_.create_file("none/f", Existing::replace); }), ErrorCode::not_found);
}

TEST_P(TargetTest, HardLinks) {
  write_text(inside("f"), "x");
  write_text(inside("g"), "y");
  for (int i = 0; i < 2; ++i) target_.make_hard_link("g", "f");
  EXPECT_EQ(status(inside("f")).st_ino, status(inside("g")).st_ino);
  EXPECT_EQ(status(inside("f")).st_nlink, 2U);
  target_.make_symlink("l", as_bytes(outside("victim")));
  target_.make_hard_link("m", "l");
  EXPECT_TRUE(S_ISLNK(status(inside("m")).st_mode));
  EXPECT_EQ(code_of([&] { target_.make_hard_link("h", "none"); }), ErrorCode::not_found);
}

TEST_P(TargetTest, LinksMustHaveATarget) {
  EXPECT_EQ(code_of([&] { target_.make_symlink("l", ByteView()); }), ErrorCode::damaged);
  EXPECT_EQ(code_of([&] { target_.make_symlink("l", as_bytes(std::string_view("a\0b", 3))); }), ErrorCode::damaged);
}

TEST_P(TargetTest, ProtectedEntriesAreReplaced) {
  for (const int flag : {FS_IMMUTABLE_FL, FS_APPEND_FL})
    for (const Existing existing : {Existing::replace, Existing::reuse}) {
      target_.make_directory("d");
      write_text(inside("d/f"), "old");
      protect(inside("d/f"), flag);
      protect(inside("d"), flag);
      write_full(target_.create_file("d/f", existing).get(), as_bytes("new"), "f");
      EXPECT_EQ(read_text(inside("d/f")), "new");
      protect(inside("d"), flag);
      target_.make_directory("d/e");
      protect(inside("d"), flag);
      target_.make_symlink("d/l", as_bytes("x"));
      protect(inside("d/f"), flag);
      protect(inside("d/e"), flag);
      protect(inside("d"), flag);
      target_.remove_tree("d");
      EXPECT_FALSE(exists(inside("d")));
    }
}

TEST_P(TargetTest, TheTargetsOwnProtectionStays) {
  protect(target_.path(), FS_IMMUTABLE_FL);
  EXPECT_EQ(code_of([&] { target_.create_file("f", Existing::replace); }), ErrorCode::io);
  EXPECT_EQ(code_of([&] { target_.make_directory("d"); }), ErrorCode::io);
  EXPECT_TRUE(is_protected(target_.path()));
  protect(target_.path(), 0);
}

TEST_P(TargetTest, PathsAndTreesOfAnyDepth) {
  const std::string name(200, 'n');
  std::string path = name;
  target_.make_directory(path);
  for (int i = 0; i < 30; ++i) {
    path += "/" + name;
    target_.make_directory(path);
  }
  ASSERT_GT(path.size(), 6000U);
  write_full(target_.create_file(path + "/f", Existing::replace).get(), as_bytes("deep"), "f");
  Metadata metadata = as_root(EntryType::file, 0640);
  metadata.size_bytes = 4;
  EXPECT_THAT(target_.apply_metadata(path + "/f", metadata), IsEmpty());
  EXPECT_THAT(target_.compare_metadata(path + "/f", metadata), IsEmpty());
  target_.remove_tree(name);
  EXPECT_FALSE(exists(inside(name)));
  target_.remove_tree(name);
  target_.remove_tree("none/at/all");
}

TEST_P(TargetTest, ComparesEverything) {
  write_text(inside("f"), "12345");
  Metadata metadata = as_root(EntryType::file, 0640);
  metadata.uid = 1;
  metadata.gid = 2;
  metadata.size_bytes = 5;
  metadata.mtime_ns = 7;
  metadata.flags = FS_NODUMP_FL;
  metadata.attributes = {attribute("user.a", "1"), attribute("user.b", "2")};
  EXPECT_THAT(target_.apply_metadata("f", metadata), IsEmpty());
  EXPECT_THAT(target_.compare_metadata("f", metadata), IsEmpty());

  Metadata other = as_root(EntryType::file, 0600);
  other.size_bytes = 6;
  other.mtime_s = -1;
  other.flags = FS_IMMUTABLE_FL;
  other.attributes = {attribute("user.a", "x"), attribute("user.c", "")};
  EXPECT_THAT(target_.compare_metadata("f", other),
              ElementsAre("size 5, expected 6", "mode 0640, expected 0600", "owner 1, expected 0", "group 2, expected 0",
                          "mtime 1000000000.000000007, expected -1.000000000", "flags no-dump, expected immutable",
                          "attribute user.a has another value", "attribute user.c missing", "attribute user.b not expected"));
  other.type = EntryType::directory;
  EXPECT_THAT(target_.compare_metadata("f", other), ElementsAre("type file, expected directory"));
  EXPECT_THAT(target_.compare_metadata("none", other), ElementsAre("missing"));

  Metadata device = as_root(EntryType::char_device, 0600);
  device.device = std::uint64_t{4} << 32 | 300;
  target_.make_special("c", device);
  EXPECT_THAT(target_.apply_metadata("c", device), IsEmpty());
  EXPECT_THAT(target_.compare_metadata("c", device), IsEmpty());
  device.device = 5;
  EXPECT_THAT(target_.compare_metadata("c", device), ElementsAre("device 4:300, expected 0:5"));
}

TEST_P(TargetTest, WhatASnapshotDoesNotHoldIsRemoved) {
  write_text(inside("f"), "");
  run_or_throw({"setfacl", "-m", "u:7:rwx", inside("f")});
  run_or_throw({"setfattr", "-n", "user.old", "-v", "1", inside("f")});
  run_or_throw({"chattr", "+di", inside("f")});
  const Metadata metadata = as_root(EntryType::file, 0604);
  EXPECT_THAT(target_.apply_metadata("f", metadata), IsEmpty());
  EXPECT_THAT(target_.compare_metadata("f", metadata), IsEmpty());
}

TEST_P(TargetTest, TheTargetItselfHasMetadata) {
  const Metadata metadata = as_root(EntryType::directory, 01777);
  EXPECT_THAT(target_.apply_metadata("", metadata), IsEmpty());
  EXPECT_THAT(target_.compare_metadata("", metadata), IsEmpty());
  EXPECT_TRUE(target_.open_directory(""));
}

TEST_P(TargetTest, NonsenseIsReportedNotSet) {
  write_text(inside("f"), "");
  Metadata metadata = as_root(EntryType::file, 0600);
  metadata.mtime_ns = UTIME_NOW;
  metadata.uid = 0xffff'ffff;
  metadata.mode = 04755;
  metadata.attributes = {attribute(std::string_view("user.a\0b", 8), ""), attribute("nonsense", "")};
  std::vector<std::string> missed;
  for (const Target::Shortfall& shortfall : target_.apply_metadata("f", metadata)) missed.push_back(shortfall.what);
  EXPECT_THAT(missed, ElementsAre("owner", "attribute user.a\\x00b", "attribute nonsense", "mode", "mtime"));
  EXPECT_EQ(status(inside("f")).st_mode & 07777U, 0755U);
}

TEST_P(TargetTest, WithoutPrivilegeTheRestIsSet) {
  ASSERT_EQ(::chmod((directory_ / "new").c_str(), 0755), 0);
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chown(target_.path().c_str(), 65534, 65534), 0);
  std::thread([&] {
    // Of this thread alone, other than setresgid(3) and setresuid(3).
    ASSERT_EQ(::syscall(SYS_setgroups, 0, nullptr), 0);
    ASSERT_EQ(::syscall(SYS_setresgid, 65534, 65534, -1), 0);
    ASSERT_EQ(::syscall(SYS_setresuid, -1, 65534, -1), 0);
    target_.create_file("f", Existing::replace);
    Metadata metadata = as_root(EntryType::file, 06444);
    metadata.attributes = {attribute("user.x", "1")};
    std::vector<std::string> missed;
    for (int i = 0; i < 2; ++i) {
      missed.clear();
      for (const Target::Shortfall& shortfall : target_.apply_metadata("f", metadata)) missed.push_back(shortfall.what);
      EXPECT_THAT(missed, ElementsAre("owner", "mode"));
    }
    EXPECT_THAT(target_.compare_metadata("f", metadata),
                ElementsAre("mode 0444, expected 6444", "owner 65534, expected 0", "group 65534, expected 0"));

    metadata.uid = metadata.gid = 65534;
    metadata.mode = 0;
    EXPECT_THAT(target_.apply_metadata("f", metadata), IsEmpty());
    EXPECT_THAT(target_.apply_metadata("f", metadata), IsEmpty());  // though it cannot be opened by now
    metadata.flags = FS_NODUMP_FL;
    const auto shortfalls = target_.apply_metadata("f", metadata);
    ASSERT_EQ(shortfalls.size(), 1U);
    EXPECT_EQ(shortfalls[0].what, "flags no-dump");
    EXPECT_EQ(status(inside("f")).st_mode & 07777U, 0U);
    const UniqueFd fd = target_.create_file("f", Existing::reuse);
    EXPECT_TRUE(fd);
    target_.make_special("p", as_root(EntryType::fifo, 0600));
    Metadata device = as_root(EntryType::char_device, 0600);
    device.device = std::uint64_t{1} << 32 | 3;
    EXPECT_EQ(code_of([&] { target_.make_special("c", device); }), ErrorCode::io);
  }).join();
}

TEST(TargetDirectory, MustBeADirectory) {
  const tests::TemporaryDirectory directory;
  write_text(directory / "f", "");
  EXPECT_EQ(code_of([&] { Target(directory / "f"); }), ErrorCode::io);
  EXPECT_EQ(code_of([&] { Target(directory / "f/below"); }), ErrorCode::io);
}

}  // namespace
}  // namespace qcbak::source
