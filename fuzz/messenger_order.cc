// What daemon and messenger send each other.
#include "daemon/messenger_order.h"

#include "fuzz/keys_at_hand.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  const std::string_view text = as_text(std::as_bytes(std::span(data, size)));
  fuzz::may_be_refused([&] {
    const daemon::MessengerOrder order = daemon::decode_messenger_order(text);
    const std::string again = daemon::encode(order);
    check(daemon::encode(daemon::decode_messenger_order(again)) == again, "an order that was read is written the same");
    for (const daemon::SyslogEntry& entry : order.entries)
      check(daemon::syslog_datagram(entry, "host").find('\n') == std::string::npos, "a message of syslog is one line");
  });
  fuzz::may_be_refused([&] { daemon::decode_messenger_result(text); });
  return 0;
}
