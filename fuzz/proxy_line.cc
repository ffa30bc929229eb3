// The line by which the gateway says who connected.
#include "daemon/proxy_line.h"

#include "fuzz/keys_at_hand.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  namespace ip = boost::asio::ip;
  const std::string_view text = as_text(std::as_bytes(std::span(data, size)));
  fuzz::may_be_refused([&] {
    const auto source = daemon::parse_proxy_line(text);
    if (!source) return;
    const ip::tcp::endpoint endpoint(ip::make_address(source->address), source->port);
    const auto again = daemon::parse_proxy_line(daemon::encode_proxy_line(endpoint, endpoint));
    check(again && again->address == source->address && again->port == source->port, "a source is read as it was written");
  });
  return 0;
}
