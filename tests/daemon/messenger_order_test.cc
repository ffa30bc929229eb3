#include "daemon/messenger_order.h"

#include <gmock/gmock.h>

#include "base/error.h"

namespace qcbak::daemon {
namespace {

TEST(MessengerOrder, ComesBackAsItWas) {
  MessengerOrder order;
  order.kind = MessengerOrder::Kind::syslog;
  order.config_sha256 = "ab";
  order.config_file = "/etc/qcbak/qcbak.toml";
  order.config_text = "[daemon]\n# ệ\n";
  order.notify = 3;
  order.message = {7, "not sent along", Time{5}, "subject\n", "text", "{}"};
  order.entries = {{9, Time{-1}, SyslogSeverity::error, "run.ended", "00", "{\"a\":\"b\"}"}};
  const std::string line = encode(order);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const MessengerOrder back = decode_messenger_order(line);
  EXPECT_EQ(back.kind, order.kind);
  EXPECT_EQ(back.config_sha256, "ab");
  EXPECT_EQ(back.config_file, order.config_file);
  EXPECT_EQ(back.config_text, order.config_text);
  EXPECT_EQ(back.notify, 3U);
  EXPECT_EQ(back.message.id, 7);
  EXPECT_EQ(back.message.channel, "");
  EXPECT_EQ(back.message.created, Time{5});
  EXPECT_EQ(back.message.subject, "subject\n");
  EXPECT_EQ(back.message.text, "text");
  EXPECT_EQ(back.message.json, "{}");
  ASSERT_EQ(back.entries.size(), 1U);
  EXPECT_EQ(back.entries[0].number, 9U);
  EXPECT_EQ(back.entries[0].time, Time{-1});
  EXPECT_EQ(back.entries[0].severity, SyslogSeverity::error);
  EXPECT_EQ(back.entries[0].message_id, "run.ended");
  EXPECT_EQ(back.entries[0].text, order.entries[0].text);
  EXPECT_EQ(decode_messenger_result(encode(MessengerResult{"no"})).error, "no");
}

TEST(MessengerOrder, GarbageIsRefused) {
  for (const char* garbage : {"", "{}", "[]", "nothing", R"({"error":1})", R"({"kind":"syslog","entries":[{}]})"}) {
    EXPECT_THROW(decode_messenger_order(garbage), Error) << garbage;
    EXPECT_THROW(decode_messenger_result(garbage), Error) << garbage;
  }
  MessengerOrder order;
  order.entries = {{1, Time{}, SyslogSeverity::notice, "a", "b", "c"}};
  std::string line = encode(order);
  line.replace(line.find("\"severity\":5"), 12, "\"severity\":0");
  EXPECT_THROW(decode_messenger_order(line), Error);
}

}  // namespace
}  // namespace qcbak::daemon
