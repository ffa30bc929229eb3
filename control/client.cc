#include "control/client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace qcbak::control {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = asio::ssl;
using boost::system::error_code;
using Local = asio::local::stream_protocol;
using Tcp = asio::ip::tcp;
using Tls = beast::ssl_stream<beast::tcp_stream>;
using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

constexpr std::uint64_t kReplyLimit = 64U << 20;
constexpr std::chrono::seconds kConnectLimit{10};  // TLS included
constexpr std::chrono::seconds kReplyLimitTime{60};

// An error as the daemon tells it.
[[noreturn]] void throw_reported(const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object() || !json.contains("error") || !json["error"].is_object())
    throw Error(ErrorCode::failed, "what answers there is no qcbakd");
  const auto& reported = json["error"];
  ErrorCode code = ErrorCode::failed;
  for (const ErrorRow& row : error_table())
    if (row.name == reported.value("code", "")) code = row.code;
  Error error(code, reported.value("message", "the daemon gave no reason"));
  if (const std::string hint = reported.value("hint", ""); !hint.empty()) error.with_hint(hint);
  throw error;
}

Request request_for(const std::string& host, Method method, const std::string& target, const std::string& body) {
  Request request(method == Method::get ? http::verb::get : http::verb::post, target, 11);
  request.set(http::field::host, host);
  request.keep_alive(false);
  request.body() = body;
  request.prepare_payload();
  return request;
}

// Begins something, and waits for what comes of it.
template <class Begin>
error_code finish(asio::io_context& loop, Begin&& begin) {
  error_code result;
  begin([&result](const error_code& error, const auto&...) { result = error; });
  loop.restart();
  loop.run();
  return result;
}

// `who` did not reply: Error(io).
template <class Stream>
Response exchange(asio::io_context& loop, Stream& stream, const Request& request, const std::string& who) {
  finish(loop, [&](auto done) { http::async_write(stream, request, done); });
  // Also when writing failed: the daemon may have said why before it closed.
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> response;
  response.body_limit(kReplyLimit);
  const error_code error = finish(loop, [&](auto done) { http::async_read(stream, buffer, response, done); });
  if (error) throw Error(ErrorCode::io, who + " did not reply: " + error.message());
  return response.release();
}

std::string body_of(Response response) {
  if (response.result() != http::status::ok) throw_reported(response.body());
  return std::move(response.body());
}

ssl::context trusting(const Remote& remote) {
  ssl::context context(ssl::context::tlsv13_client);
  error_code error;
  if (remote.ca_file.empty()) context.set_default_verify_paths(error);
  else context.load_verify_file(remote.ca_file, error);
  if (error)
    throw Error(ErrorCode::usage, "no certificates can be read from " + (remote.ca_file.empty() ? "the system" : remote.ca_file) + ": " +
                                      error.message());
  return context;
}

// The certificate has to be of the host that was named, and vouched for.
void demand_identity(Tls& stream, const std::string& host) {
  stream.set_verify_mode(ssl::verify_peer);
  error_code no_address;
  asio::ip::make_address(host, no_address);
  X509_VERIFY_PARAM* demanded = ::SSL_get0_param(stream.native_handle());
  ::X509_VERIFY_PARAM_set_hostflags(demanded, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const int done = no_address ? ::X509_VERIFY_PARAM_set1_host(demanded, host.data(), host.size())
                              : ::X509_VERIFY_PARAM_set1_ip_asc(demanded, host.c_str());
  check(done == 1, "a host that can be named can be demanded");
  // SSL_set_tlsext_host_name(), which is a macro with a cast. An address is not told: RFC 6066 §3.
  std::string told = host;
  if (no_address &&
      ::SSL_ctrl(stream.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, told.data()) != 1)
    throw Error(ErrorCode::usage, "\"" + host + "\" is no host");
}

[[noreturn]] void throw_unanswered(const Remote& remote, const error_code& error) {
  throw Error(ErrorCode::io, "nobody answers at " + remote.url() + ": " + error.message())
      .with_hint("is the address right, and does qcbak-gateway run there?");
}

[[noreturn]] void throw_untrusted(Tls& stream, const Remote& remote, const error_code& error) {
  const long verified = ::SSL_get_verify_result(stream.native_handle());
  if (verified == X509_V_OK)
    throw Error(ErrorCode::io, "no TLS 1.3 with " + remote.url() + ": " + error.message())
        .with_hint("is it a gateway of qcbak that answers there?");
  const std::string why = ::X509_verify_cert_error_string(verified);
  if (verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH)
    throw Error(ErrorCode::io, "the certificate at " + remote.url() + " is of another host: " + why)
        .with_hint("name the host as its certificate does");
  throw Error(ErrorCode::io, "the certificate at " + remote.url() + " is not trusted: " + why)
      .with_hint("name a file with the certificate of who vouches for it: --ca-file FILE");
}

void connect(asio::io_context& loop, Tls& stream, const Remote& remote) {
  Tcp::resolver resolver(loop);
  error_code error;
  const auto found = resolver.resolve(remote.host, std::to_string(remote.port), error);
  if (error) throw_unanswered(remote, error);
  beast::get_lowest_layer(stream).expires_after(kConnectLimit);
  error = finish(loop, [&](auto done) { beast::get_lowest_layer(stream).async_connect(found, done); });
  if (error) throw_unanswered(remote, error);
  demand_identity(stream, remote.host);
  error = finish(loop, [&](auto done) { stream.async_handshake(ssl::stream_base::client, done); });
  if (error == beast::error::timeout) throw_unanswered(remote, error);
  if (error) throw_untrusted(stream, remote, error);
}

}  // namespace

std::string Remote::authority() const {
  return (host.find(':') == host.npos ? host : "[" + host + "]") + ":" + std::to_string(port);
}

std::string call(const std::string& socket, Method method, const std::string& target, const std::string& body) {
  asio::io_context loop;
  Local::socket connection(loop);
  error_code error;
  connection.connect(Local::endpoint(socket), error);
  if (error)
    throw Error(ErrorCode::io, "no qcbakd answers at " + socket + ": " + error.message())
        .with_hint("start it with \"systemctl start qcbakd\", or name its socket with QCBAK_SOCKET");
  return body_of(exchange(loop, connection, request_for("qcbakd", method, target, body), "qcbakd at " + socket));
}

std::string call(const Remote& remote, Method method, const std::string& target, const std::string& body) {
  ssl::context context = trusting(remote);
  asio::io_context loop;
  Tls stream(loop, context);
  connect(loop, stream, remote);
  Request request = request_for(remote.authority(), method, target, body);
  if (!remote.token.empty()) request.set(http::field::authorization, "Bearer " + remote.token);
  beast::get_lowest_layer(stream).expires_after(kReplyLimitTime);
  Response response = exchange(loop, stream, request, "qcbakd behind " + remote.url());
  if (response.result() == http::status::unauthorized && !remote.token.empty())
    throw Error(ErrorCode::refused, "your session has ended").with_hint("log in again: qcbak login " + remote.url() + (remote.ca_file.empty() ? "" : " --ca-file " + remote.ca_file));
  return body_of(std::move(response));
}

}  // namespace qcbak::control
