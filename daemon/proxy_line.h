// The line with which the gateway tells the daemon who connected: PROXY protocol, version 1 (haproxy, proxy-protocol.txt §2.1).
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace qcbak::daemon {

inline constexpr std::size_t kProxyLineLimit = 107;  // bytes, with its "\r\n"

// An address has one spelling, however the connection came: an IPv4 address mapped into IPv6 is an IPv4 address, and no
// address has a zone.
boost::asio::ip::address plain_address(const boost::asio::ip::address& address);

// "PROXY TCP4 10.0.0.7 10.0.0.5 51234 7421\r\n". Both are of the same connection.
std::string encode_proxy_line(const boost::asio::ip::tcp::endpoint& from, const boost::asio::ip::tcp::endpoint& to);

// Who connected; none: the line says "UNKNOWN".
struct ProxySource {
  std::string address;  // as plain_address() is written: "10.0.0.7", "fd00::7"
  std::uint16_t port = 0;
};
// Of a line with its "\r\n" and nothing behind. Error(failed) unless it is one, to the byte.
std::optional<ProxySource> parse_proxy_line(std::string_view line);

}  // namespace qcbak::daemon
