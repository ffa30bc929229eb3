// qcbak restore
#include "backup/restore.h"

#include "backup/image_restore.h"
#include "cli/confirm.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/progress_display.h"
#include "cli/session.h"
#include "cli/snapshot_choice.h"
#include "cli/text.h"

namespace qcbak::cli {
namespace {

using Kind = RestoreFinding::Kind;

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::damaged: return "damaged";
    case Kind::not_set: return "not_set";
    case Kind::failed: return "failed";
    case Kind::differs: return "differs";
    case Kind::skipped: return "skipped";
  }
  return "failed";
}

RestoreOptions::Overwrite chosen_overwrite(const std::string& text) {
  if (text.empty() || text == "if-changed") return RestoreOptions::Overwrite::if_changed;
  if (text == "always") return RestoreOptions::Overwrite::always;
  if (text == "never") return RestoreOptions::Overwrite::never;
  throw Error(ErrorCode::usage, say("--overwrite does not know \"{}\"", printable(text)))
      .with_hint(say("choose one of: {}", "always, if-changed, never"));
}

source::Patterns patterns(const std::string& base, const std::vector<std::string>& texts) {
  source::Patterns patterns(base == "/" ? "" : base);
  for (const std::string& text : texts) patterns.add(text);
  return patterns;
}

ExitCode exit_code(const RestoreResult& result) {
  ExitCode code = ExitCode::done;
  for (const RestoreFinding& finding : result.findings) {
    if (finding.kind == Kind::damaged || finding.kind == Kind::differs) return ExitCode::damaged;
    if (finding.kind != Kind::skipped) code = ExitCode::incomplete;
  }
  return code;
}

std::string finding_text(const RestoreFinding& finding) {
  const std::string path = finding.path.empty() ? "." : printable(finding.path);
  switch (finding.kind) {
    case Kind::damaged: return say("{}: damaged in the repository: {}", path, finding.what);
    case Kind::not_set: return say("{}: written, but not set: {}", path, finding.what);
    case Kind::failed: return say("{}: not written: {}", path, finding.what);
    case Kind::differs: return say("{}: differs from the snapshot: {}", path, finding.what);
    case Kind::skipped: return say("{}: left as it is: {}", path, finding.what);
  }
  return path;
}

Json as_json(const RestoreResult& result, const repository::SnapshotInfo& snapshot, bool verified, bool dry_run) {
  Json errors = Json::array();
  for (const RestoreFinding& finding : result.findings) {
    Json error;
    put_name(error, "path", finding.path);
    error["kind"] = kind_name(finding.kind);
    error["what"] = finding.what;
    errors.push_back(std::move(error));
  }
  const ExitCode code = exit_code(result);
  return {{"type", "summary"},
          {"snapshot", snapshot.header.id.hex()},
          {"dry_run", dry_run},
          {"files", result.files},
          {"directories", result.directories},
          {"others", result.others},
          {"bytes", result.bytes},
          {"bytes_written", result.bytes_written},
          {"removed", result.removed},
          {"verified", verified && code == ExitCode::done},
          {"bytes_verified", result.verified_bytes},
          {"verified_from_medium", result.verified_from_medium},
          {"duration_s", static_cast<double>(result.duration_ns) / 1e9},
          {"errors", std::move(errors)}};
}

void report(Output& output, const RestoreResult& result, bool verified, bool dry_run) {
  const std::string what = counted(result.files, "{} file", "{} files") + ", " +
                           counted(result.directories, "{} folder", "{} folders") + ", " +
                           counted(result.others, "{} other", "{} others") + ", " + size_text(result.bytes);
  if (dry_run) {
    output.line(say("would restore {}", what));
    return;
  }
  if (!output.quiet()) {
    output.line(
        say("restored {}; {} written; {}", what, size_text(result.bytes_written), duration_text(result.duration_ns)));
    if (result.removed > 0) output.line(say("removed {} that the snapshot does not have", result.removed));
  }
  std::uint64_t bad = 0;
  for (const RestoreFinding& finding : result.findings)
    if (finding.kind != Kind::skipped) ++bad;
  if (verified) {
    const std::string_view from = result.verified_from_medium ? tr("read back from the medium") : tr("read back");
    if (bad == 0)
      output.line(output.styled(Output::Style::good, say("verified: {} {}, everything is as backed up",
                                                         size_text(result.verified_bytes), from)));
    else
      output.line(
          output.styled(Output::Style::bad, say("NOT verified: {} {}, {} not as backed up; they are named above",
                                                size_text(result.verified_bytes), from, bad)));
  } else if (bad > 0 && !output.quiet()) {
    output.line(
        output.styled(Output::Style::bad, counted(bad, "{} thing was not restored as it was; it is named above",
                                                  "{} things were not restored as they were; they are named above")));
  }
}

// The target's content is replaced.
void prepare_image(const Invocation& invocation, const RestoreOptions& options) {
  for (const std::string_view option : {"include", "exclude", "delete"})
    if (invocation.arguments.has(option))
      throw Error(ErrorCode::usage, say("--{} wants a folder as the target", option));
  if (options.overwrite == RestoreOptions::Overwrite::never)
    throw Error(ErrorCode::usage, say("{} is there, and --overwrite never", printable(options.target)));
  if (options.write == RestoreOptions::Write::yes)
    require_confirmation(invocation, say("Overwrite the content of {}?", one_line(options.target)));
}

ExitCode run(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  const SnapshotPath from = parse_snapshot_path(arguments.operands().front());
  if (!arguments.has("target") || arguments.text("target").empty())
    throw Error(ErrorCode::usage, std::string(tr("restore wants --target DIR")))
        .with_hint(std::string(tr("to put everything back where it was: --target /")));
  RestoreOptions options;
  options.path = from.path;
  options.target = arguments.text("target");
  options.includes = patterns(from.path, arguments.values("include"));
  options.excludes = patterns(from.path, arguments.values("exclude"));
  options.overwrite = chosen_overwrite(arguments.text("overwrite"));
  if (arguments.has("delete")) options.extra = RestoreOptions::Extra::remove;
  const bool verified = arguments.has("verify");
  if (verified) options.verify = RestoreOptions::Verify::yes;
  const bool dry_run = arguments.has("dry-run");
  if (dry_run) options.write = RestoreOptions::Write::no;
  options.threads = static_cast<unsigned>(arguments.number("threads", 0, 0, 256));
  if (arguments.has("delete") && !dry_run)
    require_confirmation(invocation,
                         say("Remove everything in {} that the snapshot does not have?", one_line(options.target)));

  const bool image = takes_an_image(options.target);
  if (image) prepare_image(invocation, options);

  Session session(invocation, Session::Keys::any);
  const repository::SnapshotInfo snapshot = choose_snapshot(session, arguments, from.snapshot);
  Progress progress;
  RestoreResult result;
  {
    const ProgressDisplay display(invocation, progress, std::string(tr("Restoring")));
    result = (image ? restore_image : restore)(session.repository(), snapshot, options, progress, invocation.stop);
  }
  Output& output = invocation.output;
  for (const RestoreFinding& finding : result.findings)
    if (!(output.quiet() && finding.kind == Kind::skipped)) output.warn(finding_text(finding));
  if (output.json())
    output.document(as_json(result, snapshot, verified, dry_run));
  else
    report(output, result, verified, dry_run);
  return exit_code(result);
}

}  // namespace

Command restore_command() {
  return {
      .name = "restore",
      .summary = "Restore a snapshot, or a part of it",
      .description =
          "Writes what the snapshot holds below the folder given with --target, with owners, modes, times, links, "
          "extended "
          "attributes and ACLs; a folder's content lands in the target itself. With --verify every byte is then read "
          "back from the "
          "target and compared with the snapshot. Exit code 3: something was not written or not set; 4: the repository "
          "is damaged, or what was "
          "read back differs. Each is named.",
      .operands = {"SNAPSHOT[:PATH]", 1, 1},
      .options = with_narrowing({
          {"target", "DIR",
           "where to restore; made when missing. A block device, or a file that is there, gets the content of the one "
           "file named"},
          {.name = "include",
           .value = "GLOB",
           .help = "restore only what matches; may be given several times",
           .times = Option::Times::many},
          {.name = "exclude",
           .value = "GLOB",
           .help = "leave out what matches; may be given several times",
           .times = Option::Times::many},
          {"verify", "", "read everything back and compare it with the snapshot"},
          {"overwrite", "WHEN", "files that are there: always, if-changed (the default) or never"},
          {"delete", "", "remove what is in the target and not in the snapshot"},
          yes_option(),
          {"dry-run", "", "only say how much it would be"},
          {"threads", "N", "how many decrypt and write; one for each processor without it"},
      }),
      .later = {"rehearse", "safety-backup", "to", "until"},
      .examples =
          {
              {"qcbak restore latest --target /tmp/restored --verify", "the newest snapshot, read back and compared"},
              {"qcbak restore latest:/etc/ssh --host db1 --target /etc/ssh",
               "one folder of the newest snapshot of a host"},
              {"qcbak restore latest:/dev/sdb1 --target /dev/sdc1 --verify",
               "an image back onto a device; what is right there already is not written"},
              {"qcbak restore 1f3a90c2 --target / --include '*.conf'", "what matches, back to its place"},
          },
      .run = run,
  };
}

}  // namespace qcbak::cli
