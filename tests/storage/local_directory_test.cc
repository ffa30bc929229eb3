// What only a real filesystem does.
#include "backup/storage/local_directory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "base/error.h"
#include "base/unique_fd.h"
#include "tests/storage/child_process.h"
#include "tests/storage/failing_system_call.h"
#include "tests/support/temporary_directory.h"

namespace qcbak::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tests::TemporaryDirectory;

constexpr std::uint64_t kLimit = 64 << 20;

template <class Body>
Error error_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no Error";
  return Error(ErrorCode::failed, "none");
}

std::vector<std::string> names(const Storage& storage) {
  std::vector<std::string> result;
  for (const ObjectInfo& object : storage.list("")) result.push_back(object.name);
  return result;
}

std::vector<std::string> files_in(const std::string& path) {
  std::vector<std::string> result;
  for (const auto& entry : std::filesystem::directory_iterator(path)) result.push_back(entry.path().filename());
  std::sort(result.begin(), result.end());
  return result;
}

void write_file(const std::string& path) { std::ofstream(path) << "foreign"; }

// Runs `body` with its expectations in a child, whose limits, filters and mounts are gone with it.
void in_a_child(const std::function<void()>& body) {
  ChildProcess child([&] {
    body();
    return testing::Test::HasFailure() ? 1 : 0;
  });
  EXPECT_EQ(child.wait(), 0);
}

// In a child: a tmpfs that nobody else sees.
void mount_tmpfs(const std::string& path, const char* options, unsigned long flags = 0) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", path.c_str(), "tmpfs", flags, options) != 0)
    throw_errno("mount tmpfs on", path);
}

class LocalDirectory : public testing::TestWithParam<TemporaryFiles> {
 protected:
  std::unique_ptr<Storage> open() { return open_local_directory(directory_.path(), GetParam()); }
  TemporaryDirectory directory_;
};
INSTANTIATE_TEST_SUITE_P(Temporaries, LocalDirectory,
                         testing::Values(TemporaryFiles::unnamed_where_possible, TemporaryFiles::named),
                         [](const auto& each) { return each.param == TemporaryFiles::named ? "named" : "unnamed"; });

TEST_P(LocalDirectory, SaysWhyThereIsNoRepository) {
  const Error missing = error_of([&] { open_local_directory(directory_ / "missing"); });
  EXPECT_EQ(missing.code(), ErrorCode::no_repository);
  EXPECT_EQ(missing.what(), "no repository at " + directory_ / "missing" + ": directory does not exist");
  write_file(directory_ / "file");
  const Error file = error_of([&] { open_local_directory(directory_ / "file"); });
  EXPECT_EQ(file.code(), ErrorCode::no_repository);
  EXPECT_THAT(file.what(), HasSubstr("not a directory"));
}

TEST_P(LocalDirectory, MakesItsDirectoryAndThoseAbove) {
  for (int twice = 0; twice < 2; ++twice)
    EXPECT_NO_THROW(create_local_directory(directory_ / "a/b//c/", GetParam())->put("object", {}));
  EXPECT_THAT(names(*open_local_directory(directory_ / "a/b/c")), ElementsAre("object"));
  write_file(directory_ / "file");
  EXPECT_EQ(error_of([&] { create_local_directory(directory_ / "file/below"); }).code(), ErrorCode::io);
}

TEST_P(LocalDirectory, GivesOthersNoAccess) {
  open()->put("packs/1", {});
  open()->replace("packs/2", {});
  struct stat status;
  for (const char* name : {"packs/1", "packs/2"}) {
    ASSERT_EQ(::stat((directory_ / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0400);
  }
  ASSERT_EQ(::stat((directory_ / "packs").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700);
}

TEST_P(LocalDirectory, CreatesNothingWhenReading) {
  const std::unique_ptr<Storage> storage = open();
  storage->list("");
  storage->get("config", 1);
  storage->remove("packs/1");
  storage->remove_leftovers();
  EXPECT_THAT(files_in(directory_.path()), IsEmpty());
}

TEST_P(LocalDirectory, PassesOverForeignFiles) {
  const std::unique_ptr<Storage> storage = open();
  storage->put("packs/1", as_bytes("1"));
  std::filesystem::create_directory(directory_ / "lost+found");
  std::filesystem::permissions(directory_ / "lost+found", std::filesystem::perms::none);
  std::filesystem::create_directory(directory_ / "empty");
  std::filesystem::create_directory(directory_ / ".git");
  std::filesystem::create_directory(directory_ / "tmp");
  for (const char* name : {"config~", ".config.swp", "README", "#config#", "packs/1~", ".git/head", "tmp/9-9", "lock"})
    write_file(directory_ / name);
  std::filesystem::create_symlink("/etc/hostname", directory_ / "link");
  std::filesystem::create_directory_symlink("..", directory_ / "packs/loop");
  ASSERT_EQ(::mkfifo((directory_ / "fifo").c_str(), 0600), 0);
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (directory_ / "socket").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);

  EXPECT_THAT(names(*storage), ElementsAre("packs/1"));
  for (const char* name : {"link", "packs/loop/packs/1", "fifo", "socket", "empty"}) {
    EXPECT_EQ(storage->get(name, 100), std::nullopt) << name;
    EXPECT_EQ(storage->size(name), std::nullopt) << name;
    EXPECT_EQ(error_of([&] { storage->put(name, {}); }).code(), ErrorCode::io) << name;
  }
  storage->remove_leftovers();
  EXPECT_THAT(files_in(directory_ / "tmp"), IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(directory_ / "config~"));
}

TEST_P(LocalDirectory, IsNotLedElsewhereByLinks) {
  const TemporaryDirectory elsewhere;
  write_file(elsewhere / "victim");
  for (const char* name : {"packs", "tmp"})
    std::filesystem::create_directory_symlink(elsewhere.path(), directory_ / name);
  std::filesystem::create_symlink(elsewhere / "made", directory_ / "lock");
  const std::unique_ptr<Storage> storage = open();
  EXPECT_EQ(error_of([&] { storage->put("packs/new", {}); }).code(), ErrorCode::io);
  EXPECT_EQ(error_of([&] { storage->replace("packs/victim", {}); }).code(), ErrorCode::io);
  EXPECT_EQ(error_of([&] { storage->replace("config", {}); }).code(), ErrorCode::io);
  EXPECT_EQ(error_of([&] { storage->try_lock(); }).code(), ErrorCode::io);
  storage->remove("packs/victim");
  storage->remove_leftovers();
  EXPECT_THAT(files_in(elsewhere.path()), ElementsAre("victim"));
}

TEST_P(LocalDirectory, TakesANameThatALeftoverDoesNotHave) {
  std::filesystem::create_directory(directory_ / "tmp");
  for (int i = 0; i < 3; ++i) write_file(directory_ / ("tmp/" + std::to_string(::getpid()) + "-" + std::to_string(i)));
  const std::unique_ptr<Storage> storage = open();
  EXPECT_EQ(storage->put("a", as_bytes("a")), PutResult::stored);
  storage->replace("b", as_bytes("b"));
  EXPECT_EQ(storage->get("a", 1), to_bytes(as_bytes("a")));
  EXPECT_EQ(files_in(directory_ / "tmp").size(), 3);
}

TEST_P(LocalDirectory, LeavesNothingWhenTheMediumIsFull) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs to mount";
  in_a_child([&] {
    mount_tmpfs(directory_.path(), "size=1m");
    const std::unique_ptr<Storage> storage = open();
    const Bytes big(600 << 10, std::byte{1});
    storage->put("packs/1", big);
    const std::uint64_t free_bytes = storage->free_bytes().value();
    EXPECT_LT(free_bytes, big.size());
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(error_of([&] { storage->put("packs/2", big); }).code(), ErrorCode::no_space);
      EXPECT_EQ(error_of([&] { storage->replace("packs/1", big); }).code(), ErrorCode::no_space);
    }
    EXPECT_EQ(storage->free_bytes(), free_bytes);
    EXPECT_THAT(names(*storage), ElementsAre("packs/1"));
    EXPECT_TRUE(storage->get("packs/1", kLimit) == big);
    storage->remove("packs/1");
    EXPECT_EQ(storage->put("packs/2", big), PutResult::stored);
  });
}

TEST_P(LocalDirectory, LeavesNothingWhenAFileMayNotBeThatLong) {
  in_a_child([&] {
    const rlimit limit{64 << 10, 64 << 10};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    ::signal(SIGXFSZ, SIG_IGN);
    const std::unique_ptr<Storage> storage = open();
    const Error error = error_of([&] { storage->put("long", Bytes(100 << 10)); });  // a short write, then EFBIG
    EXPECT_EQ(error.code(), ErrorCode::io);
    EXPECT_THAT(error.what(), HasSubstr("File too large"));
    EXPECT_EQ(storage->put("short", Bytes(10 << 10)), PutResult::stored);
    EXPECT_THAT(names(*storage), ElementsAre("short"));
  });
}

TEST_P(LocalDirectory, ReadsAReadOnlyMedium) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs to mount";
  in_a_child([&] {
    mount_tmpfs(directory_.path(), "size=1m");
    open()->put("packs/1", as_bytes("1"));
    ASSERT_EQ(::mount(nullptr, directory_.path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
    const std::unique_ptr<Storage> storage = open();
    EXPECT_THAT(names(*storage), ElementsAre("packs/1"));
    EXPECT_EQ(storage->get("packs/1", 1), to_bytes(as_bytes("1")));
    EXPECT_EQ(error_of([&] { storage->put("packs/2", {}); }).code(), ErrorCode::io);
    EXPECT_EQ(error_of([&] { storage->replace("packs/1", {}); }).code(), ErrorCode::io);
    EXPECT_EQ(error_of([&] { storage->remove("packs/1"); }).code(), ErrorCode::io);
    EXPECT_EQ(error_of([&] { storage->try_lock(); }).code(), ErrorCode::io);
    EXPECT_EQ(names(*storage).size(), 1);
  });
}

TEST_P(LocalDirectory, IsOnlyWrittenByWhoMay) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs another user";
  constexpr uid_t kNobody = 65534;
  open()->put("packs/1", as_bytes("1"));
  for (const char* name : {"", "packs"}) std::filesystem::permissions(directory_ / name, std::filesystem::perms(0755));
  std::filesystem::permissions(directory_ / "packs/1", std::filesystem::perms(0444));
  in_a_child([&] {
    ASSERT_EQ(::setuid(kNobody), 0);
    const std::unique_ptr<Storage> storage = open();
    EXPECT_EQ(storage->get("packs/1", 1), to_bytes(as_bytes("1")));
    EXPECT_THAT(names(*storage), ElementsAre("packs/1"));
    EXPECT_EQ(error_of([&] { storage->put("packs/2", {}); }).code(), ErrorCode::io);
    EXPECT_EQ(error_of([&] { storage->remove("packs/1"); }).code(), ErrorCode::io);
    EXPECT_EQ(error_of([&] { storage->try_lock(); }).code(), ErrorCode::io);
  });
}

TEST_P(LocalDirectory, WritesNoMoreAfterAFlushThatFailed) {
  for (const long call : {SYS_fdatasync, SYS_fsync}) {
    open()->put("packs/1", as_bytes("1"));
    in_a_child([&] {
      const std::unique_ptr<Storage> storage = open();
      storage->put("packs/2", as_bytes("2"));
      fail_system_call(call, EIO);
      const Error first = error_of([&] { storage->put("packs/3", {}); });
      EXPECT_EQ(first.code(), ErrorCode::io);
      EXPECT_THAT(first.what(), HasSubstr("flush"));
      const std::function<void()> later_calls[] = {
          [&] { storage->put("packs/1", {}); }, [&] { storage->replace("packs/1", {}); },
          [&] { storage->remove("packs/1"); },  [&] { storage->remove_leftovers(); },
          [&] { storage->try_lock(); },
      };
      for (const auto& call_later : later_calls) EXPECT_THAT(error_of(call_later).what(), HasSubstr("in doubt"));
      EXPECT_EQ(storage->get("packs/1", 1), to_bytes(as_bytes("1")));
      // Bytes that may not be there are never given a name.
      if (call == SYS_fdatasync) {
        EXPECT_THAT(names(*storage), ElementsAre("packs/1", "packs/2"));
      }
    });
  }
}

TEST(LocalDirectoryFallback, DoesWithoutUnnamedFilesWhereThereAreNone) {
  for (const int refusal : {EOPNOTSUPP, EISDIR, EINVAL}) {
    const TemporaryDirectory directory;
    in_a_child([&] {
      fail_system_call(SYS_openat, refusal, 2, O_TMPFILE & ~O_DIRECTORY);
      const std::unique_ptr<Storage> storage = open_local_directory(directory.path());
      EXPECT_EQ(storage->put("packs/1", as_bytes("1")), PutResult::stored);
      EXPECT_EQ(storage->put("packs/1", as_bytes("2")), PutResult::exists);
      EXPECT_EQ(storage->get("packs/1", 1), to_bytes(as_bytes("1")));
    });
    EXPECT_THAT(files_in(directory.path()), ElementsAre("packs", "tmp"));
    EXPECT_THAT(files_in(directory / "tmp"), IsEmpty());
  }
}

TEST_P(LocalDirectory, ShowsOnlyWholeObjectsHoweverItIsKilled) {
  constexpr int kKills = 50;
  const auto content = [](const std::string& name) {
    const auto seed = static_cast<std::uint64_t>(std::stoul(name.substr(name.rfind('/') + 1)));
    Bytes bytes(seed % 7 * 100'000 + seed % 1000);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * seed);
    return bytes;
  };
  for (int kill = 0; kill < kKills; ++kill) {
    ChildProcess writer([&] {
      const std::unique_ptr<Storage> storage = open();
      for (int i = kill * 1000;; ++i) {
        const std::string name = "packs/" + std::to_string(i % 3) + "/" + std::to_string(i);
        storage->put(name, content(name));
        if (i % 4 == 1) storage->replace(name, content(name));
        if (i % 4 == 2) storage->remove(name);
      }
      return 0;
    });
    std::this_thread::sleep_for(std::chrono::microseconds(500 + kill * 317));
    writer.kill();
    const std::unique_ptr<Storage> storage = open();
    const auto lock = storage->try_lock();
    ASSERT_NE(lock, nullptr);
    storage->remove_leftovers();
    if (std::filesystem::exists(directory_ / "tmp")) {
      EXPECT_THAT(files_in(directory_ / "tmp"), IsEmpty());
    }
    for (const ObjectInfo& object : storage->list("")) {
      ASSERT_TRUE(storage->get(object.name, kLimit) == content(object.name)) << object.name;
      storage->remove(object.name);
    }
  }
}

}  // namespace
}  // namespace qcbak::storage
