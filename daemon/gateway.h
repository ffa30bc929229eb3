// `qcbakd --gateway`: the way in from the network. Ends TLS 1.3 and passes what comes to the daemon's socket, unread and
// trusted with nothing. docs/daemon.md "Over TLS".
#pragma once

#include <string>

namespace qcbak::daemon {

inline constexpr std::size_t kGatewayConnectionsLimit = 64;
inline constexpr std::size_t kGatewayAddressLimit = 16;  // of these, from one address

// Until SIGTERM or SIGINT. SIGHUP reads configuration and certificate again; what is wrong with them leaves the old ones in force.
// Error(usage): there is no [serve] listen, or certificate and key cannot be used; Error(io): the address cannot be listened at.
void run_gateway(const std::string& config_file);

}  // namespace qcbak::daemon
