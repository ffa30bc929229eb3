// One connection of the gateway: TLS on one side, the daemon's socket on the other, and the same bytes on both.
#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "daemon/tls_stream.h"

namespace qcbak::daemon {

inline constexpr std::chrono::seconds kHandshakeLimit{10};
inline constexpr std::chrono::seconds kGatewayIdleLimit{30};   // without a byte passed on either way
inline constexpr std::size_t kGatewayBufferBytes = 16U << 10;  // each way; who reads slower than so much in the time above is idle

class GatewayConnection;

// All that are open, and where they come from.
struct GatewayGuests {
  std::set<GatewayConnection*> connections;
  std::map<boost::asio::ip::address, std::size_t> from;  // none is 0
};

// Lives until both sides have ended, one failed, or time is up.
class GatewayConnection : public std::enable_shared_from_this<GatewayConnection> {
 public:
  using Tcp = boost::asio::ip::tcp;
  using Local = boost::asio::local::stream_protocol;

  struct Client {
    Tcp::socket socket;
    boost::asio::ip::address address;
    std::string proxy_line;
  };
  // `guests` and `identity` are shared: with other connections, and each lives as long as the last of them.
  GatewayConnection(std::shared_ptr<GatewayGuests> guests, std::shared_ptr<boost::asio::ssl::context> identity, Client client);
  ~GatewayConnection();
  GatewayConnection(const GatewayConnection&) = delete;
  GatewayConnection& operator=(const GatewayConnection&) = delete;

  // `failed` is told why there was no TLS, of a client that speaks it wrongly.
  void begin(const std::string& daemon_socket, std::function<void(const std::string& why)> failed);
  void close();  // at once

 private:
  void watch();
  void stay();  // something was passed on
  void reach_daemon(const std::string& daemon_socket);
  void introduce();
  void read_client();
  void pass_inward(std::size_t size);
  void client_ended(const boost::system::error_code& error);
  void pass_outward();
  void say_nobody_answers();
  void end_outward();

  std::shared_ptr<GatewayGuests> guests_;
  std::shared_ptr<boost::asio::ssl::context> identity_;
  boost::asio::ip::address address_;
  std::string proxy_line_;
  TlsStream client_;
  Local::socket daemon_;
  boost::asio::steady_timer timer_;
  std::chrono::steady_clock::time_point deadline_;
  std::array<std::byte, kGatewayBufferBytes> inward_, outward_;
  bool passes_on_ = true;  // what comes from the client; else it is dropped, as nobody takes it any more
  bool client_has_ended_ = false, outward_ended_ = false;
};

}  // namespace qcbak::daemon
