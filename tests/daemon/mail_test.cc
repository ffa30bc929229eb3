#include "daemon/mail.h"

#include <gmock/gmock.h>

#include <sstream>

#include "base/bytes.h"

namespace qcbak::daemon {
namespace {

std::string base64(std::string_view text) { return to_base64(as_bytes(text)); }

using testing::HasSubstr;
using testing::Not;

Mail mail() {
  Mail mail;
  mail.from = "qcbak@host";
  mail.to = {"a@b.vn", "c@d.vn"};
  mail.subject = "job etc failed";
  mail.text = "What: x\n";
  mail.id = "qcbak.1.2";
  mail.host = "host";
  mail.time = Time{1'795'000'000'000'000'000};
  return mail;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(Base64, AsInRfc4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xFF\xFE\xFD"), "//79");
}

TEST(Mail, HasItsHeadersAndItsText) {
  EXPECT_EQ(compose(mail()),
            "Date: Wed, 18 Nov 2026 11:06:40 +0000\r\nFrom: qcbak@host\r\nTo: a@b.vn,\r\n c@d.vn\r\nSubject: job etc "
            "failed\r\n"
            "Message-ID: <qcbak.1.2@host>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: base64\r\n\r\nV2hhdDogeA0K\r\n");
}

TEST(Mail, NothingInTheSubjectOrTheTextBecomesAHeader) {
  Mail evil = mail();
  evil.subject = "x\r\nBcc: everybody@example.org\r\n\r\nbody";
  evil.text = ".\r\nMAIL FROM:<x>\r\n";
  const std::string text = compose(evil);
  EXPECT_THAT(text, Not(HasSubstr("\nBcc")));
  EXPECT_THAT(text, Not(HasSubstr("MAIL FROM")));
  EXPECT_EQ(text.find("\r\n\r\n"), text.find("base64\r\n\r\n") + 6);
  for (const std::string& line : lines_of(text)) EXPECT_THAT(line, Not(testing::StartsWith(".")));
}

TEST(Mail, ASubjectInVietnameseIsCutBetweenCharactersAndNoLineIsLong) {
  Mail vietnamese = mail();
  vietnamese.subject =
      "công việc sao-lưu-hằng-đêm không sao lưu được tất cả, và tiêu đề này dài hơn một từ mã hóa nhiều lần";
  vietnamese.text = std::string(1000, 'x');
  std::string decoded_from;
  for (const std::string& line : lines_of(compose(vietnamese))) {
    EXPECT_LE(line.size(), 78U) << line;
    if (const std::size_t at = line.find("=?UTF-8?B?"); at != line.npos) {
      const std::string word = line.substr(at, line.rfind("?=") + 2 - at);
      EXPECT_LE(word.size(), 75U);
      decoded_from += word;
    }
  }
  // Each word by itself is whole UTF-8: made of the parts that these are.
  EXPECT_THAT(decoded_from,
              HasSubstr("=?UTF-8?B?" + base64("công việc sao-lưu-hằng-đêm không ") + "?==?UTF-8?B?" + base64("sao")));
}

TEST(Mail, WhatLooksEncodedIsEncoded) {
  Mail tricky = mail();
  tricky.subject = "=?UTF-8?B?eA==?=";
  EXPECT_THAT(compose(tricky), HasSubstr("Subject: =?UTF-8?B?" + base64("=?UTF-8?B?eA==?=") + "?=\r\n"));
}

}  // namespace
}  // namespace qcbak::daemon
