#include "wipe/cooling.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/support/seeded_random.h"
#include "tests/support/temporary_directory.h"
#include "wipe/temperature_sensor.h"

namespace qcbak::wipe {
namespace {

using tests::kSecondNs;
using tests::ManualClock;
constexpr std::int64_t kMinuteNs = 60 * kSecondNs;

// A disk that is as warm as it is told, and gets cooler by one degree in each wait.
struct Bench {
  ManualClock clock;
  std::optional<std::uint64_t> temperature_c = 50;
  bool cools = true;
  int looks = 0;
  int waits = 0;
  int waits_until_stop = 1000000;
  std::vector<std::uint64_t> told;
  Cooling cooling{CoolingOptions{},
                  [this] {
                    ++looks;
                    return temperature_c;
                  },
                  [this](std::int64_t ns) {
                    clock.advance(ns);
                    if (cools && temperature_c) --*temperature_c;
                    return ++waits < waits_until_stop;
                  },
                  [this](std::uint64_t celsius) { told.push_back(celsius); }, clock};

  void work_for(std::int64_t ns) {
    for (const std::int64_t until = clock.monotonic_ns() + ns; clock.monotonic_ns() < until; clock.advance(kSecondNs))
      cooling.rest_if_hot();
  }
};

TEST(Cooling, LooksEveryTenSeconds) {
  Bench bench;
  bench.work_for(kMinuteNs);
  EXPECT_EQ(bench.looks, 6);
  EXPECT_EQ(bench.waits, 0);
  EXPECT_EQ(bench.cooling.heat(), (Heat{0, 50}));
}

TEST(Cooling, RestsUntilItIsFiveDegreesCooler) {
  Bench bench;
  bench.temperature_c = 60;
  bench.cooling.rest_if_hot();
  EXPECT_EQ(bench.waits, 0) << "60 is not above 60";
  bench.temperature_c = 63;
  bench.clock.advance(10 * kSecondNs);
  bench.cooling.rest_if_hot();
  EXPECT_EQ(bench.temperature_c, 55);
  EXPECT_EQ(bench.waits, 8);
  EXPECT_THAT(bench.told, testing::ElementsAre(63));
  EXPECT_EQ(bench.cooling.heat(), (Heat{1, 63}));
}

TEST(Cooling, GoesOnAfterHalfAnHourAndThenWorksAsLong) {
  Bench bench;
  bench.cools = false;
  bench.temperature_c = 61;
  bench.cooling.rest_if_hot();
  EXPECT_EQ(bench.waits, 180);
  EXPECT_EQ(bench.clock.monotonic_ns(), 30 * kMinuteNs);
  bench.work_for(30 * kMinuteNs);
  EXPECT_EQ(bench.waits, 180) << "a rest that did not help is not repeated at once";
  bench.cooling.rest_if_hot();
  EXPECT_EQ(bench.waits, 360);
  EXPECT_EQ(bench.cooling.heat(), (Heat{2, 61}));
}

TEST(Cooling, EndsItsRestWhenTheJobIsToStop) {
  Bench bench;
  bench.temperature_c = 90;
  bench.waits_until_stop = 1;
  bench.cooling.rest_if_hot();
  EXPECT_EQ(bench.waits, 1);
  EXPECT_EQ(bench.cooling.heat(), (Heat{1, 90}));
}

TEST(Cooling, GoesOnWhenTheSensorTellsNothingAnyMore) {
  Bench bench;
  bench.temperature_c = 90;
  bench.waits_until_stop = 4;
  Bench deaf;
  deaf.temperature_c = std::nullopt;
  deaf.work_for(kMinuteNs);
  EXPECT_EQ(deaf.cooling.heat(), std::nullopt);
  EXPECT_EQ(deaf.waits, 0);
  Cooling cooling(
      CoolingOptions{}, [&] { return bench.temperature_c; },
      [&](std::int64_t) {
        bench.temperature_c.reset();
        return ++bench.waits < 4;
      },
      [](std::uint64_t) {}, bench.clock);
  cooling.rest_if_hot();
  EXPECT_EQ(bench.waits, 1);
}

TEST(TemperatureSensor, IsFoundBesideTheDiskAndReadAnew) {
  for (const char* const place : {"/device/hwmon/hwmon3", "/device/hwmon0"}) {
    const tests::TemporaryDirectory sysfs;
    const std::string directory = sysfs.path() + place;
    std::filesystem::create_directories(directory);
    std::ofstream(directory + "/temp1_input") << "43000\n";
    const TemperatureSensor sensor(sysfs.path());
    EXPECT_EQ(sensor.read(), 43);
    std::ofstream(directory + "/temp1_input") << "7000\n";
    EXPECT_EQ(sensor.read(), 7);
    std::ofstream(directory + "/temp1_input") << "";
    EXPECT_EQ(sensor.read(), std::nullopt);
  }
  EXPECT_EQ(TemperatureSensor("/nowhere").read(), std::nullopt);
}

}  // namespace
}  // namespace qcbak::wipe
