#include "cli/daemon_call.h"

#include <cstdlib>

#include "base/error.h"
#include "cli/messages.h"
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

const std::string& name_in_target(const Invocation& invocation) {
  const std::string& name = invocation.arguments.operands().front();
  const bool plain =
      !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
                           std::string::npos;
  if (!plain) throw Error(ErrorCode::not_found, say("there is nothing of the name \"{}\"", printable(name)));
  return name;
}

std::string text_or_dash(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() || found->is_null() ? "-" : one_line(found->get<std::string>());
}

}  // namespace qcbak::cli
