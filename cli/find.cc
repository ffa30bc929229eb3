// qcbak find
#include "backup/source/glob.h"
#include "cli/entries.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/snapshot_choice.h"

namespace qcbak::cli {
namespace {

using repository::Entry;
using repository::EntryType;

ExitCode run(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  source::Patterns pattern;
  pattern.add(arguments.operands().front());
  Session session(invocation, Session::Keys::any);
  std::vector<repository::SnapshotInfo> snapshots;
  if (const auto one = arguments.value("snapshot")) {
    snapshots.push_back(choose_snapshot(session, arguments, *one));
  } else {
    const SnapshotFilter filter = filter_from(arguments);
    for (repository::SnapshotInfo& snapshot : session.snapshots())
      if (matches(filter, snapshot, session.domain_of(snapshot).name)) snapshots.push_back(std::move(snapshot));
  }

  Output& output = invocation.output;
  JsonList list(output);
  std::uint64_t found = 0;
  bool damaged = session.found_damage();
  for (const repository::SnapshotInfo& snapshot : snapshots) {
    SnapshotTree tree(session.repository(), snapshot);
    const std::string id = snapshot.header.id.hex();
    const std::optional<Entry> root = tree.find("/");
    check(root.has_value(), "a snapshot has a root");
    tree.walk(
        "/", *root,
        [&](const std::string& path, const Entry& entry) {
          const bool is_directory = entry.metadata.type == EntryType::directory;
          if (!pattern.matches(path, is_directory))
            return pattern.may_match_below(path) ? SnapshotTree::Descend::yes : SnapshotTree::Descend::no;
          ++found;
          if (output.json()) {
            Json object = {{"snapshot", id}, {"time", format_time(snapshot.header.time)}};
            object.update(entry_json(path, entry, tree.body()));
            list.add(object);
          } else {
            output.line(fmt::format("{}  {}  {:>12}  {}{}", short_id(id), format_time(modified(entry.metadata)),
                                    entry.metadata.size_bytes, printable(path), is_directory ? "/" : ""));
          }
          // What matches a folder matches all below it: the folder says it.
          return SnapshotTree::Descend::no;
        },
        [&](const std::string& path, const Error& error) {
          output.warn(say("{} cannot be listed whole: {}", printable(path), error.what()));
          damaged = true;
        });
  }
  list.finish();
  if (damaged) return ExitCode::damaged;
  if (found > 0) return ExitCode::done;
  if (!output.json() && !output.quiet())
    output.warn(say("nothing matches \"{}\"", printable(arguments.operands().front())));
  return ExitCode::failed;
}

}  // namespace

Command find_command() {
  return {
      .name = "find",
      .summary = "Find files in snapshots",
      .description =
          "Lists what matches the pattern, in all snapshots or in one: snapshot, time of change, size, path. A name "
          "matches at any depth; a pattern "
          "that starts with '/' matches from the root. Of a folder that matches, what is inside is not listed. Exit "
          "code 1: nothing "
          "was found.",
      .operands = {"PATTERN", 1, 1},
      .options = with_narrowing({{"snapshot", "SNAPSHOT", "look into this one only"}}),
      .examples =
          {
              {"qcbak find sshd_config", "everywhere"},
              {"qcbak find '/home/*/.bashrc' --host db1", "in the snapshots of one host"},
          },
      .run = run,
  };
}

}  // namespace qcbak::cli
