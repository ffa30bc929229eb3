// An entry of the log as a message of RFC 5424.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace qcbak::daemon {

enum class SyslogSeverity { error = 3, warning = 4, notice = 5, informational = 6 };  // RFC 5424 6.2.1

struct SyslogEntry {
  std::uint64_t number = 0;
  Time time;
  SyslogSeverity severity = SyslogSeverity::informational;
  std::string message_id;  // the act, or the kind of the entry
  std::string hash;
  std::string text;
};

inline constexpr std::size_t kSyslogDatagramText = 8U << 10;

// "<PRI>1 TIME HOST qcbak - MSGID [qcbak@32473 entry="N" hash="…"] TEXT". What a header field cannot hold is left out of it;
// control characters in the text become blanks, so that it is one line.
std::string syslog_message(const SyslogEntry& entry, std::string_view host);
// The same with no more than 8 KiB of text, whose end then says so: for a datagram.
std::string syslog_datagram(const SyslogEntry& entry, std::string_view host);
// With its length before it, for a stream: RFC 6587 3.4.1, RFC 5425 4.3.
std::string octet_counted(std::string_view message);

}  // namespace qcbak::daemon
