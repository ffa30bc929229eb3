#include "daemon/bulletin.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/support/temporary_directory.h"

namespace qcbak::daemon {
namespace {

using config::AlertKind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Time kNow{1'795'000'000'000'000'000};
constexpr std::int64_t kHour = 3'600'000'000'000;

config::Notify channel(const std::string& name, std::set<AlertKind> on = {AlertKind::failure, AlertKind::undelivered}) {
  config::Notify notify;
  notify.name = name;
  notify.on = std::move(on);
  return notify;
}

Alert failure() {
  return {AlertKind::failure, "failure:etc", "etc", "the last run failed: no disk", "qcbak job show 01234567", {}};
}

class BulletinTest : public testing::Test {
 protected:
  // Takes what waits.
  std::vector<std::string> told(const std::string& name) {
    std::vector<std::string> subjects;
    while (const auto message = outbox_.next(name, kNow)) {
      subjects.push_back(message->subject);
      outbox_.sent(*message);
    }
    return subjects;
  }
  const tests::TemporaryDirectory directory_;
  Database database_{directory_.path() + "/state.db"};
  Outbox outbox_{database_};
};

TEST_F(BulletinTest, TellsWhenItComesAndWhenItGoesAndOnceAcrossRestarts) {
  const std::vector<config::Notify> channels{channel("a"), channel("b", {AlertKind::space})};
  {
    Bulletin bulletin(database_, outbox_, "host");
    bulletin.look({failure()}, channels, kNow);
    bulletin.look({failure()}, channels, Time{kNow.ns + kHour});
    EXPECT_EQ(bulletin.standing().at("failure:etc"), kNow);
  }
  Bulletin bulletin(database_, outbox_, "host");
  EXPECT_EQ(bulletin.standing().at("failure:etc"), kNow);
  bulletin.look({failure()}, channels, Time{kNow.ns + 2 * kHour});
  EXPECT_THAT(told("a"), ElementsAre("[qcbak host] job etc failed"));
  bulletin.look({}, channels, Time{kNow.ns + 3 * kHour});
  bulletin.look({}, channels, Time{kNow.ns + 4 * kHour});
  EXPECT_THAT(told("a"), ElementsAre("[qcbak host] over: job etc failed"));
  EXPECT_THAT(told("b"), IsEmpty());
  bulletin.look({failure()}, channels, kNow);
  EXPECT_THAT(told("a"), ElementsAre("[qcbak host] job etc failed"));
}

TEST_F(BulletinTest, AChannelIsNotToldOfItself) {
  const std::vector<config::Notify> channels{channel("a"), channel("b")};
  Bulletin bulletin(database_, outbox_, "host");
  bulletin.look({{AlertKind::undelivered, undelivered_key("a"), "", "a: 1 messages wait", "qcbakd --send-test", {}}},
                channels, kNow);
  bulletin.look({}, channels, kNow);
  EXPECT_THAT(told("a"), IsEmpty());
  EXPECT_THAT(told("b"),
              ElementsAre("[qcbak host] messages are not delivered", "[qcbak host] over: messages are not delivered"));
}

TEST_F(BulletinTest, ADigestComesByItsCalendarOnceForAllThatWereMissed) {
  config::Notify daily = channel("a");
  daily.digest = config::Calendar::parse("*-*-* 07:00 UTC");
  const std::vector<config::Notify> channels{daily, channel("b")};
  Bulletin bulletin(database_, outbox_, "host");
  const auto due_after = [&](std::int64_t ns) { return bulletin.digests_due(channels, Time{kNow.ns + ns}).size(); };
  EXPECT_EQ(due_after(0), 0U);  // it is new: 11:06
  EXPECT_EQ(due_after(19 * kHour), 0U);
  EXPECT_EQ(due_after(20 * kHour), 1U);
  Digest digest;
  digest.alerts = {failure()};
  digest.jobs = {{"etc", "failed", kNow, kNow}, {"new", "", {}, {}}};
  digest.free_bytes = 5U << 20;
  bulletin.put_digest(digest, bulletin.digests_due(channels, Time{kNow.ns + 80 * kHour}), Time{kNow.ns + 80 * kHour});
  EXPECT_EQ(due_after(81 * kHour), 0U);
  const auto message = outbox_.next("a", kNow);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->subject, "[qcbak host] daily report: things that need attention: 1");
  for (const char* part : {"job etc failed: the last run failed: no disk", "qcbak job show 01234567", "etc: failed ",
                           "new: no run yet", "medium: 5 MiB"})
    EXPECT_THAT(message->text, HasSubstr(part));
  outbox_.sent(*message);
  EXPECT_THAT(told("a"), IsEmpty());
  EXPECT_THAT(told("b"), IsEmpty());
  // After a clock that was ahead.
  EXPECT_EQ(due_after(-100 * kHour), 0U);
  EXPECT_EQ(due_after(-76 * kHour), 1U);
}

TEST(Announcement, InVietnameseAndAsJson) {
  config::Notify notify = channel("a");
  notify.language = config::Language::vietnamese;
  Alert alert = failure();
  alert.what = "lỗi\nBcc: x";
  const Message message = announce_raised(notify, "máy-chủ", alert, kNow);
  EXPECT_EQ(message.subject, "[qcbak máy-chủ] công việc etc thất bại");
  EXPECT_THAT(message.text, HasSubstr("lỗi\\x0aBcc: x\n"));
  EXPECT_THAT(message.text, HasSubstr("Lệnh tiếp:  qcbak job show 01234567\n"));
  const auto json = nlohmann::json::parse(message.json);
  EXPECT_EQ(json.at("event"), "failure");
  EXPECT_EQ(json.at("key"), "failure:etc");
  EXPECT_EQ(json.at("job"), "etc");
  EXPECT_EQ(json.at("state"), "raised");
  EXPECT_EQ(json.at("what"), alert.what);
  EXPECT_EQ(json.at("host"), "máy-chủ");
  for (const char* key : {"time", "version"}) EXPECT_TRUE(json.at(key).is_string());
  EXPECT_EQ(nlohmann::json::parse(announce_cleared(notify, "h", alert, kNow).json).at("state"), "cleared");
  EXPECT_TRUE(nlohmann::json::parse(announce_test(notify, "h", kNow).json).at("job").is_null());
}

}  // namespace
}  // namespace qcbak::daemon
