#include "daemon/replies.h"

#include <nlohmann/json.hpp>

#include "daemon/message_log.h"

namespace qcbak::daemon {
namespace {

using Json = nlohmann::json;

constexpr int kUnauthorized = 401;

int status_for(ErrorCode code) {
  switch (code) {
    case ErrorCode::usage: return 400;
    case ErrorCode::refused: return 403;
    case ErrorCode::not_found: return 404;
    case ErrorCode::busy: return 409;
    default: return 500;
  }
}

Reply error_reply(int status, const Error& error) {
  Reply reply = json_reply(
      {{"error", {{"code", error_row(error.code()).name}, {"message", error.what()}, {"hint", error.hint()}}}});
  reply.status = status;
  return reply;
}

}  // namespace

Reply json_reply(const Json& json) { return {200, json.dump(-1, ' ', false, Json::error_handler_t::replace), kJsonType}; }

Reply error_reply(const Error& error) { return error_reply(status_for(error.code()), error); }

Reply failed_reply(const std::string& what, const std::exception& failure) {
  say(Level::error, what + " failed: " + failure.what());
  return error_reply(Error(ErrorCode::failed, "the daemon failed; its log says why"));
}

Reply not_logged_in() {
  return error_reply(kUnauthorized, Error(ErrorCode::refused, "nobody is logged in here, or the session has ended")
                                        .with_hint("log in: qcbak login"));
}

Reply error_reply(const Error& error, AuditLog& audit, const std::string& what, const Caller& caller) {
  if (error.code() == ErrorCode::refused) {
    say(Level::warning, "refused: " + what + ": " + error.what());
    try {
      audit.request_refused(what, caller, error.what());
    } catch (const Error& unwritten) {
      say(Level::error, unwritten.what());
    }
  }
  return error_reply(error);
}

}  // namespace qcbak::daemon
