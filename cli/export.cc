// qcbak export
#include "backup/export.h"

#include <unistd.h>

#include "cli/messages.h"
#include "cli/output.h"
#include "cli/progress_display.h"
#include "cli/session.h"
#include "cli/snapshot_choice.h"

namespace qcbak::cli {
namespace {

ArchiveFormat chosen_format(const Arguments& arguments, const std::string& output) {
  const std::string name = arguments.text("format");
  const auto is = [&](std::string_view format, std::string_view ending) {
    return name.empty() ? output.ends_with(ending) : name == format;
  };
  if (is("tar", ".tar")) return ArchiveFormat::tar;
  if (is("tar.zst", ".tar.zst")) return ArchiveFormat::tar_zst;
  if (is("zip", ".zip")) return ArchiveFormat::zip;
  throw Error(ErrorCode::usage, name.empty() ? std::string(tr("export wants --format"))
                                             : say("there is no format \"{}\"", printable(name)))
      .with_hint(say("choose one of: {}", "tar, tar.zst, zip"));
}

ExitCode run(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  const SnapshotPath from = parse_snapshot_path(arguments.operands().front());
  const std::string to = arguments.text("output");
  if (to.empty()) throw Error(ErrorCode::usage, std::string(tr("export wants -o FILE")));
  const ArchiveFormat format = chosen_format(arguments, to);
  Output& output = invocation.output;
  const bool to_output = to == "-";
  if (to_output && output.json())
    throw Error(ErrorCode::usage, std::string(tr("-o - and --json both want standard output")));
  if (to_output && ::isatty(STDOUT_FILENO) == 1)
    throw Error(ErrorCode::usage, std::string(tr("an archive does not go to a terminal")))
        .with_hint(std::string(tr("name a file: -o FILE")));

  Session session(invocation, Session::Keys::any);
  SnapshotTree tree(session.repository(), choose_snapshot(session, arguments, from.snapshot));
  Progress progress;
  ExportResult result;
  {
    const ProgressDisplay display(invocation, progress, std::string(tr("Exporting")));
    result = export_archive(tree, from.path, format, to, progress, invocation.stop);
  }
  for (const repository::Finding& finding : result.left_out) output.warn(printable(finding.path) + ": " + finding.what);
  const ExitCode code = result.left_out.empty() ? ExitCode::done : ExitCode::incomplete;
  if (to_output) return code;
  if (output.json()) {
    Json left_out = Json::array();
    for (const repository::Finding& finding : result.left_out) {
      Json object;
      put_name(object, "path", finding.path);
      object["what"] = finding.what;
      left_out.push_back(std::move(object));
    }
    output.document(
        {{"type", "summary"}, {"entries", result.entries}, {"bytes", result.bytes}, {"left_out", std::move(left_out)}});
  } else if (!output.quiet()) {
    output.line(say("exported {} entries, {}, to {}", result.entries, size_text(result.bytes), one_line(to)));
  }
  return code;
}

}  // namespace

Command export_command() {
  return {
      .name = "export",
      .summary = "Write a snapshot as an archive",
      .description =
          "Writes a snapshot, or a part of it, as a tar or zip archive. What the format cannot hold is named; the exit "
          "code is then 3. tar keeps everything but "
          "sockets; zip keeps files, folders and links.",
      .operands = {"SNAPSHOT[:PATH]", 1, 1},
      .options = with_narrowing({
          {"format", "FORMAT", "tar, tar.zst or zip; without it, the ending of the file says it"},
          {.name = "output", .value = "FILE", .help = "where to write it; - is standard output", .letter = 'o'},
      }),
      .examples =
          {
              {"qcbak export latest:/srv/www -o www.tar.zst", "a folder, as an archive that GNU tar reads"},
              {"qcbak export latest --format tar -o - | ssh host tar -x -C /restored", "to another machine"},
          },
      .run = run,
  };
}

}  // namespace qcbak::cli
