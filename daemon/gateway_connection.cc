#include "daemon/gateway_connection.h"

#include <boost/asio/post.hpp>
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
      daemon_(client_.socket().get_executor()),
      timer_(client_.socket().get_executor()) {
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
  client_.handshake([self = shared_from_this(), daemon_socket, failed = std::move(failed)](const error_code& error, std::size_t) {
    if (!error) return self->reach_daemon(daemon_socket);
    if (error.category() == asio::error::get_ssl_category()) failed(error.message());
    self->close();
  });
}

void GatewayConnection::close() {
  error_code ignored;
  timer_.cancel();
  client_.socket().close(ignored);
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
    self->read_client();
    self->pass_outward();
  });
}

// Nothing more is read than has been written on: who does not read stops the other one.
void GatewayConnection::read_client() {
  client_.read_some(inward_, [self = shared_from_this()](const error_code& error, std::size_t got) {
    if (error) self->client_ended(error);
    else if (self->passes_on_) self->pass_inward(got);
    else asio::post(self->daemon_.get_executor(), [self] { self->read_client(); });
  });
}

void GatewayConnection::pass_inward(std::size_t size) {
  stay();
  asio::async_write(daemon_, asio::buffer(inward_, size), [self = shared_from_this()](const error_code& error, std::size_t) {
    // The daemon has closed. It may have said why, which the client reads only if what it sends goes on being taken.
    if (error) self->passes_on_ = false;
    self->read_client();
  });
}

// Without a notice of its end what came may be cut off: nobody must take it for whole.
void GatewayConnection::client_ended(const error_code& error) {
  if (error != asio::error::eof || outward_ended_) return close();
  error_code ignored;
  daemon_.shutdown(Local::socket::shutdown_send, ignored);
  client_has_ended_ = true;
}

void GatewayConnection::pass_outward() {
  daemon_.async_read_some(asio::buffer(outward_), [self = shared_from_this()](const error_code& error, std::size_t got) {
    if (error) return self->end_outward();
    self->stay();
    self->client_.write(ByteView(self->outward_).first(got), [self](const error_code& failure, std::size_t) {
      if (failure) return self->close();
      self->stay();
      self->pass_outward();
    });
  });
}

void GatewayConnection::say_nobody_answers() {
  passes_on_ = false;
  read_client();
  const auto reply = std::make_shared<std::string>(nobody_answers());  // shared: with the write, which outlives this call
  client_.write(as_bytes(*reply), [self = shared_from_this(), reply](const error_code& error, std::size_t) {
    if (error) self->close();
    else self->end_outward();
  });
}

// The client learns that this was all. To close while something that it sent is unread would take back what it has not read yet.
void GatewayConnection::end_outward() {
  client_.end([self = shared_from_this()](const error_code& error, std::size_t) {
    self->outward_ended_ = true;
    error_code failed = error;
    if (!failed) self->client_.socket().shutdown(Tcp::socket::shutdown_send, failed);
    if (failed || self->client_has_ended_) self->close();
  });
}

}  // namespace qcbak::daemon
