#include "daemon/tls_stream.h"

#include <boost/asio/ssl.hpp>
#include <cerrno>

#include "base/error.h"

namespace qcbak::daemon {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

error_code failure(int state) {
  const int number = errno;
  const unsigned long reason = ::ERR_get_error();
  if (state == SSL_ERROR_ZERO_RETURN) return asio::error::eof;
  if (state == SSL_ERROR_SSL && ERR_GET_REASON(reason) != SSL_R_UNEXPECTED_EOF_WHILE_READING)
    return {static_cast<int>(reason), asio::error::get_ssl_category()};
  if (state == SSL_ERROR_SYSCALL && number != 0) return {number, boost::system::system_category()};
  return asio::ssl::error::stream_truncated;
}

}  // namespace

TlsStream::TlsStream(Socket socket, asio::ssl::context& identity)
    : socket_(std::move(socket)), ssl_(::SSL_new(identity.native_handle())) {
  socket_.native_non_blocking(true);
  if (!ssl_ || ::SSL_set_fd(ssl_.get(), socket_.native_handle()) != 1) throw Error(ErrorCode::failed, "TLS could not be begun");
}

void TlsStream::handshake(Done done) {
  run([this](std::size_t&) { return ::SSL_accept(ssl_.get()); }, std::move(done));
}

void TlsStream::read_some(MutableByteView into, Done done) {
  run([this, into](std::size_t& bytes) { return ::SSL_read_ex(ssl_.get(), into.data(), into.size(), &bytes); }, std::move(done));
}

void TlsStream::write(ByteView bytes, Done done) {
  run([this, bytes](std::size_t& written) { return ::SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written); },
      std::move(done));
}

void TlsStream::end(Done done) {
  // 0: said, and not heard from the other side, which is for read_some().
  run([this](std::size_t&) {
    const int result = ::SSL_shutdown(ssl_.get());
    return result == 0 ? 1 : result;
  }, std::move(done));
}

void TlsStream::run(Step step, Done done) {
  // OpenSSL knows the number of the descriptor, which is somebody else's once this one was closed.
  if (!socket_.is_open()) return done(asio::error::operation_aborted, 0);
  ::ERR_clear_error();
  errno = 0;
  std::size_t bytes = 0;
  const int result = step(bytes);
  if (result == 1) return done({}, bytes);
  const int state = ::SSL_get_error(ssl_.get(), result);
  if (state == SSL_ERROR_WANT_READ) run_again_when(Socket::wait_read, std::move(step), std::move(done));
  else if (state == SSL_ERROR_WANT_WRITE) run_again_when(Socket::wait_write, std::move(step), std::move(done));
  else done(failure(state), 0);
}

void TlsStream::run_again_when(Socket::wait_type ready, Step step, Done done) {
  socket_.async_wait(ready, [this, step = std::move(step), done = std::move(done)](const error_code& error) mutable {
    if (error) done(error, 0);
    else run(std::move(step), std::move(done));
  });
}

}  // namespace qcbak::daemon
