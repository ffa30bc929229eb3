#include "cli/daemon_call.h"

#include <cstdlib>

#include "base/error.h"
#include "cli/text.h"

namespace qcbak::cli {
namespace {

constexpr const char* kDefaultSocket = "/run/qcbak/qcbak.sock";

}  // namespace

Json ask_daemon(control::Method method, const std::string& target, const Json& body) {
  const char* named = std::getenv("QCBAK_SOCKET");
  const std::string socket = named != nullptr && *named != '\0' ? named : kDefaultSocket;
  Json reply = Json::parse(control::call(socket, method, target, body.is_null() ? "" : body.dump()), nullptr, false);
  if (reply.is_discarded()) throw Error(ErrorCode::failed, "what answers at " + socket + " is no qcbakd");
  return reply;
}

std::string text_or_dash(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() || found->is_null() ? "-" : one_line(found->get<std::string>());
}

}  // namespace qcbak::cli
