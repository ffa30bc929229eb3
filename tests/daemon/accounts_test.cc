#include "daemon/accounts.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/temporary_directory.h"

namespace qcbak::daemon {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMinute_ns = 60'000'000'000;
constexpr Time kStart{1'795'000'000'000'000'000};
Time after(std::int64_t ns) { return {kStart.ns + ns}; }

class AccountsTest : public testing::Test {
 protected:
  void act(Json act, Time time) { accounts_.apply(act, time); }
  void give_password(const std::string& secret, bool temporary, Time time) {
    accounts_.keep_secret(secret, "hash " + secret);
    act({{"act", "account.password"}, {"person", "lan"}, {"secret", secret}, {"temporary", temporary}}, time);
  }
  void fail(Time time) { act({{"act", "session.refused"}, {"person", "lan"}, {"from", "10.0.0.9"}, {"why", "x"}}, time); }
  void began(Time time) { act({{"act", "session.began"}, {"person", "lan"}, {"otp_step", 7}}, time); }
  Account lan() { return accounts_.account("lan").value(); }

  const tests::TemporaryDirectory directory_;
  Database database_{directory_ / "state.db"};
  Accounts accounts_{database_};
};

TEST_F(AccountsTest, APasswordIsDueOnFirstUseAndAfterSixtyDays) {
  EXPECT_FALSE(accounts_.account("lan"));
  give_password("1", true, kStart);
  EXPECT_EQ(lan().password_hash, "hash 1");
  EXPECT_TRUE(lan().password_is_due(kStart));
  give_password("2", false, after(kMinute_ns));
  EXPECT_EQ(lan().password_hash, "hash 2");
  EXPECT_FALSE(lan().password_is_due(after(kMinute_ns + 60 * kDay_ns)));
  EXPECT_TRUE(lan().password_is_due(after(kMinute_ns + 60 * kDay_ns + 1)));
}

TEST_F(AccountsTest, FailuresCountForHalfAnHourAndUntilASuccess) {
  give_password("1", false, kStart);
  for (int i = 0; i < 7; ++i) fail(after(i * kMinute_ns));
  EXPECT_EQ(lan().failures_lately(after(7 * kMinute_ns)), kFailuresLimit);  // more are not remembered
  EXPECT_EQ(lan().failures_lately(after(32 * kMinute_ns)), 4U);
  EXPECT_EQ(lan().failures_lately(after(36 * kMinute_ns)), 0U);
  EXPECT_EQ(lan().failures_lately(after(-kDay_ns)), kFailuresLimit);  // the clock was set back
  began(after(8 * kMinute_ns));
  EXPECT_EQ(lan().failures_lately(after(8 * kMinute_ns)), 0U);
}

TEST_F(AccountsTest, ALockLastsUntilItIsTakenBack) {
  give_password("1", false, kStart);
  for (int i = 0; i < 5; ++i) fail(kStart);
  act({{"act", "account.locked"}, {"person", "lan"}, {"from", "10.0.0.9"}}, after(kMinute_ns));
  EXPECT_TRUE(lan().locked);
  EXPECT_EQ(lan().locked_since, after(kMinute_ns));
  EXPECT_EQ(lan().locked_from, "10.0.0.9");
  act({{"act", "person.unlocked"}, {"person", "lan"}}, after(2 * kMinute_ns));
  EXPECT_FALSE(lan().locked);
  EXPECT_EQ(lan().failures_lately(after(2 * kMinute_ns)), 0U);
}

TEST_F(AccountsTest, UnusedForThirtyDays) {
  give_password("1", false, kStart);
  EXPECT_FALSE(lan().is_unused(after(30 * kDay_ns)));
  EXPECT_TRUE(lan().is_unused(after(30 * kDay_ns + 1)));
  began(after(10 * kDay_ns));
  EXPECT_FALSE(lan().is_unused(after(40 * kDay_ns)));
  act({{"act", "account.suspended"}, {"person", "lan"}}, after(41 * kDay_ns));
  EXPECT_TRUE(lan().suspended);
  act({{"act", "person.unlocked"}, {"person", "lan"}}, after(50 * kDay_ns));
  EXPECT_FALSE(lan().suspended);
  EXPECT_FALSE(lan().is_unused(after(80 * kDay_ns)));
}

TEST_F(AccountsTest, AStepOfACodeIsNeverForgotten) {
  give_password("1", false, kStart);
  accounts_.keep_secret("s", "BASE32");
  act({{"act", "account.otp"}, {"person", "lan"}, {"secret", "s"}, {"otp_step", 5}}, kStart);
  EXPECT_TRUE(lan().second_factor);
  EXPECT_EQ(lan().otp_secret, "BASE32");
  EXPECT_EQ(lan().otp_step, 5U);
  began(kStart);
  EXPECT_EQ(lan().otp_step, 7U);
  act({{"act", "session.began"}, {"person", "lan"}}, kStart);
  EXPECT_EQ(lan().otp_step, 7U);
  act({{"act", "account.otp"}, {"person", "lan"}, {"secret", ""}, {"otp_step", 0}}, kStart);
  EXPECT_FALSE(lan().second_factor);
}

// As after a database was restored from an older backup, or made anew from the log.
TEST_F(AccountsTest, WhatIsLostIsNotTakenForWhatWasThereBefore) {
  give_password("1", false, kStart);
  act({{"act", "account.password"}, {"person", "lan"}, {"secret", "2"}, {"temporary", false}}, kStart);
  EXPECT_EQ(lan().password_hash, "");
  act({{"act", "account.otp"}, {"person", "lan"}, {"secret", "3"}}, kStart);
  EXPECT_TRUE(lan().second_factor);
  EXPECT_EQ(lan().otp_secret, "");
}

TEST_F(AccountsTest, SecretsThatNothingNamesAreForgotten) {
  give_password("1", false, kStart);
  give_password("2", false, kStart);
  accounts_.keep_secret("3", "of an act that was never written");
  accounts_.forget_unused_secrets();
  Statement rows = database_.prepare("SELECT number FROM account_secrets");
  ASSERT_TRUE(rows.step());
  EXPECT_EQ(rows.text(0), "2");
  EXPECT_FALSE(rows.step());
}

TEST_F(AccountsTest, AReviewIsDueEveryNinetyDaysFromTheFirstAccountOn) {
  EXPECT_FALSE(accounts_.review_due());
  act({{"act", "rights.reviewed"}, {"by", {{"user", "hoa"}}}, {"note", "before"}}, after(-kDay_ns));
  EXPECT_FALSE(accounts_.review_due());
  give_password("1", false, kStart);
  EXPECT_EQ(accounts_.review_due(), after(90 * kDay_ns));
  act({{"act", "rights.reviewed"}, {"by", {{"user", "hoa"}}}, {"note", "all is well"}}, after(80 * kDay_ns));
  EXPECT_EQ(accounts_.review_due(), after(170 * kDay_ns));
  EXPECT_EQ(accounts_.last_review()->by, "hoa");
  EXPECT_EQ(accounts_.last_review()->note, "all is well");
}

TEST_F(AccountsTest, ActsAboutNobodyDoNothing) {
  fail(kStart);
  began(kStart);
  act({{"act", "run.begins"}, {"job", "x"}}, kStart);
  EXPECT_TRUE(accounts_.accounts().empty());
}

}  // namespace
}  // namespace qcbak::daemon
