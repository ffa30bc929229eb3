#include "daemon/syslog_message.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace qcbak::daemon {
namespace {

constexpr int kFacility = 13;  // log audit
constexpr std::size_t kHostLimit = 255;
constexpr std::size_t kMessageIdLimit = 32;
constexpr std::string_view kCutOff = " [cut off]";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";  // RFC 5424 6.4: before UTF-8

// PRINTUSASCII, at most so long; "-" for nothing.
std::string header_field(std::string_view text, std::size_t limit) {
  std::string field;
  for (const char c : text)
    if (c > ' ' && c <= '~' && field.size() < limit) field.push_back(c);
  return field.empty() ? "-" : field;
}

std::string timestamp(Time time) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  std::int64_t seconds = time.ns / kSecond, rest = time.ns % kSecond;
  if (rest < 0) --seconds, rest += kSecond;
  const std::time_t t = seconds;
  std::tm utc{};
  if (::gmtime_r(&t, &utc) == nullptr) return "-";
  std::array<char, 64> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text.data() + size, text.size() - size, ".%06dZ", static_cast<int>(rest / 1000));
  return text.data();
}

// RFC 5424 6.3.3.
std::string parameter(std::string_view name, std::string_view value) {
  std::string text = " " + std::string(name) + "=\"";
  for (const char c : value) {
    if (c == '"' || c == '\\' || c == ']') text.push_back('\\');
    text.push_back(c);
  }
  return text + "\"";
}

std::string one_line(std::string_view text) {
  std::string line(text);
  for (char& c : line)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7F') c = ' ';
  return line;
}

std::string format(const SyslogEntry& entry, std::string_view host, std::string_view text) {
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  return "<" + std::to_string(kFacility * 8 + static_cast<int>(entry.severity)) + ">1 " + timestamp(entry.time) + " " +
         header_field(host, kHostLimit) + " qcbak - " + header_field(entry.message_id, kMessageIdLimit) +
         " [qcbak@32473" + parameter("entry", std::to_string(entry.number)) + parameter("hash", entry.hash) + "] " +
         std::string(ascii ? "" : kByteOrderMark) + one_line(text);
}

}  // namespace

std::string syslog_message(const SyslogEntry& entry, std::string_view host) { return format(entry, host, entry.text); }

std::string syslog_datagram(const SyslogEntry& entry, std::string_view host) {
  if (entry.text.size() <= kSyslogDatagramText) return syslog_message(entry, host);
  std::size_t size = kSyslogDatagramText - kCutOff.size();
  while (size > 0 && (static_cast<unsigned char>(entry.text[size]) & 0xC0) == 0x80) --size;  // between characters
  return format(entry, host, entry.text.substr(0, size) + std::string(kCutOff));
}

std::string octet_counted(std::string_view message) {
  return std::to_string(message.size()) + " " + std::string(message);
}

}  // namespace qcbak::daemon
