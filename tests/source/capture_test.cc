#include "backup/source/capture.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/error.h"
#include "tests/support/temporary_directory.h"

namespace qcbak::source {
namespace {

using repository::EntryType;
using repository::Metadata;
using ::testing::ElementsAre;

class Capture : public ::testing::Test {
 protected:
  UniqueFd make_file(const std::string& name, std::string_view content = "") {
    UniqueFd fd(::openat(root_.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    EXPECT_TRUE(fd);
    write_full(fd.get(), as_bytes(content), name);
    return fd;
  }
  Status status(const char* name) { return status_at(root_.get(), name, name).value(); }

  tests::TemporaryDirectory directory_;
  UniqueFd root_{::open(directory_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
};

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

TEST_F(Capture, ListsNamesByBytesEachTimeAnew) {
  EXPECT_TRUE(list_directory(root_.get(), "root").empty());
  for (const char* name : {"b", "a", "\xff", "Z", "a\nb", "..."}) make_file(name);
  for (int i = 0; i < 2; ++i)
    EXPECT_THAT(list_directory(root_.get(), "root"), ElementsAre("...", "Z", "a", "a\nb", "b", "\xff"));
}

TEST_F(Capture, ListsMoreThanOneBuffer) {
  for (int i = 0; i < 1500; ++i) make_file("a name long enough that they fill some buffers " + std::to_string(i));
  const auto names = list_directory(root_.get(), "root");
  EXPECT_EQ(names.size(), 1500U);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
}

TEST_F(Capture, StatusOfAFile) {
  const UniqueFd fd = make_file("f", "12345");
  ASSERT_EQ(::fchmod(fd.get(), 04751), 0);
  const struct timespec times[2] = {{0, UTIME_OMIT}, {-3, 999'999'999}};
  ASSERT_EQ(::futimens(fd.get(), times), 0);
  struct stat expected;
  ASSERT_EQ(::fstat(fd.get(), &expected), 0);

  const Status found = status("f");
  EXPECT_EQ(found.metadata.type, EntryType::file);
  EXPECT_EQ(found.metadata.mode, 04751U);
  EXPECT_EQ(found.metadata.size_bytes, 5U);
  EXPECT_EQ(found.metadata.mtime_s, -3);
  EXPECT_EQ(found.metadata.mtime_ns, 999'999'999U);
  EXPECT_EQ(found.inode, expected.st_ino);
  EXPECT_EQ(found.device, std::uint64_t{major(expected.st_dev)} << 32 | minor(expected.st_dev));
  EXPECT_EQ(found.ctime_s, expected.st_ctim.tv_sec);
  EXPECT_EQ(found.metadata.link_count, 1U);
  EXPECT_EQ(found.metadata.link_inode, 0U);
  EXPECT_EQ(found.metadata.device, 0U);
  EXPECT_EQ(status_of(fd.get(), "f").metadata, found.metadata);
}

TEST_F(Capture, HardLinksNameTheirInode) {
  make_file("f");
  ASSERT_EQ(::linkat(root_.get(), "f", root_.get(), "g", 0), 0);
  ASSERT_EQ(::mkdirat(root_.get(), "d", 0755), 0);
  const Status f = status("f");
  EXPECT_EQ(f.metadata.link_count, 2U);
  EXPECT_EQ(f.metadata.link_inode, f.inode);
  EXPECT_EQ(f.metadata.link_device, f.device);
  EXPECT_EQ(f.metadata, status("g").metadata);
  EXPECT_EQ(status("d").metadata.link_count, 1U);
  EXPECT_EQ(status("d").metadata.link_inode, 0U);
}

TEST_F(Capture, DeviceNumbersAreWhole) {
  ASSERT_EQ(::mknodat(root_.get(), "d", S_IFBLK | 0600, makedev(259, 70000)), 0) << "needs root";
  EXPECT_EQ(status("d").metadata.type, EntryType::block_device);
  EXPECT_EQ(status("d").metadata.device, std::uint64_t{259} << 32 | 70000U);
}

TEST_F(Capture, WhatVanishedIsAbsent) {
  EXPECT_FALSE(status_at(root_.get(), "gone", "gone"));
  EXPECT_EQ(code_of([&] { open_file_at(root_.get(), "gone", "gone"); }), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { open_directory_at(root_.get(), "gone", "gone"); }), ErrorCode::not_found);
  Metadata metadata;
  EXPECT_EQ(code_of([&] { capture_details_at(root_.get(), "gone", "gone", metadata); }), ErrorCode::not_found);
}

TEST_F(Capture, NeverOpensThroughALink) {
  make_file("f");
  ASSERT_EQ(::mkdirat(root_.get(), "d", 0755), 0);
  ASSERT_EQ(::symlinkat("f", root_.get(), "to_file"), 0);
  ASSERT_EQ(::symlinkat("d", root_.get(), "to_directory"), 0);
  EXPECT_EQ(code_of([&] { open_file_at(root_.get(), "to_file", ""); }), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { open_directory_at(root_.get(), "to_directory", ""); }), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { open_directory_at(root_.get(), "f", ""); }), ErrorCode::not_found);
  EXPECT_EQ(status("to_file").metadata.type, EntryType::symlink);
  EXPECT_EQ(status("to_file").metadata.size_bytes, 0U);
}

TEST_F(Capture, AFifoThatTookAFilesNameDoesNotBlock) {
  ASSERT_EQ(::mkfifoat(root_.get(), "p", 0600), 0);
  const UniqueFd fd = open_file_at(root_.get(), "p", "p");
  EXPECT_EQ(status_of(fd.get(), "p").metadata.type, EntryType::fifo);
}

TEST_F(Capture, LeavesTheAccessTimeAloneWhereItMayAndOpensWhereItMayNot) {
  const UniqueFd made = make_file("f");
  ASSERT_EQ(::fchmod(made.get(), 0644), 0);
  ASSERT_EQ(::fchmod(root_.get(), 0755), 0);
  const UniqueFd fd = open_file_at(root_.get(), "f", "f");
  EXPECT_NE(::fcntl(fd.get(), F_GETFL) & O_NOATIME, 0);
  std::thread([&] {
    // Of this thread alone, other than setresuid(3).
    ASSERT_EQ(::syscall(SYS_setresuid, -1, 65534, -1), 0) << "needs root";
    const UniqueFd other = open_file_at(root_.get(), "f", "f");
    EXPECT_EQ(::fcntl(other.get(), F_GETFL) & O_NOATIME, 0);
  }).join();
}

TEST_F(Capture, AttributesAreSortedAndOfAnySize) {
  const UniqueFd fd = make_file("f");
  for (int i = 29; i >= 10; --i) {
    const std::string name = "user.a name of some length " + std::to_string(i);
    ASSERT_EQ(::fsetxattr(fd.get(), name.c_str(), "v", 1, 0), 0);
  }
  const std::string large(1000, 'x');
  ASSERT_EQ(::fsetxattr(fd.get(), "user.large", large.data(), large.size(), 0), 0);
  ASSERT_EQ(::fsetxattr(fd.get(), "user.0 empty", "", 0, 0), 0);
  Metadata metadata;
  for (int i = 0; i < 2; ++i) capture_details(fd.get(), "f", metadata);
  ASSERT_EQ(metadata.attributes.size(), 22U);
  EXPECT_EQ(to_string(metadata.attributes.front().name), "user.0 empty");
  EXPECT_TRUE(metadata.attributes.front().value.empty());
  EXPECT_EQ(to_string(metadata.attributes[1].name), "user.a name of some length 10");
  EXPECT_EQ(to_string(metadata.attributes.back().value), large);
}

TEST_F(Capture, DetailsOfALinkAreItsOwn) {
  const UniqueFd fd = make_file("f");
  ASSERT_EQ(::fsetxattr(fd.get(), "user.of_the_file", "", 0, 0), 0);
  const std::string odd = "f/../\xff\n" + std::string(2000, 'x');
  ASSERT_EQ(::symlinkat("f", root_.get(), "l"), 0);
  ASSERT_EQ(::symlinkat(odd.c_str(), root_.get(), "odd"), 0);
  ASSERT_EQ(::lsetxattr((directory_ / "l").c_str(), "trusted.of_the_link", "1", 1, 0), 0) << "needs root";

  Metadata metadata = status("l").metadata;
  capture_details_at(root_.get(), "l", "l", metadata);
  EXPECT_EQ(to_string(metadata.link_target), "f");
  ASSERT_EQ(metadata.attributes.size(), 1U);
  EXPECT_EQ(to_string(metadata.attributes[0].name), "trusted.of_the_link");
  capture_details_at(root_.get(), "odd", "odd", metadata);
  EXPECT_EQ(to_string(metadata.link_target), odd);
  EXPECT_TRUE(metadata.attributes.empty());
}

TEST_F(Capture, DetailsAreNotTakenFromAnotherType) {
  make_file("f");
  Metadata metadata;
  metadata.type = EntryType::symlink;
  EXPECT_EQ(code_of([&] { capture_details_at(root_.get(), "f", "f", metadata); }), ErrorCode::not_found);
}

TEST_F(Capture, ChecksumsOverTheInodeAreNotKept) {
  EXPECT_FALSE(is_kept_attribute("security.evm"));
  for (const char* name : {"security.ima", "security.capability", "system.posix_acl_access", "trusted.overlay.opaque", "user.x"})
    EXPECT_TRUE(is_kept_attribute(name)) << name;
}

TEST_F(Capture, ExtentsCoverTheDataAndNotTheHoles) {
  constexpr std::uint64_t kMiB = 1 << 20;
  const UniqueFd fd = make_file("f");
  ASSERT_EQ(::ftruncate(fd.get(), 64 * kMiB), 0);
  EXPECT_TRUE(data_extents(fd.get(), 64 * kMiB, "f").empty());
  const Bytes data(kMiB, std::byte{1});
  pwrite_full(fd.get(), data, 8 * kMiB, "f");
  pwrite_full(fd.get(), data, 32 * kMiB, "f");
  const auto extents = data_extents(fd.get(), 64 * kMiB, "f");
  ASSERT_EQ(extents.size(), 2U);
  EXPECT_EQ(extents[0].offset, 8 * kMiB);
  EXPECT_EQ(extents[0].length, kMiB);
  EXPECT_EQ(extents[1].offset, 32 * kMiB);
  EXPECT_EQ(extents[1].length, kMiB);
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_CUR), 0);

  const auto cut = data_extents(fd.get(), 8 * kMiB + 5, "f");
  ASSERT_EQ(cut.size(), 1U);
  EXPECT_EQ(cut[0].length, 5U);
  EXPECT_TRUE(data_extents(fd.get(), 0, "f").empty());
}

TEST_F(Capture, WithoutSeekDataTheWholeFileIsOneExtent) {
  const UniqueFd fd(::open("/proc/version", O_RDONLY | O_CLOEXEC));
  const auto extents = data_extents(fd.get(), 100, "/proc/version");
  ASSERT_EQ(extents.size(), 1U);
  EXPECT_EQ(extents[0].offset, 0U);
  EXPECT_EQ(extents[0].length, 100U);
}

TEST_F(Capture, ExtentsOfAFileThatChangesEnd) {
  const UniqueFd fd = make_file("f");
  constexpr std::uint64_t kSize = 4 << 20;
  std::atomic<bool> stop = false;
  std::thread changer([&] {
    const Bytes data(4096, std::byte{1});
    while (!stop) {
      for (std::uint64_t at = 0; at < kSize; at += 64 * 1024) pwrite_full(fd.get(), data, at, "f");
      ASSERT_EQ(::ftruncate(fd.get(), 0), 0);
    }
  });
  const UniqueFd reader = open_file_at(root_.get(), "f", "f");
  for (int i = 0; i < 300; ++i) {
    std::uint64_t end = 0;
    for (const Extent& extent : data_extents(reader.get(), kSize, "f")) {
      ASSERT_GE(extent.offset, end);
      ASSERT_GT(extent.length, 0U);
      end = extent.offset + extent.length;
      ASSERT_LE(end, kSize);
    }
  }
  stop = true;
  changer.join();
}

}  // namespace
}  // namespace qcbak::source
