#include "daemon/mail.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "base/bytes.h"
#include "base/error.h"

namespace qcbak::daemon {
namespace {

constexpr std::size_t kEncodedWordBytes = 42;  // an encoded word is at most 75 characters long, RFC 2047 2
constexpr std::size_t kLineBytes = 57;         // 76 characters of base64, RFC 2045 6.8
constexpr std::size_t kSubjectLimit = 400;

// Not inside of a character.
std::size_t character_end(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text.size();
  while (limit > 1 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80) --limit;
  return limit;
}

std::string encoded_words(std::string_view text) {
  std::string words;
  while (!text.empty()) {
    const std::size_t size = character_end(text, kEncodedWordBytes);
    words += (words.empty() ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?") + to_base64(as_bytes(text.substr(0, size))) + "?=";
    text.remove_prefix(size);
  }
  return words;
}

std::string header_text(const std::string& text) {
  std::string line = printable(text);  // one line of UTF-8
  line.resize(character_end(line, kSubjectLimit));
  constexpr std::size_t kPlainLimit = 60;
  const bool plain = line.size() <= kPlainLimit && line.find("=?") == line.npos &&
                     std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; });
  return plain ? line : encoded_words(line);
}

std::string date(Time time) {
  constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::time_t t = time.ns / kSecond;
  std::tm utc{};
  check(::gmtime_r(&t, &utc) != nullptr, "64 bits of nanoseconds are a year that gmtime knows");
  std::array<char, 64> rest{};
  std::strftime(rest.data(), rest.size(), " %Y %H:%M:%S +0000", &utc);
  return std::string(kDays.at(static_cast<std::size_t>(utc.tm_wday))) + ", " + std::to_string(utc.tm_mday) + " " +
         kMonths.at(static_cast<std::size_t>(utc.tm_mon)) + rest.data();
}

std::string recipients(const std::vector<std::string>& addresses) {
  std::string list;
  for (const std::string& address : addresses) list += (list.empty() ? "" : ",\r\n ") + address;
  return list;
}

}  // namespace

std::string compose(const Mail& mail) {
  std::string text =
      "Date: " + date(mail.time) + "\r\nFrom: " + mail.from + "\r\nTo: " + recipients(mail.to) +
      "\r\nSubject: " + header_text(mail.subject) + "\r\nMessage-ID: <" + mail.id + "@" + mail.host +
      ">\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n"
      "Content-Transfer-Encoding: base64\r\n\r\n";
  // Lines of text end with CRLF before they are encoded, RFC 2045 6.8.
  std::string body;
  for (const char c : mail.text) body += c == '\n' ? "\r\n" : std::string(1, c);
  for (std::size_t at = 0; at < body.size(); at += kLineBytes)
    text += to_base64(as_bytes(std::string_view(body).substr(at, kLineBytes))) + "\r\n";
  return text;
}

}  // namespace qcbak::daemon
