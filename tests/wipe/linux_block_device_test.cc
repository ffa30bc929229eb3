// The kernel's own behaviour, on loop devices: the disk that is used for anything is refused, and left as it was.
#include "wipe/linux_block_device.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <algorithm>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "tests/support/run_command.h"
#include "tests/support/seeded_random.h"
#include "tests/support/temporary_directory.h"
#include "tests/wipe/expected_content.h"
#include "tests/wipe/loop_device.h"
#include "wipe/overwrite.h"
#include "wipe/verdict.h"

namespace qcbak::wipe {
namespace {

using testing::HasSubstr;
using tests::LoopDevice;
using tests::run_or_throw;

constexpr std::uint64_t kSize = 40U << 20;
constexpr std::string_view kSerial = "LABEL-004711";

class LinuxDisk : public testing::Test {
 protected:
  void SetUp() override {
    if (!LoopDevice::possible()) GTEST_SKIP() << "needs root and loop devices";
    loop_ = std::make_unique<LoopDevice>(kSize);
  }

  ApprovedTarget approval(std::string_view plan = "nist-clear") const {
    return {"", std::string(kSerial), SerialOrigin::entered_by_hand, kSize, plan_hash(shipped_plan(plan))};
  }

  // The whole way to a confirmed target; the sentence when it is refused. The medium stays as it was.
  std::string refusal(const std::string& path, std::vector<std::string> system_paths = {}) {
    const Bytes before = loop_->content();
    std::string sentence;
    try {
      const LinuxBlockDevice device(path, std::move(system_paths));
      confirm(inspect(device), approval(), "004711");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::refused) << error.what();
      sentence = error.what();
    }
    EXPECT_TRUE(equal(loop_->content(), before)) << "it was written to";
    return sentence;
  }
  std::string refusal() { return refusal(loop_->path()); }

  tests::TemporaryDirectory directory_;
  std::unique_ptr<LoopDevice> loop_;
};

TEST_F(LinuxDisk, TakesADiskThatNobodyUses) { EXPECT_EQ(refusal(), ""); }

TEST_F(LinuxDisk, TakesADiskWithAFileSystemThatIsNotMounted) {
  run_or_throw({"mkfs.ext4", "-Fq", loop_->path()});
  EXPECT_EQ(refusal(), "");
}

TEST_F(LinuxDisk, RefusesAMountedDisk) {
  run_or_throw({"mkfs.ext4", "-Fq", loop_->path()});
  ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
  ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  const std::string point = directory_ / "mount";
  ASSERT_EQ(::mkdir(point.c_str(), 0755), 0);
  ASSERT_EQ(::mount(loop_->path().c_str(), point.c_str(), "ext4", MS_NOATIME, nullptr), 0);
  const std::string sentence = refusal();
  const std::string as_system = refusal(loop_->path(), {point});
  EXPECT_EQ(::umount2(point.c_str(), 0), 0);
  EXPECT_THAT(sentence, HasSubstr("is mounted: "));
  EXPECT_THAT(sentence, HasSubstr(" on " + point));
  EXPECT_THAT(as_system, HasSubstr("carries the running system: " + point));
}

TEST_F(LinuxDisk, RefusesSwap) {
  run_or_throw({"mkswap", loop_->path()});
  ASSERT_EQ(::swapon(loop_->path().c_str(), 0), 0);
  const std::string sentence = refusal();
  EXPECT_EQ(::swapoff(loop_->path().c_str()), 0);
  EXPECT_THAT(sentence, HasSubstr("is used as swap: "));
}

TEST_F(LinuxDisk, RefusesALockedContainer) {
  write_file_durably(directory_ / "key", as_bytes("a key"));
  run_or_throw({"cryptsetup", "luksFormat", "--batch-mode", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000",
                loop_->path(), directory_ / "key"});
  EXPECT_THAT(refusal(), HasSubstr("belongs to something else: loop"));
  EXPECT_THAT(refusal(), HasSubstr("crypto_LUKS, UUID "));
}

// md metadata 1.2 (linux/raid/md_p.h), as far as it tells a member: made by hand, because this takes no md in the kernel.
TEST_F(LinuxDisk, RefusesAMemberOfAnArray) {
  Bytes superblock(256 + 4);
  store_le(superblock.data(), std::uint32_t{0xa92b4efc});
  store_le(superblock.data() + 4, std::uint32_t{1});
  for (std::size_t i = 16; i < 32; ++i) superblock[i] = std::byte{0xab};  // UUID of the array
  std::memcpy(superblock.data() + 32, "store:archive", 13);
  store_le(superblock.data() + 80, kSize / 512 - 2048);
  store_le(superblock.data() + 128, std::uint64_t{2048});  // offset of the data
  store_le(superblock.data() + 136, kSize / 512 - 2048);   // its size
  store_le(superblock.data() + 144, std::uint64_t{8});     // where this lies, in sectors
  store_le(superblock.data() + 220, std::uint32_t{1});     // roles
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < 256; i += 4) sum += load_le<std::uint32_t>(superblock.data() + i);
  sum += load_le<std::uint16_t>(superblock.data() + 256);
  store_le(superblock.data() + 216, static_cast<std::uint32_t>((sum & 0xffffffff) + (sum >> 32)));
  loop_->plant(4096, superblock);
  const std::string sentence = refusal();
  EXPECT_THAT(sentence, HasSubstr("linux_raid_member, store:archive, UUID abababab-abab"));
}

// The rings of uberblocks of a ZFS label (include/sys/uberblock_impl.h), as far as they tell a member.
TEST_F(LinuxDisk, RefusesAMemberOfAPool) {
  constexpr std::uint64_t kRing = 128U << 10, kUberblock = 1024, kLeastPool = 64U << 20;
  tests::LoopDevice large(kLeastPool);
  Bytes uberblock(kUberblock);
  store_le(uberblock.data(), std::uint64_t{0x00bab10c});
  store_le(uberblock.data() + 8, std::uint64_t{5000});
  for (std::uint64_t i = 0; i < 8; ++i) large.plant(kRing + i * kUberblock, uberblock);
  EXPECT_THAT(refusal(large.path()), HasSubstr("zfs_member"));
}

// CRC-64 as bcache takes it: ECMA-182, from the highest bit on, all bits set before, inverted after.
std::uint64_t bcache_checksum(ByteView bytes) {
  constexpr std::uint64_t kPolynomial = 0x42f0e1eba9ea3693, kHighest = 1ULL << 63;
  std::uint64_t sum = ~0ULL;
  for (const std::byte byte : bytes) {
    sum ^= static_cast<std::uint64_t>(byte) << 56;
    for (int bit = 0; bit < 8; ++bit) sum = (sum & kHighest) != 0 ? (sum << 1) ^ kPolynomial : sum << 1;
  }
  return ~sum;
}

// Its superblock (include/uapi/linux/bcache.h) as far as it tells one: no kernel with bcache is needed to make it.
TEST_F(LinuxDisk, RefusesACache) {
  constexpr std::size_t kSuperblock = 4096, kKeys = 208;
  Bytes superblock(kKeys);
  store_le(superblock.data() + 8, std::uint64_t{8});   // where it lies, in sectors
  store_le(superblock.data() + 16, std::uint64_t{1});  // a backing device
  const Bytes magic = from_hex("c68573f64e1a45ca8265f57f48ba6d81");
  std::ranges::copy(magic, superblock.begin() + 24);
  for (std::size_t i = 40; i < 56; ++i) superblock[i] = std::byte{0xcd};  // UUID
  store_le(superblock.data(), bcache_checksum(ByteView(superblock).subspan(8)));
  loop_->plant(kSuperblock, superblock);
  EXPECT_THAT(refusal(), HasSubstr("bcache"));
}

TEST_F(LinuxDisk, RefusesAPhysicalVolumeNamingItsGroup) {
  const std::string devices = "devices { use_devicesfile=0 filter=[\"a|" + loop_->path() +
                              "|\",\"r|.*|\"] scan=[\"/dev\"] }" +
                              " global { use_lvmlockd=0 } activation { udev_sync=0 udev_rules=0 }";
  const auto lvm = [&](std::vector<std::string> command) {
    command.insert(command.begin() + 1, {"--config", devices, "-y"});
    return tests::run_command(command);
  };
  const auto made = lvm({"pvcreate", loop_->path()});
  ASSERT_EQ(made.status, 0) << made.output;
  EXPECT_THAT(refusal(), HasSubstr("LVM2_member, UUID "));
  const auto group = lvm({"vgcreate", "archive_vg", loop_->path()});
  if (group.status != 0) GTEST_SKIP() << "the group cannot be made on this kernel: " << group.output;
  EXPECT_THAT(refusal(), HasSubstr("LVM2_member, archive_vg, UUID "));
}

// The node of a partition, which a test makes itself where nothing does.
std::string partition_node(const std::string& disk, const std::string& directory) {
  const std::string name = std::filesystem::path(disk).filename().string() + "p1";
  std::ifstream file("/sys/class/block/" + name + "/dev");
  unsigned first = 0;
  unsigned second = 0;
  char colon = 0;
  if (!(file >> first >> colon >> second)) return "";
  const std::string path = directory + "/" + name;
  if (::mknod(path.c_str(), S_IFBLK | 0600, makedev(first, second)) != 0) throw_errno("make", path);
  return path;
}

TEST_F(LinuxDisk, RefusesAPartitionAndADiskWithAPartitionInUse) {
  run_or_throw({"addpart", loop_->path(), "1", "2048", "40000"});
  const std::string partition = partition_node(loop_->path(), directory_.path());
  if (partition.empty()) GTEST_SKIP() << "this kernel makes no partitions of loop devices";
  EXPECT_THAT(refusal(partition), HasSubstr("is not a whole disk: it is a partition of loop"));
  EXPECT_EQ(refusal(), "");
  run_or_throw({"mkswap", partition});
  ASSERT_EQ(::swapon(partition.c_str(), 0), 0);
  const std::string sentence = refusal();
  EXPECT_EQ(::swapoff(partition.c_str()), 0);
  EXPECT_THAT(sentence, HasSubstr("is used as swap: loop"));
  EXPECT_THAT(sentence, HasSubstr("p1"));
}

TEST_F(LinuxDisk, RefusesAReadOnlyDisk) {
  loop_ = std::make_unique<LoopDevice>(kSize, LoopDevice::Access::read_only);
  EXPECT_THAT(refusal(), HasSubstr("is read-only"));
}

TEST_F(LinuxDisk, RefusesWhatIsNoBlockDevice) {
  EXPECT_THAT(refusal("/dev/null"), HasSubstr("is no block device"));
  EXPECT_THAT(refusal(directory_.path()), HasSubstr("is no block device"));
}

TEST_F(LinuxDisk, RefusesTheDiskOfTheRunningSystem) {
  struct stat root;
  ASSERT_EQ(::stat("/", &root), 0);
  if (major(root.st_dev) == 0) GTEST_SKIP() << "the root lies on no disk";
  const std::string node = directory_ / "root";
  ASSERT_EQ(::mknod(node.c_str(), S_IFBLK | 0600, root.st_dev), 0);
  const UniqueFd readable(::open(node.c_str(), O_RDONLY | O_CLOEXEC));
  if (!readable) GTEST_SKIP() << "the disk of the root cannot be opened here";
  EXPECT_THAT(refusal(node), HasSubstr("carries the running system: /"));
}

TEST_F(LinuxDisk, IsOpenedByOneProcessAndCannotBeMounted) {
  run_or_throw({"mkfs.ext4", "-Fq", loop_->path()});
  const LinuxBlockDevice device(loop_->path());
  EXPECT_THROW(LinuxBlockDevice(loop_->path()), Error);
  const std::string point = directory_ / "mount";
  ASSERT_EQ(::mkdir(point.c_str(), 0755), 0);
  EXPECT_NE(::mount(loop_->path().c_str(), point.c_str(), "ext4", 0, nullptr), 0);
  EXPECT_EQ(errno, EBUSY);
}

TEST_F(LinuxDisk, TellsWhatItIs) {
  const LinuxBlockDevice device(loop_->path());
  EXPECT_EQ(device.geometry().size_bytes, kSize);
  EXPECT_EQ(device.geometry().logical_sector_bytes, 512);
  EXPECT_EQ(device.identity(), Identity()) << "a loop device has none";
  EXPECT_GT(device.attachment().disk_sequence, 0);
  EXPECT_FALSE(device.attachment().removable);
}

TEST_F(LinuxDisk, IsOverwrittenAsPlanned) {
  run_or_throw({"mkfs.ext4", "-Fq", loop_->path()});
  const Plan& plan = shipped_plan("gutmann");
  LinuxBlockDevice device(loop_->path());
  ConfirmedTarget target = confirm(inspect(device), approval("gutmann"), "004711");
  const SystemClock clock;
  SystemRandom random;
  Journal journal = Journal::create(directory_ / "journal", begin_job(target, plan, clock, random));
  const OverwriteResult result = overwrite(device, std::move(target), plan, journal, {}, clock, {});
  EXPECT_EQ(assess(facts_of(result)).verdict, Verdict::clear);
  EXPECT_TRUE(equal(loop_->content(), tests::expected_content("R", 35, journal.beginning().secret.view(), kSize)));
}

}  // namespace
}  // namespace qcbak::wipe
