#include "control/client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace qcbak::control {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Local = asio::local::stream_protocol;

constexpr std::uint64_t kReplyLimit = 64U << 20;

// An error as the daemon tells it.
[[noreturn]] void throw_reported(const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object() || !json.contains("error"))
    throw Error(ErrorCode::failed, "what answers there is no qcbakd");
  const auto& reported = json["error"];
  ErrorCode code = ErrorCode::failed;
  for (const ErrorRow& row : error_table())
    if (row.name == reported.value("code", "")) code = row.code;
  Error error(code, reported.value("message", "the daemon gave no reason"));
  if (const std::string hint = reported.value("hint", ""); !hint.empty()) error.with_hint(hint);
  throw error;
}

}  // namespace

std::string call(const std::string& socket, Method method, const std::string& target, const std::string& body) {
  asio::io_context context;
  Local::socket connection(context);
  boost::system::error_code error;
  connection.connect(Local::endpoint(socket), error);
  if (error)
    throw Error(ErrorCode::io, "no qcbakd answers at " + socket + ": " + error.message())
        .with_hint("start it with \"systemctl start qcbakd\", or name its socket with QCBAK_SOCKET");
  http::request<http::string_body> request(method == Method::get ? http::verb::get : http::verb::post, target, 11);
  request.set(http::field::host, "qcbakd");
  request.keep_alive(false);
  request.body() = body;
  request.prepare_payload();
  http::write(connection, request, error);
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> response;
  response.body_limit(kReplyLimit);
  // Also when writing failed: the daemon may have said why before it closed.
  http::read(connection, buffer, response, error);
  if (error) throw Error(ErrorCode::io, "qcbakd at " + socket + " did not reply: " + error.message());
  if (response.get().result() != http::status::ok) throw_reported(response.get().body());
  return std::move(response.get().body());
}

}  // namespace qcbak::control
