// qcbak status
#include "cli/command.h"
#include "cli/daemon_call.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/text.h"

namespace qcbak::cli {
namespace {

std::string last_result(const Json& job) {
  if (job.at("running").get<bool>()) {
    const auto progress = job.find("progress");
    if (progress == job.end()) return std::string(tr("running"));
    return say("running: {} files, {}", progress->at("files").get<std::uint64_t>(),
               size_text(progress->at("bytes").get<std::uint64_t>()));
  }
  return job.at("last").is_null() ? "-" : text_or_dash(job.at("last"), "outcome");
}

// What the daemon has to tell and has not been able to.
void show_telling(const Json& status, Output& output) {
  for (const Json& channel : status.at("messages"))
    if (const auto waiting = channel.at("waiting").get<std::uint64_t>(); waiting > 0 || !channel.at("error").is_null())
      output.line(say("messages for {}: {} waiting; last error: {}", text_or_dash(channel, "channel"), waiting, text_or_dash(channel, "error")));
  const Json& syslog = status.at("syslog");
  if (syslog.is_null()) return;
  output.line(syslog.at("error").is_null()
                  ? say("syslog {}: {} entries behind", text_or_dash(syslog, "collector"), syslog.at("behind").get<std::uint64_t>())
                  : say("syslog {}: {} entries behind; last error: {}", text_or_dash(syslog, "collector"),
                        syslog.at("behind").get<std::uint64_t>(), text_or_dash(syslog, "error")));
}

ExitCode run(const Invocation& invocation) {
  const Json status = ask_daemon(control::Method::get, "/v1/status");
  Output& output = invocation.output;
  if (output.json()) {
    output.document(status);
    return ExitCode::done;
  }
  output.line(say("qcbakd {}, serving since {}", text_or_dash(status, "version"), text_or_dash(status, "started")));
  const Json& free = status.at("free_bytes");
  output.line(free.is_null() ? say("repository {}", text_or_dash(status, "repository"))
                             : say("repository {}, {} free", text_or_dash(status, "repository"), size_text(free.get<std::uint64_t>())));
  Table table({{std::string(tr("JOB"))},
               {std::string(tr("LAST RUN"))},
               {std::string(tr("RESULT"))},
               {std::string(tr("LAST GOOD"))},
               {std::string(tr("NEXT"))}});
  for (const Json& job : status.at("jobs"))
    table.add({text_or_dash(job, "name"), job.at("last").is_null() ? "-" : text_or_dash(job.at("last"), "started"),
               last_result(job), text_or_dash(job, "last_success"),
               !job.at("held").is_null() ? std::string(tr("held"))
               : job.at("next").is_null() && job.at("on_change").get<bool>() ? std::string(tr("on change"))
                                                                           : text_or_dash(job, "next")});
  if (!table.empty())
    for (const std::string& line : table.lines()) output.line(line);
  show_telling(status, output);
  for (const Json& alert : status.at("alerts"))
    output.line(output.styled(Output::Style::bad, alert.at("job").is_null()
                                                      ? text_or_dash(alert, "what")
                                                      : say("job {}: {}", text_or_dash(alert, "job"), text_or_dash(alert, "what"))));
  return ExitCode::done;
}

}  // namespace

Command status_command() {
  return {
      .name = "status",
      .summary = "Show the daemon's jobs, their last results and next runs",
      .description = "Asks the daemon at QCBAK_SOCKET (/run/qcbak/qcbak.sock) for its jobs on one screen: when each ran last and what came of "
                     "it, when it was last backed up well, when it runs next, and what needs somebody's attention.",
      .examples = {{"qcbak status", "one screen"}},
      .run = run,
      .common = Command::Common::output_only,
  };
}

}  // namespace qcbak::cli
