#include "daemon/outbox.h"

#include <gmock/gmock.h>

#include "tests/support/temporary_directory.h"

namespace qcbak::daemon {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t kMinute = 60'000'000'000;
constexpr std::int64_t kDay = 1440 * kMinute;
constexpr Time kNow{1'795'000'000'000'000'000};

Time after(std::int64_t ns) { return Time{kNow.ns + ns}; }

class OutboxTest : public testing::Test {
 protected:
  static Message message(const std::string& channel, const std::string& subject, Time created = kNow) {
    return {0, channel, created, subject, "text", "{}"};
  }
  std::string next_subject(const std::string& channel, Time now) {
    const auto next = outbox_.next(channel, now);
    return next ? next->subject : "none";
  }
  const tests::TemporaryDirectory directory_;
  Database database_{directory_.path() + "/state.db"};
  Outbox outbox_{database_};
};

TEST_F(OutboxTest, KeepsEachMessageUntilItWasSentInOrder) {
  outbox_.put(message("a", "first"));
  outbox_.put(message("b", "other"));
  outbox_.put(message("a", "second"));
  Outbox next_life(database_);
  const auto first = next_life.next("a", kNow);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->subject, "first");
  EXPECT_EQ(first->created, kNow);
  EXPECT_EQ(next_subject("a", kNow), "first");
  next_life.sent(*first);
  EXPECT_EQ(next_subject("a", kNow), "second");
  EXPECT_EQ(next_subject("b", kNow), "other");
  EXPECT_EQ(next_subject("c", kNow), "none");
}

TEST_F(OutboxTest, ATransactionThatFailsPutsNothing) {
  EXPECT_ANY_THROW(database_.transaction([&] {
    outbox_.put(message("a", "first"));
    throw std::runtime_error("no");
  }));
  EXPECT_EQ(next_subject("a", kNow), "none");
}

TEST_F(OutboxTest, WaitsLongerAfterEachFailureAndOnlyThatChannel) {
  EXPECT_EQ(pause_after_ns(1), kMinute);
  EXPECT_EQ(pause_after_ns(2), 2 * kMinute);
  EXPECT_EQ(pause_after_ns(6), 32 * kMinute);
  EXPECT_EQ(pause_after_ns(7), 60 * kMinute);
  EXPECT_EQ(pause_after_ns(1'000'000'000), 60 * kMinute);
  outbox_.put(message("a", "first"));
  outbox_.put(message("a", "second"));
  outbox_.put(message("b", "other"));
  EXPECT_EQ(outbox_.failed(*outbox_.next("a", kNow), "no route", kNow), 0U);
  EXPECT_EQ(next_subject("a", after(kMinute - 1)), "none");
  EXPECT_EQ(next_subject("b", kNow), "other");
  EXPECT_EQ(next_subject("a", after(kMinute)), "first");
  outbox_.failed(*outbox_.next("a", after(kMinute)), "no route", after(kMinute));
  EXPECT_EQ(next_subject("a", after(3 * kMinute - 1)), "none");
  EXPECT_EQ(next_subject("a", after(3 * kMinute)), "first");
  EXPECT_THAT(outbox_.channels(),
              ElementsAre(Field(&ChannelState::error, "no route"), Field(&ChannelState::error, "")));
  // A clock that was set back does not lengthen that.
  EXPECT_EQ(next_subject("a", after(-30 * kDay)), "first");
  outbox_.try_again();
  EXPECT_EQ(next_subject("a", after(kMinute)), "first");
  outbox_.sent(*outbox_.next("a", kNow));
  EXPECT_EQ(outbox_.channels().front().error, "");
  EXPECT_EQ(next_subject("a", kNow), "second");
}

TEST_F(OutboxTest, GivesUpAfterSevenDaysAndSaysSoUntilSomethingIsSent) {
  outbox_.put(message("a", "old"));
  outbox_.put(message("a", "old too", after(kMinute)));
  outbox_.put(message("a", "new", after(6 * kDay)));
  EXPECT_EQ(outbox_.failed(*outbox_.next("a", after(7 * kDay)), "no", after(7 * kDay)), 0U);
  EXPECT_EQ(outbox_.failed(*outbox_.next("a", after(8 * kDay)), "no", after(8 * kDay)), 2U);
  ASSERT_THAT(outbox_.channels(), SizeIs(1));
  EXPECT_EQ(outbox_.channels()[0].lost, 2U);
  EXPECT_EQ(outbox_.channels()[0].waiting, 1U);
  EXPECT_EQ(outbox_.channels()[0].oldest, after(6 * kDay));
  const auto next = outbox_.next("a", after(9 * kDay));
  ASSERT_TRUE(next);
  outbox_.sent(*next);
  EXPECT_EQ(outbox_.channels()[0].lost, 0U);
}

TEST_F(OutboxTest, TheOldestMakesRoomAndIsCounted) {
  database_.transaction([&] {
    outbox_.put(message("a", "oldest"));
    for (std::uint64_t i = 0; i < kOutboxLimit; ++i) outbox_.put(message("b", std::to_string(i)));
  });
  EXPECT_EQ(next_subject("a", kNow), "none");
  EXPECT_EQ(next_subject("b", kNow), "0");
  EXPECT_EQ(outbox_.channels()[0].lost, 1U);
  EXPECT_EQ(outbox_.channels()[1].waiting, kOutboxLimit);
}

TEST_F(OutboxTest, ForgetsChannelsThatAreGone) {
  outbox_.put(message("a", "x"));
  outbox_.put(message("b", "y"));
  EXPECT_EQ(outbox_.keep_only({"b"}), 1U);
  EXPECT_EQ(next_subject("a", kNow), "none");
  EXPECT_THAT(outbox_.channels(), ElementsAre(Field(&ChannelState::name, "b")));
}

}  // namespace
}  // namespace qcbak::daemon
