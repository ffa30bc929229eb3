// qcbak audit export
#include <unistd.h>

#include "base/error.h"
#include "cli/evidence.h"
#include "cli/messages.h"
#include "cli/new_file.h"
#include "cli/session.h"
#include "cli/text.h"
#include "evidence/checkpoint.h"
#include "evidence/log_export.h"

namespace qcbak::cli {
namespace {

// Where to; empty: standard output.
std::string destination(const Invocation& invocation) {
  const std::string path = invocation.arguments.text("output");
  return path == "-" ? "" : path;
}

ExitCode export_checkpoint(const Invocation& invocation, Session& session) {
  const std::string format = invocation.arguments.has("format") ? invocation.arguments.text("format") : "json";
  if (format != "json" && format != "text")
    throw Error(ErrorCode::usage, say("there is no format \"{}\"", printable(format)))
        .with_hint(say("choose one of: {}", "text, json"));
  const auto checkpoint =
      evidence::make_checkpoint(session.repository(), session.repository().domains().front(), invocation.clock.now());
  std::string text = evidence::checkpoint_line(checkpoint) + "\n";
  if (format == "text")
    text =
        say("Checkpoint of the log of a qcbak repository\n\n  repository  {}\n  entry       {}\n  hash        {}\n  "
            "written     {}\n"
            "  made        {}\n  signer      {}\n\nWhether the log still has all that it had then:\n  qcbak audit "
            "verify --checkpoint {}\n",
            checkpoint.repository.hex(), checkpoint.head.number, checkpoint.head.hash.hex(), checkpoint.time,
            checkpoint.made, checkpoint.signer.hex(), checkpoint_text(checkpoint.head));
  if (const std::string path = destination(invocation); path.empty()) {
    invocation.output.bytes(as_bytes(text));
  } else {
    NewFile file(path, NewFile::kForAll);
    file.write(as_bytes(text));
    file.keep();
  }
  return ExitCode::done;
}

ExitCode export_log(const Invocation& invocation, Session& session, const evidence::LogExportOptions& options) {
  Output& output = invocation.output;
  const auto write = [&](const std::function<void(std::string_view)>& to) {
    return evidence::export_log(session.repository(), session.repository().domains().front(), invocation.clock.now(),
                                options, to, invocation.stop);
  };
  const std::string path = destination(invocation);
  if (path.empty()) {
    write([&](std::string_view line) { output.bytes(as_bytes(line)); });
    return ExitCode::done;
  }
  NewFile file(path, NewFile::kOwnerOnly);
  const evidence::LogExportSummary summary = write([&](std::string_view line) { file.write(as_bytes(line)); });
  file.keep();
  if (output.json()) {
    output.document({{"entries", summary.last.number},
                     {"checkpoint", checkpoint_text(summary.last)},
                     {"opened", summary.opened},
                     {"sealed", summary.sealed}});
  } else if (!output.quiet()) {
    output.line(say("exported {} entries to {}", summary.last.number, one_line(path)));
    output.line(say("details: {} opened, {} left sealed", summary.opened, summary.sealed));
    output.line(say("checkpoint {}", checkpoint_text(summary.last)));
  }
  return ExitCode::done;
}

ExitCode run(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  const evidence::LogExportOptions options{arguments.time("since"), arguments.time("until")};
  const bool checkpoint = arguments.has("checkpoint");
  if (checkpoint && (options.since || options.until))
    throw Error(ErrorCode::usage, std::string(tr("a checkpoint is of the whole log: leave out --since and --until")));
  if (!checkpoint && arguments.has("format"))
    throw Error(ErrorCode::usage, std::string(tr("--format goes with --checkpoint")));
  if (!checkpoint && destination(invocation).empty() && invocation.output.json())
    throw Error(ErrorCode::usage, std::string(tr("-o - and --json both want standard output")));
  Session session(invocation, Session::Keys::any);
  return checkpoint ? export_checkpoint(invocation, session) : export_log(invocation, session, options);
}

}  // namespace

Command audit_export_command() {
  return {
      .name = "audit export",
      .summary = "Write the log as a file that proves itself",
      .description =
          "Writes all entries of the log with their details opened, in a file that `qcbak verify-evidence` checks "
          "anywhere with the public "
          "keys alone. With --since and --until only the details of entries of that time are opened; the others stay "
          "sealed, and the chain "
          "stays whole. A write credential is enough, and signs the file.",
      .options = {{.name = "output",
                   .value = "FILE",
                   .help = "a new file; without it, or with -, standard output",
                   .letter = 'o'},
                  {"since", "TIME", "open details from then on"},
                  {"until", "TIME", "open details before then"},
                  {"checkpoint", "", "only how far the log goes, signed: for a sheet of paper, or a stick"},
                  {"format", "FORMAT", "of a checkpoint: json, which can be checked, or text, to print"}},
      .examples = {{"qcbak audit export -o log.jsonl", "for an auditor"},
                   {"qcbak audit export --since 2026-10-01 --until 2026-11-01 -o october.jsonl",
                    "what was done in October"},
                   {"qcbak audit export --checkpoint --format text | lpr", "on paper, into the safe"}},
      .run = run,
  };
}

}  // namespace qcbak::cli
