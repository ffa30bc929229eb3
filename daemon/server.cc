#include "daemon/server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/unique_fd.h"
#include "daemon/message_log.h"
#include "daemon/proxy_line.h"
#include "daemon/replies.h"

namespace qcbak::daemon {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Local = asio::local::stream_protocol;
using Stream = beast::basic_stream<Local, asio::any_io_executor>;

constexpr int kBacklog = 512;
constexpr int kUnauthorized = 401;

std::string token_of(std::string_view authorization) {
  constexpr std::string_view kScheme = "Bearer ";
  return authorization.starts_with(kScheme) ? std::string(authorization.substr(kScheme.size())) : "";
}

}  // namespace

bool somebody_answers(const std::string& path) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) throw_errno("make", "a socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  check(path.size() < sizeof address.sun_path, "the configuration limits the path of the socket");
  std::memcpy(address.sun_path, path.data(), path.size());
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

class Server::Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(asio::io_context& loop, const std::string& path, Peers peers, Identify identify, Handler handler)
      : acceptor_(loop), path_(path), peers_(peers), identify_(std::move(identify)), handler_(std::move(handler)) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) == 0) {
      if (!S_ISSOCK(status.st_mode)) throw Error(ErrorCode::failed, path + " is there and no socket");
      if (::unlink(path.c_str()) != 0) throw_errno("remove", path);
    }
    boost::system::error_code error;
    acceptor_.open(Local(), error);
    // Nobody gets in before the mode is right.
    const mode_t mask = ::umask(0111);
    if (!error) acceptor_.bind(Local::endpoint(path), error);
    ::umask(mask);
    if (!error) acceptor_.listen(kBacklog, error);
    if (error) throw Error(ErrorCode::io, "listen at " + path + ": " + error.message());
  }

  void accept() {
    if (connections_ >= kConnectionsLimit || accepting_ || !acceptor_.is_open()) return;
    accepting_ = true;
    acceptor_.async_accept([self = shared_from_this()](const boost::system::error_code& error, Local::socket socket) {
      self->accepting_ = false;
      if (!self->acceptor_.is_open()) return;
      if (error) {
        // Too many descriptors in use, most likely: not again at once.
        self->pause();
        return;
      }
      self->serve(std::move(socket));
      self->accept();
    });
  }

  void stop() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    ::unlink(path_.c_str());
    for (Connection* connection : open_) connection->close();
  }

  std::size_t connections() const { return connections_; }

 private:
  class Connection : public std::enable_shared_from_this<Connection> {
   public:
    Connection(std::shared_ptr<Listener> listener, Local::socket socket, Caller caller)
        : listener_(std::move(listener)), stream_(std::move(socket)), caller_(std::move(caller)) {
      listener_->open_.insert(this);
      ++listener_->connections_;
    }
    ~Connection() {
      listener_->open_.erase(this);
      --listener_->connections_;
      listener_->accept();
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void begin() {
      if (listener_->peers_ == Peers::programs) return read();
      stream_.expires_after(std::chrono::seconds(kConnectionLimit_s));
      stream_.async_read_some(buffer_.prepare(kProxyLineLimit),
                              [self = shared_from_this()](const boost::system::error_code& error, std::size_t size) {
                                self->buffer_.commit(size);
                                if (!error && self->take_address()) self->read();
                              });
    }
    void read() {
      parser_.emplace();
      parser_->header_limit(static_cast<std::uint32_t>(kRequestHeaderLimit));
      parser_->body_limit(kRequestBodyLimit);
      stream_.expires_after(std::chrono::seconds(kConnectionLimit_s));
      http::async_read(stream_, buffer_, *parser_,
                       [self = shared_from_this()](const boost::system::error_code& error, std::size_t) {
                         self->have_read(error);
                       });
    }
    void close() {
      boost::system::error_code ignored;
      stream_.socket().close(ignored);
    }

   private:
    // The gateway sends its line at once, before anything else.
    bool take_address() {
      const std::string_view received(static_cast<const char*>(buffer_.cdata().data()), buffer_.size());
      try {
        const std::size_t size = std::min(received.find("\r\n"), kProxyLineLimit) + 2;
        const auto from = parse_proxy_line(received.substr(0, size));
        caller_.address = from ? from->address : "unknown";
        buffer_.consume(size);
        return true;
      } catch (const Error& error) {
        say(Level::warning, std::string("a connection was refused: ") + error.what());
        return false;
      }
    }

    void have_read(const boost::system::error_code& error) {
      if (error == http::error::end_of_stream || error == beast::error::timeout || error == asio::error::operation_aborted)
        return;
      if (error) {
        if (error.category() == http::make_error_code(http::error::end_of_stream).category())
          write({400, R"({"error":{"code":"usage","message":"that is no request this version understands"}})", kJsonType}, false);
        return;
      }
      auto message = parser_->release();
      Request request{std::string(message.method_string()), std::string(message.target()), std::move(message.body()),
                      token_of({message[http::field::authorization].data(), message[http::field::authorization].size()})};
      const auto respond = [self = shared_from_this(), keep_alive = message.keep_alive()](Reply reply) {
        self->write(std::move(reply), keep_alive);
      };
      try {
        listener_->handler_(request, caller_, respond);
      } catch (const std::exception& failure) {
        respond(failed_reply("a request", failure));
      }
    }

    void write(Reply reply, bool keep_alive) {
      response_.emplace(static_cast<http::status>(reply.status), 11);
      response_->set(http::field::content_type, reply.type);
      if (reply.status == kUnauthorized) response_->set(http::field::www_authenticate, "Bearer");
      response_->keep_alive(keep_alive);
      response_->body() = std::move(reply.body);
      response_->prepare_payload();
      stream_.expires_after(std::chrono::seconds(kConnectionLimit_s));
      http::async_write(stream_, *response_,
                        [self = shared_from_this(), keep_alive](const boost::system::error_code& error, std::size_t) {
                          if (!error && keep_alive) self->read();
                        });
    }

    std::shared_ptr<Listener> listener_;  // shared: lives as long as its connections
    Stream stream_;
    Caller caller_;
    beast::flat_buffer buffer_{kRequestHeaderLimit + kRequestBodyLimit};
    std::optional<http::request_parser<http::string_body>> parser_;
    std::optional<http::response<http::string_body>> response_;
  };

  void serve(Local::socket socket) {
    try {
      Caller caller = identify_(socket.native_handle());
      std::make_shared<Connection>(shared_from_this(), std::move(socket), std::move(caller))->begin();
    } catch (const std::exception& error) {
      say(Level::warning, std::string("a connection was refused: ") + error.what());
    }
  }

  void pause() {
    timer_.emplace(acceptor_.get_executor(), std::chrono::seconds(1));
    timer_->async_wait([self = shared_from_this()](const boost::system::error_code&) { self->accept(); });
  }

  Local::acceptor acceptor_;
  std::string path_;
  Peers peers_;
  Identify identify_;
  Handler handler_;
  bool accepting_ = false;
  std::size_t connections_ = 0;
  std::set<Connection*> open_;
  std::optional<asio::steady_timer> timer_;
};

Server::Server(asio::io_context& loop, const std::string& path, Peers peers, Identify identify, Handler handler)
    : listener_(std::make_shared<Listener>(loop, path, peers, std::move(identify), std::move(handler))) {
  listener_->accept();
}

Server::~Server() { stop(); }

void Server::stop() { listener_->stop(); }
std::size_t Server::connections() const { return listener_->connections(); }

}  // namespace qcbak::daemon
