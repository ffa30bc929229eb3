#include "daemon/gateway_connection.h"

#include <boost/asio/write.hpp>
#include <string_view>

namespace qcbak::daemon {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// The one reply that is the gateway's own.
std::string nobody_answers() {
  constexpr std::string_view kBody =
      R"({"error":{"code":"io","message":"no qcbakd answers behind this gateway","hint":"start it on that machine: systemctl start qcbakd"}})";
  return "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " +
         std::to_string(kBody.size()) + "\r\n\r\n" + std::string(kBody);
}

}  // namespace

GatewayConnection::GatewayConnection(std::shared_ptr<GatewayGuests> guests, std::shared_ptr<asio::ssl::context> identity,
                                     Client client)
    : guests_(std::move(guests)),
      identity_(std::move(identity)),
      address_(client.address),
      proxy_line_(std::move(client.proxy_line)),
      client_(std::move(client.socket), *identity_),
      daemon_(client_.get_executor()),
      timer_(client_.get_executor()) {
  guests_->connections.insert(this);
  ++guests_->from[address_];
}

GatewayConnection::~GatewayConnection() {
  guests_->connections.erase(this);
  if (--guests_->from[address_] == 0) guests_->from.erase(address_);
}

void GatewayConnection::begin(const std::string& daemon_socket, std::function<void(const std::string& why)> failed) {
  deadline_ = std::chrono::steady_clock::now() + kHandshakeLimit;
  watch();
  client_.async_handshake(asio::ssl::stream_base::server, [self = shared_from_this(), daemon_socket,
                                                           failed = std::move(failed)](const error_code& error) {
    if (!error) return self->reach_daemon(daemon_socket);
    if (error.category() == asio::error::get_ssl_category()) failed(error.message());
    self->close();
  });
}

void GatewayConnection::close() {
  error_code ignored;
  timer_.cancel();
  client_.lowest_layer().close(ignored);
  daemon_.close(ignored);
}

// The deadline moves without the timer: it only looks whether that has come.
void GatewayConnection::watch() {
  timer_.expires_at(deadline_);
  timer_.async_wait([self = shared_from_this()](const error_code& error) {
    if (error) return;
    if (std::chrono::steady_clock::now() < self->deadline_) self->watch();
    else self->close();
  });
}

void GatewayConnection::stay() { deadline_ = std::chrono::steady_clock::now() + kGatewayIdleLimit; }

void GatewayConnection::reach_daemon(const std::string& daemon_socket) {
  stay();
  daemon_.async_connect(Local::endpoint(daemon_socket), [self = shared_from_this()](const error_code& error) {
    if (error) self->say_nobody_answers();
    else self->introduce();
  });
}

void GatewayConnection::introduce() {
  asio::async_write(daemon_, asio::buffer(proxy_line_), [self = shared_from_this()](const error_code& error, std::size_t) {
    if (error) return self->say_nobody_answers();
    self->pass_inward();
    self->pass_outward();
  });
}

// Nothing more is read than has been written on: who does not read stops the other one.
void GatewayConnection::pass_inward() {
  client_.async_read_some(asio::buffer(inward_.buffer), [self = shared_from_this()](const error_code& error, std::size_t got) {
    if (error) return self->inward_ended(error);
    self->stay();
    asio::async_write(self->daemon_, asio::buffer(self->inward_.buffer, got), [self](const error_code& failure, std::size_t) {
      // It has closed, and may have said why: that comes the other way.
      if (failure) return void(self->inward_.ended = true);
      self->stay();
      self->pass_inward();
    });
  });
}

void GatewayConnection::inward_ended(const error_code& error) {
  inward_.ended = true;
  // Without a notice of its end what came may be cut off: the daemon must not take it for whole.
  if (error != asio::error::eof && !outward_.ended) return close();
  error_code ignored;
  daemon_.shutdown(Local::socket::shutdown_send, ignored);
}

void GatewayConnection::pass_outward() {
  daemon_.async_read_some(asio::buffer(outward_.buffer), [self = shared_from_this()](const error_code& error, std::size_t got) {
    if (error == asio::error::operation_aborted) return;
    if (error) return self->end_tls();
    self->stay();
    asio::async_write(self->client_, asio::buffer(self->outward_.buffer, got), [self](const error_code& failure, std::size_t) {
      if (failure) return self->close();
      self->stay();
      self->pass_outward();
    });
  });
}

void GatewayConnection::say_nobody_answers() {
  const auto reply = std::make_shared<std::string>(nobody_answers());  // shared: with the write, which outlives this call
  asio::async_write(client_, asio::buffer(*reply), [self = shared_from_this(), reply](const error_code& error, std::size_t) {
    if (error) self->close();
    else self->end_tls();
  });
}

// The client learns that this was all. Its own notice may never come.
void GatewayConnection::end_tls() {
  outward_.ended = true;
  client_.async_shutdown([self = shared_from_this()](const error_code& error) {
    if (error == asio::error::operation_aborted) return;
    error_code failed;
    self->client_.next_layer().shutdown(Tcp::socket::shutdown_send, failed);
    if (failed) self->close();
    else self->drain();
  });
}

// To close while something is unread would take back what the client has not read yet.
void GatewayConnection::drain() {
  client_.next_layer().async_read_some(asio::buffer(drained_), [self = shared_from_this()](const error_code& error, std::size_t) {
    if (error) self->close();
    else self->drain();
  });
}

}  // namespace qcbak::daemon
