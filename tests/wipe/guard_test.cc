#include "wipe/guard.h"

#include <gmock/gmock.h>

#include <type_traits>

#include "base/error.h"
#include "tests/simulated/simulated_disk.h"
#include "wipe/plan.h"

namespace qcbak::wipe {
namespace {

using simulated::Disk;
using simulated::SimulatedDisk;
using testing::HasSubstr;

constexpr std::uint64_t kSize = 1 << 20;

static_assert(!std::is_default_constructible_v<ConfirmedTarget> && !std::is_copy_constructible_v<ConfirmedTarget>);
static_assert(!std::is_default_constructible_v<Inspection>);

ApprovedTarget approval(Disk& disk) {
  return {disk.identity().model, disk.identity().serial, SerialOrigin::reported, disk.size_bytes(),
          plan_hash(shipped_plan("nist-clear"))};
}

// The sentence; empty when it is confirmed.
std::string refusal(Disk& disk, const ApprovedTarget& approved, std::string_view typed = "456789") {
  const SimulatedDisk device(disk);
  try {
    confirm(inspect(device), approved, typed);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::refused);
    EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
    return error.what();
  }
  return {};
}

TEST(Confirm, TakesTheDiskThatWasApproved) {
  Disk disk(kSize);
  EXPECT_EQ(refusal(disk, approval(disk)), "");
}

TEST(Confirm, RefusesAnyOtherDisk) {
  Disk disk(kSize);
  ApprovedTarget other = approval(disk);
  other.model += "x";
  EXPECT_THAT(refusal(disk, other), HasSubstr("its model is Simulated, approved was Simulatedx"));
  other = approval(disk);
  other.serial = "OTHER456789";  // what is typed still fits
  EXPECT_THAT(refusal(disk, other), HasSubstr("its serial is SIM0123456789"));
  other = approval(disk);
  other.size_bytes += 512;
  EXPECT_THAT(refusal(disk, other), HasSubstr("its size is 1048576"));
}

TEST(Confirm, RefusesWhatWasTypedOtherwise) {
  Disk disk(kSize);
  for (const char* const typed : {"", "45678", "456788", "3456789", "SIM0123456789", "456789 "})
    EXPECT_THAT(refusal(disk, approval(disk), typed), HasSubstr("not the end of the serial")) << typed;
}

TEST(Confirm, TakesTheWholeOfAShortSerial) {
  Disk disk(kSize);
  disk.identity().serial = "42";
  ApprovedTarget approved = approval(disk);
  approved.serial = "42";
  EXPECT_EQ(refusal(disk, approved, "42"), "");
  EXPECT_NE(refusal(disk, approved, ""), "");
}

TEST(Confirm, TakesASerialEnteredByHandOnlyWhereTheDiskReportsNone) {
  Disk disk(kSize);
  ApprovedTarget approved = approval(disk);
  approved.serial = "LABEL-4711";
  approved.serial_origin = SerialOrigin::entered_by_hand;
  EXPECT_THAT(refusal(disk, approved, "L-4711"), HasSubstr("its serial is SIM0123456789"));
  disk.identity().serial.clear();
  EXPECT_EQ(refusal(disk, approved, "L-4711"), "");
  approved.serial_origin = SerialOrigin::reported;
  EXPECT_THAT(refusal(disk, approved, "L-4711"), HasSubstr("its serial is (none)"));
  approved.serial.clear();
  approved.serial_origin = SerialOrigin::entered_by_hand;
  EXPECT_NE(refusal(disk, approved, ""), "");
}

struct UseCase {
  std::vector<std::string> Usage::*list;
  const char* sentence;
};

TEST(Confirm, RefusesADiskThatIsUsedForAnything) {
  const UseCase cases[] = {
      {&Usage::reasons_not_a_disk, "simulated disk is not a whole disk: x, y"},
      {&Usage::system_paths, "simulated disk carries the running system: x, y"},
      {&Usage::mounts, "simulated disk is mounted: x, y"},
      {&Usage::swaps, "simulated disk is used as swap: x, y"},
      {&Usage::holders, "simulated disk is in use by x, y"},
      {&Usage::members, "simulated disk belongs to something else: x, y"},
  };
  for (const UseCase& one : cases) {
    Disk disk(kSize);
    disk.usage().*one.list = {"x", "y"};
    EXPECT_EQ(refusal(disk, approval(disk)), one.sentence);
  }
}

TEST(Confirm, RefusesAReadOnlyDiskAndOneOfNoSize) {
  Disk disk(kSize);
  disk.usage().read_only = true;
  EXPECT_EQ(refusal(disk, approval(disk)), "simulated disk is read-only");
  Disk empty(0);
  EXPECT_EQ(refusal(empty, approval(empty)), "simulated disk has no room: its size is 0");
}

TEST(ConfirmedTarget, KnowsItsDiskAgain) {
  Disk disk(kSize);
  const SimulatedDisk device(disk);
  const ConfirmedTarget target = confirm(inspect(device), approval(disk), "456789");
  target.require_same(device);
  disk.resize(2 * kSize);
  EXPECT_THROW(target.require_same(device), Error);
  disk.resize(kSize);
  disk.identity().firmware = "2.0";
  EXPECT_THROW(target.require_same(device), Error);
}

}  // namespace
}  // namespace qcbak::wipe
