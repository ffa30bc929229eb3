#include "daemon/gateway.h"

#include <systemd/sd-daemon.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "config/config.h"
#include "daemon/gateway_connection.h"
#include "daemon/message_log.h"
#include "daemon/proxy_line.h"
#include "daemon/tls_identity.h"

namespace qcbak::daemon {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Tcp = asio::ip::tcp;

constexpr int kBacklog = 64;
constexpr std::chrono::seconds kAcceptPause{1};      // after an error, most likely too many descriptors in use
constexpr std::chrono::seconds kComplaintPause{10};  // strangers must not fill the log

config::Config read_config(const std::string& file) {
  config::Config config = config::read(file);
  if (config.serve.listen.empty())
    throw Error(ErrorCode::usage, file + " has no listen in [serve]: there is nowhere to listen at")
        .with_hint("add it, as: [serve] listen = \"10.0.0.5:7421\"");
  return config;
}

// What is said at most once in a while, and how often it was not.
class Complaints {
 public:
  void say(const std::string& text) {
    const auto now = std::chrono::steady_clock::now();
    if (now < quiet_until_) {
      ++unsaid_;
      return;
    }
    daemon::say(Level::warning, unsaid_ == 0 ? text : text + "; and " + std::to_string(unsaid_) + " such before it");
    unsaid_ = 0;
    quiet_until_ = now + kComplaintPause;
  }

 private:
  std::chrono::steady_clock::time_point quiet_until_;
  std::uint64_t unsaid_ = 0;
};

class Gateway {
 public:
  explicit Gateway(const std::string& config_file)
      : config_(read_config(config_file)), identity_(load_tls_identity(config_.serve)), signals_(loop_), watchdog_(loop_) {
    listen();
  }

  void run() {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) signals_.add(signal);
    wait_for_signal();
    watchdog();
    for (const auto& listener : listeners_) accept(*listener);
    say(Level::info, "gateway: listening at " + config_.serve.listen);
    say(Level::info, "ready");
    sd_notify(0, "READY=1");
    loop_.run();
    say(Level::info, "gateway: stopped");
  }

 private:
  struct Listener {
    explicit Listener(asio::io_context& loop) : acceptor(loop), pause(loop) {}
    Tcp::acceptor acceptor;
    asio::steady_timer pause;
  };

  // At each address that the name has.
  void listen() {
    const std::string& where = config_.serve.listen;
    error_code error;
    const auto found = Tcp::resolver(loop_).resolve(config_.serve.address.host, std::to_string(config_.serve.address.port),
                                                    Tcp::resolver::passive, error);
    if (error) throw Error(ErrorCode::io, "listen at " + where + ": " + error.message());
    for (const auto& entry : found) listen_at(entry.endpoint());
  }

  void listen_at(const Tcp::endpoint& endpoint) {
    auto listener = std::make_unique<Listener>(loop_);
    Tcp::acceptor& acceptor = listener->acceptor;
    error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(Tcp::acceptor::reuse_address(true), error);
    // "[::]" is all addresses of IPv6, and of that alone.
    if (!error && endpoint.protocol() == Tcp::v6()) acceptor.set_option(asio::ip::v6_only(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(kBacklog, error);
    if (error) {
      Error failed(ErrorCode::io, "listen at " + config_.serve.listen + ": " + error.message());
      if (error == asio::error::access_denied) failed.with_hint("a port below 1024 needs a capability: qcbak-gateway.service says how it is given");
      throw failed;
    }
    listeners_.push_back(std::move(listener));
  }

  void accept(Listener& listener) {
    listener.acceptor.async_accept([this, &listener](const error_code& error, Tcp::socket socket) {
      if (!listener.acceptor.is_open()) return;
      if (error) return pause(listener, error);
      admit(std::move(socket));
      accept(listener);
    });
  }

  void pause(Listener& listener, const error_code& why) {
    complaints_.say("gateway: a connection could not be taken: " + why.message());
    listener.pause.expires_after(kAcceptPause);
    listener.pause.async_wait([this, &listener](const error_code& error) {
      if (!error) accept(listener);
    });
  }

  // One that is too much is closed as it is destroyed.
  void admit(Tcp::socket socket) {
    error_code gone;
    const Tcp::endpoint from = socket.remote_endpoint(gone);
    const Tcp::endpoint to = gone ? Tcp::endpoint() : socket.local_endpoint(gone);
    if (!gone) socket.set_option(Tcp::no_delay(true), gone);
    if (gone) return;
    const asio::ip::address address = plain_address(from.address());
    const auto others = guests_->from.find(address);
    if (guests_->connections.size() >= kGatewayConnectionsLimit)
      return complaints_.say("gateway: refused " + address.to_string() + ": there are as many connections as can be");
    if (others != guests_->from.end() && others->second >= kGatewayAddressLimit)
      return complaints_.say("gateway: refused " + address.to_string() + ": it has as many connections as one address can");
    begin({std::move(socket), address, encode_proxy_line(from, to)});
  }

  void begin(GatewayConnection::Client client) {
    const std::string name = client.address.to_string();
    try {
      std::make_shared<GatewayConnection>(guests_, identity_, std::move(client))
          ->begin(config::gateway_socket(config_), [this, name](const std::string& why) {
            complaints_.say("gateway: " + name + " does not come by TLS 1.3 as it should: " + why);
          });
    } catch (const std::exception& error) {
      // What one connection lacks must not end the others.
      complaints_.say("gateway: " + name + " could not be served: " + error.what());
    }
  }

  void wait_for_signal() {
    signals_.async_wait([this](const error_code& error, int signal) {
      if (error) return;
      if (signal != SIGHUP) return stop();
      reload();
      wait_for_signal();
    });
  }

  void reload() {
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", static_cast<long long>(SystemClock().monotonic_ns() / 1000));
    try {
      config::Config config = read_config(config_.file);
      if (config.serve.listen != config_.serve.listen || config::gateway_socket(config) != config::gateway_socket(config_))
        throw Error(ErrorCode::usage, config_.file + ": listen, and the daemon's socket, change at a restart");
      identity_ = load_tls_identity(config.serve);
      config_ = std::move(config);
      say(Level::info, "gateway: configuration and certificate were read again");
    } catch (const Error& error) {
      say(Level::error, std::string("gateway: ") + error.what() + "; what was in force stays");
    }
    sd_notify(0, "READY=1");
  }

  void stop() {
    sd_notify(0, "STOPPING=1");
    error_code ignored;
    for (const auto& listener : listeners_) {
      listener->acceptor.close(ignored);
      listener->pause.cancel();
    }
    for (GatewayConnection* connection : guests_->connections) connection->close();
    watchdog_.cancel();
  }

  void watchdog() {
    std::uint64_t limit_us = 0;
    if (sd_watchdog_enabled(0, &limit_us) <= 0) return;
    sd_notify(0, "WATCHDOG=1");
    watchdog_.expires_after(std::chrono::microseconds(limit_us / 2));
    watchdog_.async_wait([this](const error_code& error) {
      if (!error) watchdog();
    });
  }

  asio::io_context loop_{1};
  config::Config config_;
  std::shared_ptr<asio::ssl::context> identity_;  // shared: with the connections that began with it
  std::shared_ptr<GatewayGuests> guests_ = std::make_shared<GatewayGuests>();  // shared: with the connections
  asio::signal_set signals_;
  asio::steady_timer watchdog_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  Complaints complaints_;
};

}  // namespace

void run_gateway(const std::string& config_file) { Gateway(config_file).run(); }

}  // namespace qcbak::daemon
