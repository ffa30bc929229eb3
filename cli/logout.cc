// qcbak logout
#include "base/error.h"
#include "cli/command.h"
#include "cli/daemon_call.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/remote_session.h"
#include "cli/text.h"

namespace qcbak::cli {
namespace {

// One that has ended by itself is refused, and that is as good.
void end_there(const RemoteSession& session, Output& output) {
  try {
    ask_daemon_at(session.remote(), control::Method::post, "/v1/session/end", Json::object());
  } catch (const Error& error) {
    if (error.code() == ErrorCode::refused) return;
    output.warn(say("{} was not told, and ends the session by itself: {}", one_line(session.server), translate_message(error.what())));
  }
}

ExitCode run(const Invocation& invocation) {
  std::optional<RemoteSession> session;
  try {
    session = saved_session();
  } catch (const Error& error) {
    // Of no use to anybody: what is left is to remove it.
    invocation.output.warn(error.what());
  }
  if (session) end_there(*session, invocation.output);
  forget_session();
  if (invocation.output.json())
    invocation.output.document({{"server", session ? Json(session->server) : Json(nullptr)}});
  else if (!invocation.output.quiet())
    invocation.output.line(session ? say("logged out of {}", one_line(session->server)) : std::string(tr("you are not logged in anywhere")));
  return ExitCode::done;
}

}  // namespace

Command logout_command() {
  return {
      .name = "logout",
      .summary = "End the session that \"qcbak login\" began",
      .description =
          "Ends the session at the daemon and forgets it here, also when that daemon cannot be reached. Commands ask the daemon of this machine again.",
      .examples = {{"qcbak logout", "the session is good for nothing from then on"}},
      .run = run,
      .common = Command::Common::output_only,
  };
}

}  // namespace qcbak::cli
