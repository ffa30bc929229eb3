// qcbak login
#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "cli/command.h"
#include "cli/daemon_call.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/password.h"
#include "cli/remote_session.h"
#include "cli/signing.h"
#include "cli/text.h"

namespace qcbak::cli {
namespace {

using crypto::SecretBytes;

// What was typed, without a token.
RemoteSession place_named(const Invocation& invocation) {
  RemoteSession place;
  place.server = invocation.arguments.operands().front();
  if (const auto file = invocation.arguments.value("ca-file")) place.ca_file = std::filesystem::absolute(*file).string();
  place.server = place.remote().url();
  place.name = invocation.arguments.has("name") ? invocation.arguments.text("name") : unix_user_name();
  require_plain_name(place.name);
  return place;
}

std::string text_of(const SecretBytes& password) {
  if (!is_utf8(password.view())) throw Error(ErrorCode::usage, std::string(tr("the password is not text in UTF-8")));
  return std::string(as_text(password.view()));
}

std::string code_of(const Invocation& invocation) {
  if (const auto given = invocation.arguments.value("code")) return *given;
  return input_is_terminal() ? ask_on_terminal(invocation, std::string(tr("Code of your app (empty: none): "))) : "";
}

bool must(const Json& reply, std::string_view what) {
  const auto all = reply.find("must");
  return all != reply.end() && all->is_array() && std::find(all->begin(), all->end(), what) != all->end();
}

// Logs in at `session`, which gets the token and is kept.
Json log_in(const Invocation& invocation, RemoteSession& session, const SecretBytes& password, const std::string& code) {
  Json body = {{"name", session.name}, {"password", text_of(password)}};
  if (!code.empty()) body["code"] = code;
  if (invocation.arguments.has("take-over")) body["take_over"] = "yes";
  session.token.clear();
  const Json reply = ask_daemon_at(session.remote(), control::Method::post, "/v1/session", body);
  session.token = reply.at("token").get<std::string>();
  session.name = reply.at("name").get<std::string>();
  save_session(session);
  return reply;
}

// Sessions end when the password changes, so that there is another log-in behind it. None: it lacks a code, as each is good once.
std::optional<Json> change_password(const Invocation& invocation, RemoteSession& session, const SecretBytes& present, bool with_code) {
  if (!input_is_terminal() && !invocation.arguments.has("new-password-file"))
    throw Error(ErrorCode::refused, std::string(tr("your password has to be changed before anything else")))
        .with_hint(std::string(tr("log in at a terminal, or name a file with the new one: --new-password-file FILE")));
  if (!invocation.output.quiet()) invocation.output.warn(tr("your password has to be changed"));
  const SecretBytes chosen = read_new_account_password(invocation);
  ask_daemon_at(session.remote(), control::Method::post, "/v1/people/" + session.name + "/password",
                {{"password", text_of(present)}, {"new", text_of(chosen)}});
  forget_session();
  if (!with_code) return log_in(invocation, session, chosen, "");
  if (!input_is_terminal()) return std::nullopt;
  return log_in(invocation, session, chosen, ask_on_terminal(invocation, std::string(tr("The next code of your app: "))));
}

std::string roles_of(const Json& reply) {
  std::string all;
  for (const Json& role : reply.at("roles")) all += (all.empty() ? "" : ", ") + one_line(role.get<std::string>());
  return all.empty() ? "-" : all;
}

void tell(Output& output, const RemoteSession& session, const Json& reply) {
  if (output.json()) {
    output.document({{"server", session.server}, {"name", session.name}, {"roles", reply.at("roles")}, {"must", reply.at("must")}});
  } else {
    if (!output.quiet()) output.line(say("logged in at {} as {}; roles: {}", session.server, one_line(session.name), roles_of(reply)));
    if (must(reply, "otp")) output.line(tr("before anything else, register a second factor: qcbak user enrol-otp"));
  }
}

ExitCode run(const Invocation& invocation) {
  RemoteSession session = place_named(invocation);
  const SecretBytes password = read_account_password(invocation);
  const std::string code = code_of(invocation);
  std::optional<Json> reply = log_in(invocation, session, password, code);
  if (must(*reply, "password")) reply = change_password(invocation, session, password, !code.empty());
  if (reply) {
    tell(invocation.output, session, *reply);
  } else {
    invocation.output.line(say("your password was changed; log in with it and the next code of your app: qcbak login {}", session.server));
  }
  return ExitCode::done;
}

}  // namespace

Command login_command() {
  return {
      .name = "login",
      .summary = "Log in at the daemon of another machine",
      .description =
          "Logs in over TLS 1.3 with the name, the password and, where one was registered, the code of the second factor. Commands that ask the "
          "daemon go there from then on, unless QCBAK_SOCKET names another, until \"qcbak logout\" or until the session ends: after 15 minutes "
          "without a request. The session is kept in ~/.config/qcbak/session, for you alone to read. A password that has to be changed is asked for "
          "at once.",
      .operands = {"URL", 1, 1},
      .options = {{"name", "NAME", "who you are there; your name on this machine without it"},
                  {"ca-file", "FILE", "certificates (PEM) that vouch for the server, instead of the system's"},
                  {"password-file", "FILE", "its first line is the password"},
                  {"new-password-file", "FILE", "its first line is the new password, where it has to be changed"},
                  {"code", "CODE", "of the second factor"},
                  {"take-over", "", "end the session of another administrator who is there"}},
      .examples = {{"qcbak login https://backup.example.gov.vn:7421", "asks for the password, and for a code"},
                   {"qcbak login https://10.0.0.5 --name lan --ca-file gateway.pem", "another name, and a certificate of the appliance's own"}},
      .run = run,
      .common = Command::Common::output_only,
  };
}

}  // namespace qcbak::cli
