#include "daemon/request_body.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace qcbak::daemon {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kSignedWithin_ns = 900'000'000'000;

}  // namespace

Json body_of(const Request& request) {
  if (request.body.empty()) return Json::object();
  Json body = Json::parse(request.body, nullptr, false);
  if (!body.is_object()) throw Error(ErrorCode::usage, "the body of this request is an object of JSON");
  for (const auto& [name, value] : body.items())
    if (!value.is_string()) throw Error(ErrorCode::usage, "\"" + name + "\" is a text");
  return body;
}

std::optional<SignedStatement> signed_statement(const Json& body) {
  if (!body.contains("statement")) return std::nullopt;
  Bytes signature;
  try {
    signature = from_hex(body.value("signature", ""));
  } catch (const Error&) {
    // Too short, like one that is missing.
  }
  if (signature.size() != crypto::Signature::kSize) throw Error(ErrorCode::usage, "the signature is no signature");
  return SignedStatement{body.value("statement", ""), crypto::Signature(signature)};
}

void require_signed_now(const SignedStatement& statement, const crypto::SignPublic& key,
                        const control::Statement& expected, Time now) {
  const auto time = require_signed(statement, key, expected);
  if (!time || std::abs(time->ns - now.ns) > kSignedWithin_ns)
    throw Error(ErrorCode::refused, "it was not signed within the last 15 minutes").with_hint("compare the two clocks");
}

}  // namespace qcbak::daemon
