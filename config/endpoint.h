// A place in the network, as the file names it: SCHEME://HOST[:PORT][/PATH], or HOST:PORT of this machine's own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace qcbak::config {

struct Endpoint {
  std::string scheme, host;  // an IPv6 address without its brackets
  std::uint16_t port = 0;    // 0: the scheme's own
  std::string path;          // "/…" and a query, or empty

  bool is_loopback() const;       // "localhost", 127.…, ::1
  std::string authority() const;  // host[:port], an IPv6 address in brackets
};

// Error(usage), saying what is wrong: no scheme or host, a port that is none, a user, a fragment, or bytes that do not belong
// into an address (blanks, control characters, other than ASCII).
Endpoint parse_endpoint(std::string_view text);
// HOST:PORT, both needed, without a scheme or anything behind. Error(usage), as above.
Endpoint parse_host_and_port(std::string_view text);

// "lan@example.gov.vn": ASCII, one "@", nothing that would have to be quoted in a header. Error(usage).
void require_mail_address(std::string_view text);

}  // namespace qcbak::config
