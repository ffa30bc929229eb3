#include "wipe/watchdog.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/support/seeded_random.h"

namespace qcbak::wipe {
namespace {

using tests::kSecondNs;
using tests::ManualClock;
constexpr std::int64_t kMinuteNs = 60 * kSecondNs;
constexpr std::uint64_t kMiB = 1U << 20;

// A disk whose requests take as long as they are told.
class SlowDisk final : public BlockDevice {
 public:
  explicit SlowDisk(ManualClock& clock) : clock_(clock) {}
  std::string name() const override { return "/dev/slow"; }
  Identity identity() const override { return {"vendor", "model", asked_once_++ == 0 ? "serial" : "another", "", ""}; }
  Geometry geometry() const override { return {}; }
  Usage usage() const override { return {}; }
  Transfer read(std::uint64_t, MutableByteView into) override { return take(into.size()); }
  Transfer write(std::uint64_t, ByteView from) override { return take(from.size()); }
  void flush() override {
    clock_.advance(each_ns);
    if (fails) throw Error(ErrorCode::io, "it cannot be flushed");
  }

  std::int64_t each_ns = kSecondNs;
  bool fails = false;
  const WatchedDevice* seen_by = nullptr;
  Activity seen;  // while the last request was under way

 private:
  Transfer take(std::size_t size) {
    clock_.advance(each_ns);
    if (seen_by != nullptr) seen = seen_by->activity();
    return fails ? Transfer{0, EIO} : Transfer{size, 0};
  }
  ManualClock& clock_;
  mutable int asked_once_ = 0;
};

struct Watched {
  ManualClock clock;
  SlowDisk disk{clock};
  WatchedDevice device{disk, clock};
  Bytes chunk = Bytes(kMiB);
};

TEST(WatchedDevice, CountsWhatMovedAndHowLongItTook) {
  Watched watched;
  watched.device.write(0, watched.chunk);
  watched.clock.advance(kMinuteNs);  // resting
  watched.device.read(0, watched.chunk);
  EXPECT_EQ(watched.device.activity(), (Activity{2 * kMiB, 0, 2 * kSecondNs, 0, 0}));
}

TEST(WatchedDevice, RetryingAndFlushingIsNoCrawling) {
  Watched watched;
  watched.disk.fails = true;
  EXPECT_EQ(watched.device.write(0, watched.chunk).error, EIO);
  EXPECT_THROW(watched.device.flush(), Error);
  watched.disk.fails = false;
  watched.device.flush();
  EXPECT_EQ(watched.device.activity(), (Activity{0, 1, 0, 0, 0}));
}

TEST(WatchedDevice, TellsOfTheRequestUnderWay) {
  Watched watched;
  watched.disk.seen_by = &watched.device;
  watched.disk.each_ns = 7 * kSecondNs;
  watched.device.write(0, watched.chunk);
  EXPECT_EQ(watched.disk.seen.under_way, 1U);
  EXPECT_EQ(watched.disk.seen.oldest_ns, 7 * kSecondNs);
}

TEST(WatchedDevice, KeepsTheIdentityThatItBeganWith) {
  Watched watched;
  EXPECT_EQ(watched.device.identity().serial, "serial");
  EXPECT_EQ(watched.device.identity().serial, "serial");
}

TEST(Watchdog, ARequestThatDoesNotComeBackHangs) {
  Watchdog dog{WatchdogLimits{}};
  dog.begin(0);
  // The process still tells of it, every second.
  for (std::int64_t now = 0; now <= 10 * kMinuteNs; now += kSecondNs) {
    dog.hear({0, 0, 0, 1, now}, now);
    EXPECT_FALSE(dog.judge(now));
  }
  dog.hear({0, 0, 0, 1, 10 * kMinuteNs + 1}, 10 * kMinuteNs + 1);
  EXPECT_EQ(dog.judge(10 * kMinuteNs + 1), GivenUp::hung);
}

TEST(Watchdog, AProcessThatSaysNothingAnyMoreHangs) {
  Watchdog dog{WatchdogLimits{}};
  dog.begin(5 * kMinuteNs);
  EXPECT_FALSE(dog.judge(15 * kMinuteNs));
  EXPECT_EQ(dog.judge(15 * kMinuteNs + 1), GivenUp::hung);
}

TEST(Watchdog, WhatRestsOrWaitsForFirmwareIsLeftAlone) {
  Watchdog dog{WatchdogLimits{}};
  dog.begin(0);
  for (std::int64_t now = 0; now < 300 * kMinuteNs; now += kMinuteNs) {
    dog.hear({kMiB, 0, kSecondNs, 0, 0}, now);  // nothing under way, nothing moves
    EXPECT_FALSE(dog.judge(now));
  }
}

// Told every minute of `bytes_each` more, all of the time spent on them.
std::optional<GivenUp> after_minutes(int minutes, std::uint64_t bytes_each) {
  Watchdog dog{WatchdogLimits{}};
  dog.begin(0);
  for (int i = 1; i <= minutes; ++i)
    dog.hear({bytes_each * static_cast<std::uint64_t>(i), 0, i * kMinuteNs, 1, kSecondNs}, i * kMinuteNs);
  return dog.judge(minutes * kMinuteNs);
}

TEST(Watchdog, UnderTheFloorForAWholeWindowCrawls) {
  EXPECT_FALSE(after_minutes(29, 59 * kMiB));
  EXPECT_EQ(after_minutes(31, 59 * kMiB), GivenUp::crawling);
  EXPECT_FALSE(after_minutes(600, 61 * kMiB));
}

TEST(Watchdog, CrawlsAlsoAfterItWasQuick) {
  Watchdog dog{WatchdogLimits{}};
  dog.begin(0);
  std::uint64_t moved = 0;
  std::int64_t now = 0;
  for (int i = 0; i < 600; ++i) dog.hear({moved += 6000 * kMiB, 0, now += kMinuteNs, 1, 0}, now);
  EXPECT_FALSE(dog.judge(now));
  for (int i = 0; i < 32; ++i) dog.hear({moved += kMiB, 0, now += kMinuteNs, 1, 0}, now);
  EXPECT_EQ(dog.judge(now), GivenUp::crawling);
}

TEST(Watchdog, NamesGoThereAndBack) {
  for (const GivenUp why : {GivenUp::hung, GivenUp::crawling}) EXPECT_EQ(given_up_named(given_up_name(why)), why);
  EXPECT_FALSE(given_up_named("asleep"));
}

}  // namespace
}  // namespace qcbak::wipe
