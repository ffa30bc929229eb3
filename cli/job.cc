// qcbak job list, run, show, history, cancel
#include <chrono>
#include <thread>

#include "base/error.h"
#include "cli/command.h"
#include "cli/daemon_call.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/text.h"

namespace qcbak::cli {
namespace {

constexpr std::uint64_t kHistoryUnlessAsked = 20;
constexpr std::uint64_t kHistoryMost = 1000;
constexpr std::size_t kRunDigitsShown = 8;
constexpr auto kAskAgain = std::chrono::milliseconds(200);

ExitCode run_list(const Invocation& invocation) {
  const Json jobs = ask_daemon(control::Method::get, "/v1/jobs");
  Output& output = invocation.output;
  if (output.json()) {
    invocation.output.document(jobs);
    return ExitCode::done;
  }
  Table table({{std::string(tr("JOB"))}, {std::string(tr("SCHEDULE"))}, {std::string(tr("NEXT"))}, {std::string(tr("PATHS"))}});
  for (const Json& job : jobs) {
    std::string paths;
    for (const Json& path : job.at("files")) paths += (paths.empty() ? "" : " ") + one_line(path.get<std::string>());
    std::string schedule = text_or_dash(job, "schedule");
    if (job.at("on_change").get<bool>())
      schedule = schedule == "-" ? std::string(tr("on change")) : schedule + ", " + std::string(tr("on change"));
    table.add({text_or_dash(job, "name"), schedule, job.at("held").is_null() ? text_or_dash(job, "next") : std::string(tr("held")), paths});
  }
  if (!table.empty())
    for (const std::string& line : table.lines()) output.line(line);
  return ExitCode::done;
}

void describe_source(Output& output, const Json& before, const Json& after) {
  const auto state = [](const Json& path) {
    if (path.contains("problem")) return one_line(path.at("problem").get<std::string>());
    return say("{}, {} free of {}", one_line(path.at("file_system").get<std::string>()),
               size_text(path.at("bytes_free").get<std::uint64_t>()), size_text(path.at("bytes_total").get<std::uint64_t>()));
  };
  for (std::size_t i = 0; i < before.size() && i < after.size(); ++i)
    output.line(say("source   {}: before {}; after {}", one_line(before[i].at("path").get<std::string>()), state(before[i]), state(after[i])));
}

// What was looked at around the copy; absent from runs of which only the repository knows.
void describe_journal(Output& output, const Json& summary) {
  if (!summary.contains("reconciled")) return;
  describe_source(output, summary.at("source_before"), summary.at("source_after"));
  if (const std::string hash = text_or_dash(summary, "snapshot_sha256"); hash != "-") output.line(say("sha256   {} (of the snapshot)", hash));
  for (const Json& place : summary.at("copies")) output.line(say("copy     at {}", one_line(place.get<std::string>())));
  const Json& reconciled = summary.at("reconciled");
  if (reconciled.is_null()) return;
  const auto count = [&](const char* name) { return reconciled.at(name).get<std::uint64_t>(); };
  if (reconciled.at("agrees").get<bool>()) output.line(say("compared with the source: it agrees ({} files)", count("files")));
  else
    output.line(say("compared with the source: it went on changing ({} files as stored, {} new or changed with {} of new content, {} gone)",
                    count("as_stored"), count("read_again"), size_text(count("bytes_differing")), count("gone")));
}

void describe(Output& output, const Json& run) {
  output.line(say("run      {}", text_or_dash(run, "id")));
  output.line(say("job      {}", text_or_dash(run, "job")));
  std::string reason = text_or_dash(run, "reason");
  if (const std::string slot = text_or_dash(run, "slot"); slot != "-") reason += ", " + slot;
  if (const std::string user = text_or_dash(run, "asked_by"); user != "-") reason += ", " + user;
  output.line(say("reason   {}", reason));
  output.line(say("started  {}", text_or_dash(run, "started")));
  output.line(say("ended    {}", text_or_dash(run, "ended")));
  output.line(say("outcome  {}", text_or_dash(run, "outcome")));
  output.line(say("snapshot {}", text_or_dash(run, "snapshot")));
  if (const std::string error = text_or_dash(run, "error"); error != "-") output.line(say("error    {}", error));
  const Json& summary = run.at("summary");
  if (!summary.is_object()) return;
  if (summary.contains("bytes_freed")) {  // of a collection
    output.line(say("freed    {}", size_text(summary.at("bytes_freed").get<std::uint64_t>())));
    return;
  }
  output.line(say("files    {} new, {} changed, {} unmodified", summary.at("files_new").get<std::uint64_t>(),
                  summary.at("files_changed").get<std::uint64_t>(), summary.at("files_unmodified").get<std::uint64_t>()));
  output.line(say("content  {} read, {} new, {} stored", size_text(summary.at("bytes_read").get<std::uint64_t>()),
                  size_text(summary.at("bytes_added").get<std::uint64_t>()),
                  size_text(summary.at("bytes_stored").get<std::uint64_t>())));
  describe_journal(output, summary);
  for (const Json& finding : summary.at("errors"))
    output.line("  " + one_line(finding.at("path").get<std::string>()) + ": " + one_line(finding.at("what").get<std::string>()));
}

ExitCode exit_code_of(const Json& run) {
  const std::string outcome = text_or_dash(run, "outcome");
  if (outcome == "complete" || outcome == "unchanged") return ExitCode::done;
  return outcome == "incomplete" ? ExitCode::incomplete : ExitCode::failed;
}

ExitCode run_run(const Invocation& invocation) {
  Output& output = invocation.output;
  Json begun = ask_daemon(control::Method::post, "/v1/jobs/" + name_in_target(invocation) + "/run");
  const std::string id = text_or_dash(begun, "id");
  if (!invocation.arguments.has("follow") || id == "-") {
    if (output.json()) invocation.output.document(begun);
    else if (id == "-") output.line(tr("it waits for its turn"));
    else output.line(id);
    return ExitCode::done;
  }
  for (;;) {
    const Json run = ask_daemon(control::Method::get, "/v1/runs/" + id);
    if (!run.at("outcome").is_null()) {
      if (output.json()) invocation.output.document(run);
      else if (!output.quiet()) describe(output, run);
      return exit_code_of(run);
    }
    if (invocation.stop.stop_requested())
      throw Error(ErrorCode::interrupted, say("the run goes on; see \"qcbak job show {}\"", id));
    std::this_thread::sleep_for(kAskAgain);
  }
}

// What is named is a run's id, or a job, whose last run is meant.
ExitCode run_show(const Invocation& invocation) {
  const std::string& name = name_in_target(invocation);
  Json run;
  try {
    run = ask_daemon(control::Method::get, "/v1/runs/" + name);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    run = ask_daemon(control::Method::get, "/v1/jobs/" + name).at("last");
    if (run.is_null()) throw Error(ErrorCode::not_found, say("job \"{}\" has not run yet", name));
  }
  if (invocation.output.json()) invocation.output.document(run);
  else describe(invocation.output, run);
  return ExitCode::done;
}

ExitCode run_history(const Invocation& invocation) {
  const std::uint64_t limit = invocation.arguments.number("limit", kHistoryUnlessAsked, 1, kHistoryMost);
  const Json runs = ask_daemon(control::Method::get,
                               "/v1/jobs/" + name_in_target(invocation) + "/runs?limit=" + std::to_string(limit));
  Output& output = invocation.output;
  if (output.json()) {
    invocation.output.document(runs);
    return ExitCode::done;
  }
  Table table({{std::string(tr("RUN"))},
               {std::string(tr("STARTED"))},
               {std::string(tr("REASON"))},
               {std::string(tr("RESULT"))},
               {std::string(tr("SNAPSHOT"))},
               {std::string(tr("ERROR"))}});
  for (const Json& run : runs)
    table.add({text_or_dash(run, "id").substr(0, kRunDigitsShown), text_or_dash(run, "started"), text_or_dash(run, "reason"),
               run.at("outcome").is_null() ? std::string(tr("running")) : text_or_dash(run, "outcome"),
               short_id(text_or_dash(run, "snapshot")), text_or_dash(run, "error")});
  if (!table.empty())
    for (const std::string& line : table.lines()) output.line(line);
  return ExitCode::done;
}

ExitCode run_cancel(const Invocation& invocation) {
  const Json cancelled = ask_daemon(control::Method::post, "/v1/runs/" + name_in_target(invocation) + "/cancel");
  if (invocation.output.json()) invocation.output.document(cancelled);
  else if (!invocation.output.quiet()) invocation.output.line(tr("it is being stopped"));
  return ExitCode::done;
}

}  // namespace

Command job_list_command() {
  return {
      .name = "job list",
      .summary = "List the daemon's jobs",
      .description = "Prints each job with its schedule, its next run and its paths.",
      .examples = {{"qcbak job list", "all jobs"}},
      .run = run_list,
      .common = Command::Common::output_only,
  };
}

Command job_run_command() {
  return {
      .name = "job run",
      .summary = "Run a job now",
      .description = "Starts a job outside its schedule and prints the id of the run. Operators and administrators may. With --follow it "
                     "shows the result, and the exit code is the run's: 0, 3 when something could not be backed up, 1 when it failed.",
      .operands = {"NAME", 1, 1},
      .options = {{"follow", "", "until it has ended"}},
      .examples = {{"qcbak job run etc --follow", "and show what came of it"}},
      .run = run_run,
      .common = Command::Common::output_only,
  };
}

Command job_show_command() {
  return {
      .name = "job show",
      .summary = "Show a run, or the last one of a job",
      .description = "Prints why the run began, when, what it backed up, and what it could not.",
      .operands = {"NAME", 1, 1},
      .examples = {{"qcbak job show etc", "the last run of a job"}},
      .run = run_show,
      .common = Command::Common::output_only,
  };
}

Command job_history_command() {
  return {
      .name = "job history",
      .summary = "List the last runs of a job",
      .description = "Prints the runs of a job, the newest first.",
      .operands = {"NAME", 1, 1},
      .options = {{"limit", "N", "so many; 20 unless given"}},
      .examples = {{"qcbak job history etc --limit 100", "the last hundred"}},
      .run = run_history,
      .common = Command::Common::output_only,
  };
}

Command job_cancel_command() {
  return {
      .name = "job cancel",
      .summary = "Stop a run that is in work",
      .description = "The run ends soon and commits nothing; what it stored is used by the next one. It is not tried again.",
      .operands = {"RUN", 1, 1},
      .examples = {{"qcbak job cancel 5f1c0d3e9a7b4c21aa10c7d7e2b1f0aa", "a run by its id"}},
      .run = run_cancel,
      .common = Command::Common::output_only,
  };
}

}  // namespace qcbak::cli
