#include "daemon/syslog_message.h"

#include <gmock/gmock.h>

namespace qcbak::daemon {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

SyslogEntry entry() {
  SyslogEntry entry;
  entry.number = 7;
  entry.time = Time{1'795'000'000'123'456'789};
  entry.severity = SyslogSeverity::warning;
  entry.message_id = "request.refused";
  entry.hash = "00ff";
  entry.text = R"({"act":"request.refused"})";
  return entry;
}

TEST(Syslog, IsAsRfc5424HasIt) {
  EXPECT_EQ(syslog_message(entry(), "host.example"),
            "<108>1 2026-11-18T11:06:40.123456Z host.example qcbak - request.refused "
            "[qcbak@32473 entry=\"7\" hash=\"00ff\"] {\"act\":\"request.refused\"}");
  EXPECT_EQ(octet_counted("abc"), "3 abc");
}

TEST(Syslog, NothingBreaksOutOfItsField) {
  SyslogEntry evil = entry();
  evil.hash = "a\"b]c\\d";
  evil.message_id = "two words\nand \x80 more than thirty-two characters";
  evil.text = "one\ntwo\r\n<0>1 three\x7F";
  const std::string message = syslog_message(evil, "ho st\n");
  EXPECT_THAT(message, HasSubstr(R"(hash="a\"b\]c\\d"])"));
  EXPECT_THAT(message, HasSubstr(" host qcbak - twowordsandmorethanthirty-twocha ["));
  EXPECT_THAT(message, EndsWith("] one two  <0>1 three "));
  evil.message_id = "";
  EXPECT_THAT(syslog_message(evil, ""), HasSubstr(" - qcbak - - ["));
}

TEST(Syslog, Utf8IsMarked) {
  SyslogEntry vietnamese = entry();
  vietnamese.text = "công việc";
  EXPECT_THAT(syslog_message(vietnamese, "h"), EndsWith("] \xEF\xBB\xBF"
                                                        "công việc"));
}

TEST(Syslog, ADatagramIsCutOffBetweenCharactersAndSaysSo) {
  SyslogEntry longer = entry();
  longer.text = "x";
  while (longer.text.size() < 2 * kSyslogDatagramText) longer.text += "ệ";
  const std::string datagram = syslog_datagram(longer, "h");
  EXPECT_THAT(datagram, EndsWith("ệ [cut off]"));
  EXPECT_LT(datagram.size(), kSyslogDatagramText + 200);
  EXPECT_GT(datagram.size(), kSyslogDatagramText - 10);
  EXPECT_THAT(syslog_message(longer, "h"), Not(HasSubstr("cut off")));
  EXPECT_EQ(syslog_datagram(entry(), "h"), syslog_message(entry(), "h"));
}

}  // namespace
}  // namespace qcbak::daemon
