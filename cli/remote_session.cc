#include "cli/remote_session.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/config_home.h"
#include "cli/json.h"
#include "cli/messages.h"
#include "cli/text.h"
#include "config/endpoint.h"

namespace qcbak::cli {
namespace {

constexpr std::size_t kFileLimit = 64U << 10;

// It becomes part of a header of HTTP.
bool is_token(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

RemoteSession parse(const Bytes& file, const std::string& path) {
  const Json json = Json::parse(as_text(file), nullptr, false);
  RemoteSession session;
  for (const auto& [key, into] : {std::pair{"server", &session.server}, std::pair{"ca_file", &session.ca_file},
                                  std::pair{"name", &session.name}, std::pair{"token", &session.token}})
    if (json.is_object() && json.contains(key) && json.at(key).is_string()) *into = json.at(key).get<std::string>();
  if (session.server.empty() || session.name.empty() || !is_token(session.token))
    throw Error(ErrorCode::failed, say("{} is not what \"qcbak login\" writes", one_line(path)))
        .with_hint(std::string(tr("remove it with \"qcbak logout\", and log in again")));
  return session;
}

}  // namespace

control::Remote RemoteSession::remote() const {
  config::Endpoint endpoint;
  try {
    endpoint = config::parse_endpoint(server);
  } catch (const Error&) {
    endpoint = {};
  }
  if (endpoint.scheme != "https" || (!endpoint.path.empty() && endpoint.path != "/"))
    throw Error(ErrorCode::usage, say("\"{}\" is not where a daemon is reached", one_line(server)))
        .with_hint(std::string(tr("name it as https://backup.example.gov.vn:7421")));
  return {endpoint.host, endpoint.port == 0 ? control::kGatewayPort : endpoint.port, ca_file, token};
}

std::optional<RemoteSession> remote_session() {
  const char* socket = std::getenv("QCBAK_SOCKET");
  return socket != nullptr && *socket != '\0' ? std::nullopt : saved_session();
}

std::optional<RemoteSession> saved_session() {
  const auto home = config_home();
  if (!home) return std::nullopt;
  const std::string path = *home + "/session";
  if (::access(path.c_str(), F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  return parse(read_file(path, kFileLimit), path);
}

void save_session(const RemoteSession& session) {
  const auto home = config_home();
  if (!home)
    throw Error(ErrorCode::usage, std::string(tr("it is not known where your session can be kept")))
        .with_hint(std::string(tr("set HOME, or XDG_CONFIG_HOME")));
  make_directories(*home);
  const Json json = {{"server", session.server}, {"ca_file", session.ca_file}, {"name", session.name}, {"token", session.token}};
  write_file_durably(*home + "/session", as_bytes(to_text(json) + "\n"));
}

void forget_session() {
  const auto home = config_home();
  if (!home) return;
  const std::string path = *home + "/session";
  if (::unlink(path.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) throw_errno("remove", path);
}

}  // namespace qcbak::cli
