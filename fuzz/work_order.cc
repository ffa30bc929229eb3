// What daemon and worker send each other.
#include "daemon/work_order.h"

#include "fuzz/keys_at_hand.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  const std::string_view text = as_text(std::as_bytes(std::span(data, size)));
  fuzz::may_be_refused([&] {
    const std::string again = daemon::encode_order(daemon::decode_order(text));
    check(daemon::encode_order(daemon::decode_order(again)) == again, "an order that was read is written the same");
  });
  fuzz::may_be_refused([&] { daemon::decode_message(text); });
  return 0;
}
