// A command's side of the daemon: its socket on this machine, or the gateway of another. docs/daemon.md "The socket", "Over TLS".
#pragma once

#include <cstdint>
#include <string>

namespace qcbak::control {

inline constexpr std::uint16_t kGatewayPort = 7421;

enum class Method { get, post };

// Sends one request and gives the reply's body, a JSON document. An error that the daemon reports is thrown as it is
// there, with its code and hint; Error(io) when no daemon answers.
std::string call(const std::string& socket, Method method, const std::string& target, const std::string& body = "");

struct Remote {
  std::string host;  // a name or an address, IPv6 without brackets
  std::uint16_t port = kGatewayPort;
  std::string ca_file;  // certificates (PEM) that vouch for it; empty: the system's
  std::string token;    // of the session; empty: none yet

  std::string authority() const;  // "[fd00::5]:7421"
  std::string url() const { return "https://" + authority(); }
};
// The same by TLS 1.3, with the certificate and the name in it checked before anything is sent. Error(io) when nobody answers within
// 10 s, does not reply within 60 s, or is not known to be the one that was named; Error(refused) when the session has ended.
std::string call(const Remote& remote, Method method, const std::string& target, const std::string& body = "");

}  // namespace qcbak::control
