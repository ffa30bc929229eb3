// qcbak diff
#include "backup/compare.h"

#include "cli/messages.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/snapshot_choice.h"

namespace qcbak::cli {
namespace {

std::string_view kind_name(Difference::Kind kind) {
  switch (kind) {
    case Difference::Kind::added: return "added";
    case Difference::Kind::removed: return "removed";
    case Difference::Kind::changed: return "changed";
  }
  return "changed";
}

std::string difference_line(const Difference& difference) {
  const std::string path = printable(difference.path);
  switch (difference.kind) {
    case Difference::Kind::added: return "+ " + path;
    case Difference::Kind::removed: return "- " + path;
    case Difference::Kind::changed: break;
  }
  std::string what;
  for (const std::string& part : difference.what) what += (what.empty() ? "" : ", ") + part;
  return fmt::format("M {} ({})", path, one_line(what));
}

ExitCode run(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  const bool live = arguments.has("live");
  const std::vector<std::string>& operands = arguments.operands();
  const std::size_t snapshots = live ? 1 : 2;
  if (operands.size() < snapshots)
    throw Error(ErrorCode::usage, std::string(tr("diff wants two snapshots, or one and --live")))
        .with_hint(say("see: {} --help", "qcbak diff"));
  std::vector<std::string> paths;
  for (std::size_t i = snapshots; i < operands.size(); ++i) {
    if (!operands[i].starts_with("/"))
      throw Error(ErrorCode::usage, say("a path to compare starts with '/': {}", printable(operands[i])));
    paths.push_back(operands[i]);
  }
  Session session(invocation, Session::Keys::any);
  SnapshotTree before(session.repository(), choose_snapshot(session, arguments, operands[0]));

  Output& output = invocation.output;
  JsonList list(output);
  std::uint64_t found = 0;
  const auto report = [&](const Difference& difference) {
    ++found;
    if (!output.json()) return output.line(difference_line(difference));
    Json object = {{"kind", kind_name(difference.kind)}};
    put_name(object, "path", difference.path);
    object["what"] = difference.what;
    object["content"] = difference.content;
    list.add(object);
  };
  if (live) {
    compare_live(before, paths, report, invocation.stop);
  } else {
    SnapshotTree after(session.repository(), choose_snapshot(session, arguments, operands[1]));
    compare_snapshots(before, after, paths, report);
  }
  list.finish();
  if (found == 0 && !output.json() && !output.quiet()) output.warn(tr("no differences"));
  return live && found > 0 ? ExitCode::damaged : ExitCode::done;
}

}  // namespace

Command diff_command() {
  return {
      .name = "diff",
      .summary = "Compare two snapshots, or one with the running system",
      .description =
          "Lists what was added (+), removed (-) or changed (M), and how. With --live the files are read and compared "
          "with the snapshot by "
          "their SHA-256: whoever changed a file and set its time back is found. Exit code with --live: 0 no "
          "differences, 4 there are some. Between "
          "two snapshots it is 0 in both cases.",
      .operands = {"SNAPSHOT SNAPSHOT|--live [PATH...]", 1, Operands::kAny},
      .options = with_narrowing({{"live", "", "compare the snapshot with the files as they are now"}}),
      .examples =
          {
              {"qcbak diff 1f3a90c2 latest", "what changed since a snapshot"},
              {"qcbak diff latest --live /etc /usr/bin", "whether system files are as they were backed up"},
          },
      .run = run,
  };
}

}  // namespace qcbak::cli
