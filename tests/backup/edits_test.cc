// Random edits of a tree between backups, among them those that hide from size and mtime: each snapshot is the tree as
// it was, whatever the file cache remembers. rsync judges.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "base/unique_fd.h"
#include "tests/backup/rehearsal.h"

namespace qcbak::tests {
namespace {

namespace fs = std::filesystem;

class Editor {
 public:
  Editor(std::string root, std::uint64_t seed) : root_(std::move(root)), random_(seed) {
    for (int i = 0; i < 4; ++i) make_directories(root_ + "/" + std::to_string(i));
    for (int i = 0; i < 40; ++i) create();
  }

  void edit() {
    const std::vector<std::function<void()>> kinds = {
        [this] { create(); },
        [this] { fs::remove(any_file()); },
        [this] { change_unnoticeably(any_file()); },
        [this] { fs::rename(any_file(), new_name()); },
        [this] { exchange(any_file(), any_file()); },
        [this] { fs::create_hard_link(any_file(), new_name()); },
        [this] { fs::resize_file(any_file(), random_.below(80'000)); },
        [this] { fs::permissions(any_file(), static_cast<fs::perms>(0600 | random_.below(0200))); },
        [this] {
          const std::string value = std::to_string(random_.below(1000));
          check(::lsetxattr(any_file().c_str(), "user.edited", value.data(), value.size(), 0) == 0, "xattr set");
        },
        [this] { replace(any_file()); },
        [this] { exchange(any_directory(), any_directory()); },
        [this] { touch(any_file()); },
        [this] {
          const std::string file = any_file();
          fs::remove(file);
          fs::create_symlink("target", file);
        },
    };
    kinds[random_.below(kinds.size())]();
  }

 private:
  std::string any_directory() { return root_ + "/" + std::to_string(random_.below(4)); }
  std::string new_name() { return any_directory() + "/" + std::to_string(++names_); }
  std::string any_file() {
    std::vector<std::string> files;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root_))
      if (entry.is_regular_file() && !entry.is_symlink()) files.push_back(entry.path().string());
    if (files.empty()) return create();
    std::sort(files.begin(), files.end());
    return files[random_.below(files.size())];
  }
  std::string create() {
    const std::string name = new_name();
    write_random_file(name, random_, random_.one_in(20) ? 3'000'000 : random_.below(40'000));
    return name;
  }
  static struct stat status_of(const std::string& file) {
    struct stat status {};
    check(::lstat(file.c_str(), &status) == 0, "the file is there");
    return status;
  }
  static void set_mtime(const std::string& file, const timespec& mtime) {
    const timespec times[2] = {{0, UTIME_OMIT}, mtime};
    check(::utimensat(AT_FDCWD, file.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0, "mtime set");
  }
  // Same size, same mtime, same inode.
  void change_unnoticeably(const std::string& file) {
    const struct stat before = status_of(file);
    if (before.st_size == 0) return;
    const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
    const Bytes content = random_content(random_, 1 + random_.below(100));
    const std::uint64_t at = random_.below(static_cast<std::uint64_t>(before.st_size));
    const std::size_t fits = std::min<std::size_t>(content.size(), static_cast<std::size_t>(before.st_size) - at);
    pwrite_full(fd.get(), ByteView(content).first(fits), at, file);
    set_mtime(file, before.st_mtim);
  }
  // By another inode with another content of the same size and times.
  void replace(const std::string& file) {
    const struct stat before = status_of(file);
    const std::string other = root_ + "/replacement";
    write_random_file(other, random_, static_cast<std::size_t>(before.st_size));
    set_mtime(other, before.st_mtim);
    fs::rename(other, file);
  }
  static void exchange(const std::string& one, const std::string& other) {
    if (one != other)
      check(::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) == 0, "names exchanged");
  }
  void touch(const std::string& file) { set_mtime(file, {static_cast<time_t>(random_.below(2'000'000'000)), 5}); }

  std::string root_;
  SeededRandom random_;
  int names_ = 0;
};

class Edits : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Edits, EachSnapshotIsTheTreeAsItWas) {
  constexpr int kRounds = 8;
  const Workshop shop;
  Editor editor(shop.source(), GetParam());
  SeededRandom random(GetParam());
  std::uint64_t unmodified = 0;
  for (int round = 0; round < kRounds; ++round) {
    // Most is settled and comes from the cache; what was just edited is not.
    if (random.one_in(2)) let_settle();
    unmodified += shop.backup().files_unmodified;
    shop.restore();
    ASSERT_EQ(shop.difference(), "") << "round " << round;
    fs::remove_all(shop.target());
    for (std::uint64_t left = random.below(6); left > 0; --left) editor.edit();
  }
  EXPECT_GT(unmodified, 40U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Edits, testing::Range<std::uint64_t>(1, 4));

}  // namespace
}  // namespace qcbak::tests
