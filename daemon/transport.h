// Bytes to a server, by libcurl: TLS 1.2 or newer, certificate and name always checked, no redirects, no proxies, nothing from
// the environment; 10 s to connect and 60 s in all. For a process of its own: a name may take a while to be found.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "config/endpoint.h"
#include "crypto/secret.h"

namespace qcbak::daemon {

inline constexpr long kConnectLimit_s = 10;
inline constexpr long kSendLimit_s = 60;
inline constexpr std::size_t kAnswerLimit = 64U << 10;

// Once a process, before the others. Error(failed).
void initialize_transport();

struct Trust {
  std::string ca_file;         // empty: the system's
  std::function<bool()> stop;  // asked now and then; true: Error(interrupted)
};

struct Login {
  std::string user;  // empty: none
  crypto::SecretBytes password;
};

// smtps, smtp with STARTTLS, or smtp+plain. Error(io): the server, or one of the recipients, did not take it.
void send_mail(const config::Endpoint& server, const Login& login, const std::string& from,
               const std::vector<std::string>& to, const std::string& mail, const Trust& trust);
// https or http. Error(io) unless the answer is 2xx.
void post(const std::string& url, const std::vector<std::string>& headers, const std::string& body, const Trust& trust);
// tcp or tls, to a server that sends nothing back. When it returns, the other machine has acknowledged all bytes, and by then
// the other side had not broken off. That it kept them, the protocol does not say. Error(io).
void stream(const config::Endpoint& server, std::string_view bytes, const Trust& trust);
// One datagram each. Error(io) as far as the network says so: a lost datagram is not known of.
void send_datagrams(const config::Endpoint& server, const std::vector<std::string>& datagrams);

}  // namespace qcbak::daemon
