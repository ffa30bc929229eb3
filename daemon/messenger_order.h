// What daemon and messenger say to each other: one order, one result, lines of JSON. docs/daemon.md "Telling people".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/outbox.h"
#include "daemon/syslog_message.h"

namespace qcbak::daemon {

struct MessengerOrder {
  enum class Kind { message, syslog } kind = Kind::message;
  std::string config_sha256;             // of the configuration file that the daemon works by
  std::string config_file, config_text;  // and that itself; only a messenger that is the daemon's own child goes by it
  std::uint64_t notify = 0;              // which of the tables [[notify]]
  Message message;                       // its channel counts for nothing: the table says where it goes
  std::vector<SyslogEntry> entries;
};
std::string encode(const MessengerOrder& order);               // one line
MessengerOrder decode_messenger_order(std::string_view line);  // Error(failed)

struct MessengerResult {
  std::string error;  // empty: whoever it was for has it
};
std::string encode(const MessengerResult& result);               // one line
MessengerResult decode_messenger_result(std::string_view line);  // Error(failed)

}  // namespace qcbak::daemon
