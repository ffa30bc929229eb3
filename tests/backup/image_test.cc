// Which bytes of an image are read, and that every other comes back as zeros.
#include <fcntl.h>
#include <gtest/gtest.h>

#include "backup/browse.h"
#include "backup/image_extents.h"
#include "backup/image_restore.h"
#include "backup/image_source.h"
#include "base/error.h"
#include "tests/backup/workshop.h"
#include "tests/support/code_of.h"
#include "tests/support/seeded_random.h"

namespace qcbak::tests {
namespace {

using source::Extent;

std::string text_of(const std::vector<Extent>& extents) {
  std::string text;
  for (const Extent& extent : extents)
    text += std::to_string(extent.offset) + "+" + std::to_string(extent.length) + " ";
  return text;
}

TEST(ImageExtents, Intersection) {
  EXPECT_EQ(text_of(intersection({}, {{0, 10}})), "");
  EXPECT_EQ(text_of(intersection({{0, 10}}, {{0, 10}})), "0+10 ");
  EXPECT_EQ(text_of(intersection({{0, 10}, {20, 10}}, {{5, 20}})), "5+5 20+5 ");
  EXPECT_EQ(text_of(intersection({{0, 10}}, {{10, 5}, {20, 5}})), "");
  EXPECT_EQ(text_of(intersection({{0, 100}}, {{1, 2}, {50, 50}})), "1+2 50+50 ");
}

TEST(ImageExtents, WhatIsNoFileSystemIsNotKnown) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/image";
  write_file_durably(path, Bytes(1U << 20, std::byte{7}));
  EXPECT_TRUE(used_extents_of_ext4(path, 1U << 20).empty());
  EXPECT_TRUE(used_extents_of_ext4(directory.path() + "/nothing", 1U << 20).empty());
}

class ImageTest : public testing::Test {
 protected:
  std::string image() const { return shop_.root() + "/image"; }
  void make(const std::string& script) const {
    run_or_throw({"/bin/sh", "-ec", "cd '" + shop_.root() + "'\n" + script});
  }
  BackupResult backup() const {
    const auto storage = shop_.open_storage();
    const SystemClock clock;
    SystemRandom random;
    const auto lock = repository::lock_for_writing(*storage, clock, 0, {});
    const auto repository = shop_.open(*storage, Access::write_only);
    ImageSource source({image()}, ImageSource::WhileMounted::refuse);
    BackupOptions options;
    options.host = "host";
    Progress progress;
    return qcbak::backup({*storage, *repository, repository->domain(""), clock, random}, options, source, progress, {});
  }
  RestoreResult restore(const std::string& target) const {
    const auto storage = shop_.open_storage();
    const auto repository = shop_.open(*storage, Access::read);
    RestoreOptions options;
    options.path = image();
    options.target = target;
    options.verify = RestoreOptions::Verify::yes;
    Progress progress;
    return restore_image(*repository, find_snapshot(*repository, "latest", {}), options, progress, {});
  }
  Workshop shop_;
};

// Stretches of data and zeros of all lengths about a block's, at all distances from where blocks begin.
TEST_F(ImageTest, ComesBackHoweverDataAndZerosLie) {
  SeededRandom random(20261122);
  for (int round = 0; round < 6; ++round) {
    SCOPED_TRACE(round);
    Bytes content;
    for (int stretch = 0; stretch < 12; ++stretch) {
      const std::size_t near = (random.below(4) * 128) << 10;
      Bytes some(near + random.below(3) * random.below(5000));
      if (stretch % 2 == 0) random.fill(some);
      append(content, some);
    }
    write_file_durably(image(), content);
    const BackupResult result = backup();
    EXPECT_TRUE(result.findings.empty());
    EXPECT_LE(result.bytes_read, content.size());
    write_file_durably(shop_.root() + "/copy", Bytes(3U << 20, std::byte{1}));
    const RestoreResult restored = restore(shop_.root() + "/copy");
    EXPECT_TRUE(restored.findings.empty());
    const Bytes copy = read_file(shop_.root() + "/copy", 64U << 20);
    ASSERT_GE(copy.size(), content.size());
    EXPECT_TRUE(std::equal(content.begin(), content.end(), copy.begin()));
    EXPECT_EQ(restore(shop_.root() + "/copy").bytes_written, 0U);
  }
}

TEST_F(ImageTest, HolesAreNotRead) {
  make("truncate -s 256M image; printf text | dd of=image bs=1 seek=200000000 conv=notrunc status=none");
  const BackupResult result = backup();
  EXPECT_LE(result.bytes_read, 1U << 20);
  make(": > copy");
  EXPECT_EQ(restore(shop_.root() + "/copy").bytes, 256ULL << 20);
}

TEST_F(ImageTest, WhatIsNeitherDeviceNorFileIsRefused) {
  make("mkdir image");
  EXPECT_EQ(code_of([&] { backup(); }), ErrorCode::usage);
  make("rmdir image; mkfifo image");
  EXPECT_EQ(code_of([&] { backup(); }), ErrorCode::usage);
}

}  // namespace
}  // namespace qcbak::tests
