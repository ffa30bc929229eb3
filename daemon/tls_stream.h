// The server's side of TLS on a socket. Reading, writing and ending go on side by side: each side can end first, and the other one
// still has its say, which asio::ssl::stream does not allow.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <functional>
#include <memory>

#include "base/bytes.h"

namespace qcbak::daemon {

// One reading and one writing at a time, the handshake before both. Buffers and the stream itself stay until `done` was called, which
// may be at once. Not thread-safe.
class TlsStream {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using Done = std::function<void(const boost::system::error_code& error, std::size_t bytes)>;

  TlsStream(Socket socket, boost::asio::ssl::context& identity);

  void handshake(Done done);
  // asio::error::eof: the other side said that this was all. asio::ssl::error::stream_truncated: it went without a word.
  void read_some(MutableByteView into, Done done);
  void write(ByteView bytes, Done done);  // all of them
  void end(Done done);                    // says that this was all; nothing may be written behind it
  Socket& socket() { return socket_; }

 private:
  using Step = std::function<int(std::size_t& bytes)>;  // gives what SSL_get_error() understands
  void run(Step step, Done done);
  void run_again_when(Socket::wait_type ready, Step step, Done done);

  struct Free {
    void operator()(SSL* ssl) const { ::SSL_free(ssl); }
  };
  Socket socket_;
  std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace qcbak::daemon
