#include "config/endpoint.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"

namespace qcbak::config {
namespace {

constexpr std::size_t kTextLimit = 2048;
constexpr std::size_t kHostLimit = 253;     // of a name in the DNS
constexpr std::size_t kAddressLimit = 254;  // of a path in SMTP, RFC 5321 4.5.3.1.3

[[noreturn]] void fail(const std::string& why) { throw Error(ErrorCode::usage, why); }

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool all_of(std::string_view text, std::string_view more_than_letters) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return is_letter_or_digit(c) || more_than_letters.find(c) != more_than_letters.npos;
  });
}

void require_address_bytes(std::string_view text) {
  if (text.size() > kTextLimit) fail("it is too long");
  for (const char c : text)
    if (c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>')
      fail("it has a byte that belongs into no address");
}

std::uint16_t port_from(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0)
    fail("the port is a number from 1 to 65535");
  return port;
}

// Takes the host off the front of `rest`.
std::string host_from(std::string_view& rest) {
  std::string_view host;
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    if (end == rest.npos) fail("a bracket is not closed");
    host = rest.substr(1, end - 1);
    if (host.find(':') == host.npos || !all_of(host, ":.")) fail("in brackets there is an IPv6 address");
    rest.remove_prefix(end + 1);
  } else {
    host = rest.substr(0, rest.find(':'));
    if (!all_of(host, "-._")) fail("a host is a name or an address");
    rest.remove_prefix(host.size());
  }
  if (host.empty() || host.size() > kHostLimit || host.front() == '-') fail("it names no host");
  return std::string(host);
}

}  // namespace

bool Endpoint::is_loopback() const { return host == "localhost" || host == "::1" || host.starts_with("127."); }

std::string Endpoint::authority() const {
  const std::string name = host.find(':') == host.npos ? host : "[" + host + "]";
  return port == 0 ? name : name + ":" + std::to_string(port);
}

Endpoint parse_endpoint(std::string_view text) {
  require_address_bytes(text);
  Endpoint endpoint;
  const std::size_t colon = text.find("://");
  if (colon == text.npos || colon == 0) fail("it is written SCHEME://HOST[:PORT]");
  endpoint.scheme = text.substr(0, colon);
  std::string_view rest = text.substr(colon + 3);
  const std::size_t slash = std::min(rest.find_first_of("/?#"), rest.size());
  endpoint.path = rest.substr(slash);
  rest = rest.substr(0, slash);
  if (endpoint.path.find('#') != endpoint.path.npos) fail("nothing is behind a \"#\" for a server");
  if (rest.find('@') != rest.npos) fail("who logs in is not part of the address");
  endpoint.host = host_from(rest);
  if (!rest.empty() && rest.front() != ':') fail("behind the host there is \":PORT\" or nothing");
  if (!rest.empty()) endpoint.port = port_from(rest.substr(1));
  if (endpoint.scheme.empty() || !all_of(endpoint.scheme, "+")) fail("it is written SCHEME://HOST[:PORT]");
  return endpoint;
}

Endpoint parse_host_and_port(std::string_view text) {
  require_address_bytes(text);
  Endpoint endpoint;
  endpoint.host = host_from(text);
  if (!text.starts_with(':')) fail("it is written HOST:PORT, with an IPv6 address in brackets");
  endpoint.port = port_from(text.substr(1));
  return endpoint;
}

void require_mail_address(std::string_view text) {
  const std::size_t at = text.find('@');
  const bool good = text.size() <= kAddressLimit && at != text.npos && at > 0 && at + 1 < text.size() &&
                    all_of(text.substr(0, at), ".!#$%&'*+-/=?^_`{|}~") && all_of(text.substr(at + 1), ".-");
  if (!good) fail("it is no address that mail can be sent to: name@host, in ASCII");
}

}  // namespace qcbak::config
