#include "cli/daemon_call.h"

#include <cstdlib>

#include "base/error.h"
#include "cli/messages.h"
#include "cli/remote_session.h"
#include "cli/text.h"

namespace qcbak::cli {
namespace {

constexpr const char* kDefaultSocket = "/run/qcbak/qcbak.sock";

std::string text_of(const Json& body) { return body.is_null() ? "" : body.dump(); }

Json parse_reply(const std::string& reply, const std::string& place) {
  Json json = Json::parse(reply, nullptr, false);
  if (json.is_discarded()) throw Error(ErrorCode::failed, "what answers at " + place + " is no qcbakd");
  return json;
}

}  // namespace

Json ask_daemon(control::Method method, const std::string& target, const Json& body) {
  if (const auto session = remote_session()) return ask_daemon_at(session->remote(), method, target, body);
  const char* named = std::getenv("QCBAK_SOCKET");
  const std::string socket = named != nullptr && *named != '\0' ? named : kDefaultSocket;
  return parse_reply(control::call(socket, method, target, text_of(body)), socket);
}

Json ask_daemon_at(const control::Remote& remote, control::Method method, const std::string& target, const Json& body) {
  return parse_reply(control::call(remote, method, target, text_of(body)), remote.url());
}

void require_plain_name(const std::string& name) {
  const bool plain =
      !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
                           std::string::npos;
  if (!plain) throw Error(ErrorCode::not_found, say("there is nothing of the name \"{}\"", printable(name)));
}

const std::string& name_in_target(const Invocation& invocation) {
  const std::string& name = invocation.arguments.operands().front();
  require_plain_name(name);
  return name;
}

std::string text_or_dash(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() || found->is_null() ? "-" : one_line(found->get<std::string>());
}

}  // namespace qcbak::cli
