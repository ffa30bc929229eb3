#include "daemon/proxy_line.h"

#include <charconv>

#include "base/error.h"

namespace qcbak::daemon {
namespace {

namespace ip = boost::asio::ip;

[[noreturn]] void fail() { throw Error(ErrorCode::failed, "the first line is not one of the PROXY protocol, version 1"); }

// Takes the next word off the front, with the blank behind it.
std::string_view take_word(std::string_view& rest) {
  const std::size_t blank = rest.find(' ');
  const std::string_view word = rest.substr(0, blank);
  rest = blank == rest.npos ? std::string_view() : rest.substr(blank + 1);
  return word;
}

ip::address address_from(std::string_view family, std::string_view word) {
  // What the library would take besides: a zone, and whatever is behind a zero byte.
  if (word.find_first_not_of("0123456789abcdefABCDEF:.") != word.npos) fail();
  boost::system::error_code error;
  ip::address address;
  if (family == "TCP4") {
    address = ip::make_address_v4(std::string(word), error);
  } else if (family == "TCP6") {
    address = ip::make_address_v6(std::string(word), error);
  } else {
    fail();
  }
  if (error || plain_address(address) != address) fail();
  return address;
}

std::uint16_t port_from(std::string_view word) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), port);
  if (error != std::errc() || end != word.data() + word.size() || word.front() == '0') fail();
  return port;
}

}  // namespace

ip::address plain_address(const ip::address& address) {
  if (!address.is_v6()) return address;
  const ip::address_v6 v6 = address.to_v6();
  if (v6.is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, v6);
  return ip::address_v6(v6.to_bytes());
}

std::string encode_proxy_line(const ip::tcp::endpoint& from, const ip::tcp::endpoint& to) {
  const ip::address source = plain_address(from.address());
  const ip::address destination = plain_address(to.address());
  check(source.is_v4() == destination.is_v4(), "both ends of a connection are of one family");
  return std::string("PROXY ") + (source.is_v4() ? "TCP4 " : "TCP6 ") + source.to_string() + " " + destination.to_string() +
         " " + std::to_string(from.port()) + " " + std::to_string(to.port()) + "\r\n";
}

std::optional<ProxySource> parse_proxy_line(std::string_view line) {
  if (line.size() > kProxyLineLimit || !line.ends_with("\r\n")) fail();
  line.remove_suffix(2);
  if (take_word(line) != "PROXY") fail();
  if (line == "UNKNOWN") return std::nullopt;
  const std::string_view family = take_word(line);
  const ip::address source = address_from(family, take_word(line));
  address_from(family, take_word(line));
  const std::uint16_t port = port_from(take_word(line));
  port_from(line);
  return ProxySource{source.to_string(), port};
}

}  // namespace qcbak::daemon
