#include "config/window.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace qcbak::config {
namespace {

// In the zone of this process.
Time at(const std::string& time_of_day, const std::string& day = "2026-11-21") {
  return parse_time(day + "T" + time_of_day).value();
}

TEST(Windows, WithoutOneItIsAlwaysOpen) {
  const Windows windows;
  EXPECT_TRUE(windows.open(at("12:00:00")));
  EXPECT_EQ(windows.opens(at("12:00:00")), at("12:00:00"));
}

TEST(Windows, OpensAtItsBeginAndClosesAtItsEnd) {
  Windows windows;
  windows.add("12:00..13:30");
  EXPECT_FALSE(windows.open(at("11:59:59")));
  EXPECT_TRUE(windows.open(at("12:00:00")));
  EXPECT_TRUE(windows.open(at("13:29:59")));
  EXPECT_FALSE(windows.open(at("13:30:00")));
  EXPECT_EQ(windows.opens(at("11:00:00")), at("12:00:00"));
  EXPECT_EQ(windows.opens(at("13:30:00")), at("12:00:00", "2026-11-22"));
}

TEST(Windows, GoesPastMidnight) {
  Windows windows;
  windows.add("22:00..05:00");
  EXPECT_TRUE(windows.open(at("23:59:59")));
  EXPECT_TRUE(windows.open(at("00:00:00")));
  EXPECT_TRUE(windows.open(at("04:59:59")));
  EXPECT_FALSE(windows.open(at("05:00:00")));
  EXPECT_EQ(windows.opens(at("05:00:00")), at("22:00:00"));
  EXPECT_EQ(windows.opens(at("03:00:00")), at("03:00:00"));
}

TEST(Windows, SeveralOfThem) {
  Windows windows;
  windows.add("00:00..06:00");
  windows.add("20:00..24:00");
  EXPECT_EQ(windows.opens(at("07:00:00")), at("20:00:00"));
  EXPECT_TRUE(windows.open(at("23:59:00")));
  EXPECT_EQ(windows.texts(), (std::vector<std::string>{"00:00..06:00", "20:00..24:00"}));
}

TEST(Windows, WhatIsNone) {
  for (const char* text : {"", "..", "22:00", "22:00-05:00", "22:00..22:00", "24:00..05:00", "22:60..05:00",
                           "25:00..05:00", "2:00..05:00", "22:00..05:00 ", "aa:bb..cc:dd"})
    EXPECT_THROW(Windows().add(text), Error) << text;
}

}  // namespace
}  // namespace qcbak::config
