// Round trips on real file systems, judged by programs that are not ours: rsync, find, getfacl, getfattr, lsattr.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "backup/source/capture.h"
#include "backup/source/target.h"
#include "base/error.h"
#include "tests/support/loop_mount.h"
#include "tests/support/whole_tree.h"

namespace qcbak::source {
namespace {

using repository::EntryType;
using repository::Metadata;
using tests::in_directory;
using tests::listing;
using tests::LoopMount;
using tests::set_mtime;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using Existing = Target::Existing;
using Shortfalls = std::vector<Target::Shortfall>;

// The least that a backup and a restore do: every entry of `source`, below `target`.
class Copy {
 public:
  Copy(const std::string& source, Target& target, Existing existing) : target_(target), existing_(existing) {
    const UniqueFd root = open_directory_at(AT_FDCWD, source.c_str(), source);
    copy_directory(root.get(), "");
    Metadata metadata = status_of(root.get(), source).metadata;
    capture_details(root.get(), source, metadata);
    entries_.push_back({"", std::move(metadata)});
    // Links before metadata, since an immutable file takes none; directories after what is in them.
    for (const auto& [path, existing_path] : links_) target_.make_hard_link(path, existing_path);
    for (const Entry& entry : entries_)
      for (Target::Shortfall& shortfall : target_.apply_metadata(entry.path, entry.metadata)) {
        shortfall.what += " of " + printable(entry.path);
        shortfalls_.push_back(std::move(shortfall));
      }
  }

  const Shortfalls& shortfalls() const { return shortfalls_; }
  std::vector<std::string> differences() const {
    std::vector<std::string> found;
    for (const Entry& entry : entries_)
      for (const std::string& difference : target_.compare_metadata(entry.path, entry.metadata))
        found.push_back(printable(entry.path) + ": " + difference);
    return found;
  }

 private:
  struct Entry {
    std::string path;
    Metadata metadata;
  };

  void copy_directory(int fd, const std::string& path) {
    for (const std::string& name : list_directory(fd, path)) {
      const std::string below = path.empty() ? name : path + "/" + name;
      const Status status = status_at(fd, name.c_str(), below).value();
      Metadata metadata = status.metadata;
      if (metadata.link_count > 1) {
        const auto [first, is_first] = inodes_.try_emplace(metadata.link_inode, below);
        if (!is_first) {
          links_.emplace_back(below, first->second);
          continue;
        }
      }
      copy_entry(fd, name, below, metadata);
      entries_.push_back({below, std::move(metadata)});
    }
  }

  void copy_entry(int directory, const std::string& name, const std::string& path, Metadata& metadata) {
    switch (metadata.type) {
      case EntryType::directory: {
        const UniqueFd fd = open_directory_at(directory, name.c_str(), path);
        capture_details(fd.get(), path, metadata);
        target_.make_directory(path);
        return copy_directory(fd.get(), path);
      }
      case EntryType::file: {
        const UniqueFd fd = open_file_at(directory, name.c_str(), path);
        capture_details(fd.get(), path, metadata);
        return copy_content(fd.get(), path, metadata);
      }
      case EntryType::symlink:
        capture_details_at(directory, name.c_str(), path, metadata);
        return target_.make_symlink(path, metadata.link_target);
      case EntryType::fifo:
      case EntryType::socket:
      case EntryType::char_device:
      case EntryType::block_device:
        capture_details_at(directory, name.c_str(), path, metadata);
        return target_.make_special(path, metadata);
    }
  }

  void copy_content(int from, const std::string& path, const Metadata& metadata) {
    const UniqueFd to = target_.create_file(path, existing_);
    target_.prepare_content(to.get(), metadata);
    if (::ftruncate(to.get(), 0) != 0 || ::ftruncate(to.get(), static_cast<off_t>(metadata.size_bytes)) != 0)
      throw_errno("size", path);
    for (const Extent& extent : data_extents(from, metadata.size_bytes, path)) {
      Bytes data(extent.length);
      if (pread_full(from, data, extent.offset, path) != data.size()) throw Error(ErrorCode::io, path + " is cut short");
      pwrite_full(to.get(), data, extent.offset, path);
    }
  }

  Target& target_;
  Existing existing_;
  std::vector<Entry> entries_;
  std::vector<std::pair<std::string, std::string>> links_;
  std::map<std::uint64_t, std::string> inodes_;
  Shortfalls shortfalls_;
};

std::vector<std::string> texts(const Shortfalls& shortfalls) {
  std::vector<std::string> result;
  for (const Target::Shortfall& shortfall : shortfalls) result.push_back(shortfall.what + ": " + shortfall.reason);
  return result;
}

class RoundTrip : public ::testing::TestWithParam<std::tuple<std::string, Resolution>> {};

INSTANTIATE_TEST_SUITE_P(On, RoundTrip,
                         ::testing::Combine(::testing::Values("ext4", "xfs", "btrfs", "tmpfs"),
                                            ::testing::Values(Resolution::openat2, Resolution::components)),
                         [](const auto& case_) {
                           return std::get<0>(case_.param) +
                                  (std::get<1>(case_.param) == Resolution::openat2 ? "_openat2" : "_components");
                         });

TEST_P(RoundTrip, KeepsEverything) {
  const auto& [kind, resolution] = GetParam();
  const LoopMount mount(kind);
  const std::string source = mount / "s";
  tests::make_whole_tree(source);
  Target target(mount / "t", resolution);
  // Anew, over what the first left with its flags and access lists, and into its inodes.
  for (const Existing existing : {Existing::replace, Existing::replace, Existing::reuse}) {
    const Copy copy(source, target, existing);
    EXPECT_THAT(texts(copy.shortfalls()), IsEmpty());
    EXPECT_THAT(copy.differences(), IsEmpty());
    EXPECT_EQ(tests::differences(source, target.path()), "");
  }
  for (const std::string& name : list_directory(target.open_directory("").get(), "")) {
    // The target's own flags are not this function's to clear; this tree gives it none.
    target.remove_tree(name);
  }
  EXPECT_THAT(list_directory(target.open_directory("").get(), ""), IsEmpty());
}

TEST(AcrossFileSystems, WhatTheTargetCannotHoldIsReported) {
  const LoopMount ext4("ext4"), tmpfs("tmpfs");
  const std::string source = ext4 / "s";
  ASSERT_EQ(::mkdir(source.c_str(), 0755), 0);
  in_directory(source, "printf x > f; setfattr -n user.x -v 1 f; chattr +sSdi f; mkdir d; chattr +TA d");
  Target target(tmpfs / "t");
  const Copy copy(source, target, Existing::replace);
  EXPECT_THAT(texts(copy.shortfalls()), ::testing::UnorderedElementsAre(
                                             StartsWith("flags top-directory of d"),
                                             StartsWith("flags secure-deletion, synchronous of f: Operation not supported")));
  EXPECT_EQ(copy.differences(),
            (std::vector<std::string>{"d: flags no-atime, expected no-atime, top-directory",
                                      "f: flags immutable, no-dump, expected secure-deletion, synchronous, immutable, no-dump"}));
  EXPECT_THAT(listing(tmpfs / "t", "lsattr -d f d"), ::testing::AllOf(HasSubstr("i"), HasSubstr("d"), HasSubstr("A")));
}

TEST(AcrossFileSystems, TimesBeyondTheRangeAreReported) {
  const LoopMount ext4("ext4"), tmpfs("tmpfs");
  const std::string source = tmpfs / "s";
  ASSERT_EQ(::mkdir(source.c_str(), 0755), 0);
  in_directory(source, ": > f");
  set_mtime(source + "/f", 20'000'000'000, 0);  // 2603; ext4 ends in 2446
  Target target(ext4 / "t");
  EXPECT_THAT(texts(Copy(source, target, Existing::replace).shortfalls()),
              ::testing::ElementsAre(StartsWith("mtime of f: the file system cannot hold 20000000000")));
}

TEST(Btrfs, FlagsThatMustComeBeforeTheContent) {
  const LoopMount mount("btrfs");
  const std::string source = mount / "s";
  ASSERT_EQ(::mkdir(source.c_str(), 0755), 0);
  in_directory(source, R"sh(
    : > nocow; chattr +C nocow; printf content >> nocow
    mkdir nocow_below; chattr +C nocow_below; printf x > nocow_below/inherits
    : > compressed; chattr +d compressed; setfattr -n btrfs.compression -v zstd compressed
    printf '%0100000d' 0 >> compressed; : > never; chattr +m never
  )sh");
  Target target(mount / "t");
  for (const Existing existing : {Existing::replace, Existing::replace}) {
    const Copy copy(source, target, existing);
    EXPECT_THAT(texts(copy.shortfalls()), IsEmpty());
    EXPECT_THAT(copy.differences(), IsEmpty());
  }
  EXPECT_THAT(listing(mount / "t", "lsattr nocow"), HasSubstr("C"));
  EXPECT_THAT(listing(mount / "t", "getfattr -n btrfs.compression compressed"), HasSubstr("zstd"));
}

TEST(RemoveTree, StopsAtAnotherFileSystem) {
  const LoopMount mount("tmpfs");
  Target target(mount / "t");
  target.make_directory("d");
  target.make_directory("d/bound");
  target.make_directory("d/mounted");
  in_directory(mount.path(), "mkdir other; : > other/kept");
  const std::string bound = mount / "t/d/bound", mounted = mount / "t/d/mounted";
  for (const bool is_bind : {true, false}) {
    const std::string& place = is_bind ? bound : mounted;
    if (is_bind)
      ASSERT_EQ(::mount((mount / "other").c_str(), place.c_str(), nullptr, MS_BIND, nullptr), 0);
    else
      ASSERT_EQ(::mount("none", place.c_str(), "tmpfs", 0, nullptr), 0);
    in_directory(place, ": > kept");
    for (const char* path : {"d", is_bind ? "d/bound" : "d/mounted"}) {
      try {
        target.remove_tree(path);
        ADD_FAILURE();
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::refused) << error.what();
      }
    }
    EXPECT_EQ(::access((place + "/kept").c_str(), F_OK), 0);
    ASSERT_EQ(::umount2(place.c_str(), 0), 0);
    target.make_directory("d/mounted");
  }
  target.remove_tree("d");
}

TEST(RemoveTree, TakesSubvolumes) {
  const LoopMount mount("btrfs");
  Target target(mount / "t");
  in_directory(mount / "t", "mkdir d; btrfs subvolume create d/v >/dev/null; : > d/v/f");
  target.remove_tree("d");
  EXPECT_THAT(list_directory(target.open_directory("").get(), ""), IsEmpty());
}

}  // namespace
}  // namespace qcbak::source
