#include "daemon/sessions.h"

#include <gtest/gtest.h>

#include "tests/support/seeded_random.h"

namespace qcbak::daemon {
namespace {

using config::UserRole;

constexpr std::int64_t kMinute_ns = 60'000'000'000;

class SessionsTest : public testing::Test {
 protected:
  std::string begin(const std::string& name, std::set<UserRole> roles = {UserRole::operating}) {
    return sessions_.begin(sessions_.prepare(name, "10.0.0.7", std::move(roles)));
  }
  tests::ManualClock clock_;
  tests::SeededRandom random_{3};
  Sessions sessions_{clock_, random_};
};

TEST_F(SessionsTest, ATokenIsOfOnePerson) {
  const std::string lan = begin("lan"), hoa = begin("hoa");
  ASSERT_NE(sessions_.use(lan), nullptr);
  EXPECT_EQ(sessions_.use(lan)->name, "lan");
  EXPECT_EQ(sessions_.use(hoa)->name, "hoa");
  EXPECT_EQ(sessions_.use(""), nullptr);
  EXPECT_EQ(sessions_.use(lan.substr(0, 63)), nullptr);
}

TEST_F(SessionsTest, EndsAfterFifteenIdleMinutes) {
  const std::string token = begin("lan");
  clock_.advance(15 * kMinute_ns - 1);
  EXPECT_NE(sessions_.use(token), nullptr);
  EXPECT_TRUE(sessions_.expired().empty());
  clock_.advance(15 * kMinute_ns - 1);  // counted from the last request
  EXPECT_NE(sessions_.use(token), nullptr);
  clock_.advance(15 * kMinute_ns);
  EXPECT_EQ(sessions_.use(token), nullptr);
  ASSERT_EQ(sessions_.expired().size(), 1U);
  EXPECT_TRUE(sessions_.is_idle(sessions_.expired()[0]));
}

TEST_F(SessionsTest, EndsAfterTwelveHoursHoweverBusy) {
  const std::string token = begin("lan");
  for (int minutes = 0; minutes < 719; ++minutes) {
    clock_.advance(kMinute_ns);
    ASSERT_NE(sessions_.use(token), nullptr) << minutes;
  }
  clock_.advance(kMinute_ns);
  EXPECT_EQ(sessions_.use(token), nullptr);
}

TEST_F(SessionsTest, SaysWhenItEnds) {
  const std::string token = begin("lan");
  clock_.advance(5 * kMinute_ns);
  EXPECT_EQ(sessions_.ends(sessions_.of("lan")[0]).ns, clock_.now().ns + 10 * kMinute_ns);
}

TEST_F(SessionsTest, AnAdministratorIsSeenUntilTheirTimeIsOver) {
  begin("hoa");
  EXPECT_EQ(sessions_.of_an_administrator(), nullptr);
  begin("lan", {UserRole::administrator});
  ASSERT_NE(sessions_.of_an_administrator(), nullptr);
  EXPECT_EQ(sessions_.of_an_administrator()->name, "lan");
  clock_.advance(15 * kMinute_ns);
  EXPECT_EQ(sessions_.of_an_administrator(), nullptr);
}

TEST_F(SessionsTest, OneIsEndedAloneByItsNumber) {
  const std::string first = begin("lan"), second = begin("lan");
  sessions_.end(sessions_.use(first)->number);
  EXPECT_EQ(sessions_.use(first), nullptr);
  EXPECT_NE(sessions_.use(second), nullptr);
}

}  // namespace
}  // namespace qcbak::daemon
