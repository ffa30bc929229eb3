// qcbak ls
#include "cli/entries.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/snapshot_choice.h"

namespace qcbak::cli {
namespace {

using repository::Entry;
using repository::EntryType;

// A line of sha256sum(1), whose escapes `sha256sum -c` takes back: names are bytes there.
std::string checksum_line(const Entry& entry, std::string_view name) {
  std::string escaped;
  bool any = false;
  for (const char c : name) {
    const std::string_view escape = c == '\\' ? "\\\\" : c == '\n' ? "\\n" : c == '\r' ? "\\r" : "";
    any |= !escape.empty();
    if (escape.empty())
      escaped += c;
    else
      escaped += escape;
  }
  return (any ? "\\" : "") + entry.sha256->hex() + "  " + escaped;
}

std::string long_line(const Entry& entry, const std::string& name, const repository::SnapshotBody& body) {
  const repository::Metadata& metadata = entry.metadata;
  std::string line =
      fmt::format("{} {:>8} {:>8} {:>12} {} {}", mode_text(metadata), owner_name(body.users, metadata.uid),
                  owner_name(body.groups, metadata.gid), metadata.size_bytes, format_time(modified(metadata)), name);
  if (metadata.type == EntryType::symlink) line += " -> " + printable(metadata.link_target);
  return line;
}

ExitCode run(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  const SnapshotPath from = parse_snapshot_path(arguments.operands().front());
  const bool hash = arguments.has("hash");
  const bool recursive = arguments.has("recursive") || hash;
  const bool as_long = arguments.has("long");
  Session session(invocation, Session::Keys::any);
  SnapshotTree tree(session.repository(), choose_snapshot(session, arguments, from.snapshot));
  const std::optional<Entry> top = tree.find(from.path);
  if (!top) throw Error(ErrorCode::not_found, say("{} is not in the snapshot", printable(from.path)));

  Output& output = invocation.output;
  JsonList list(output);
  const auto show = [&](const std::string& path, const std::string& relative, const Entry& entry) {
    if (hash && entry.metadata.type != EntryType::file) return;
    if (output.json())
      list.add(entry_json(path, entry, tree.body()));
    else if (hash)
      output.line(checksum_line(entry, relative));
    else if (as_long)
      output.line(long_line(entry, printable(relative), tree.body()));
    else
      output.line(printable(relative));
  };
  ExitCode code = ExitCode::done;
  if (top->metadata.type != EntryType::directory) {
    show(from.path, from.path.substr(from.path.rfind('/') + 1), *top);
  } else {
    const std::size_t skip = from.path == "/" ? 1 : from.path.size() + 1;
    tree.walk(
        from.path, *top,
        [&](const std::string& path, const Entry& entry) {
          show(path, path.substr(skip), entry);
          return recursive ? SnapshotTree::Descend::yes : SnapshotTree::Descend::no;
        },
        [&](const std::string& path, const Error& error) {
          output.warn(say("{} cannot be listed whole: {}", printable(path), error.what()));
          code = ExitCode::damaged;
        });
  }
  list.finish();
  return code;
}

}  // namespace

Command ls_command() {
  return {
      .name = "ls",
      .summary = "List what a snapshot holds",
      .description =
          "Lists the entries of a folder of the snapshot; without a path those of its root. With --hash it prints the "
          "SHA-256 of "
          "every file below, in the form that `sha256sum -c` reads when it is run in the folder's restored copy.",
      .operands = {"SNAPSHOT[:PATH]", 1, 1},
      .options = with_narrowing({
          {.name = "long", .help = "with mode, owner, size and time", .letter = 'l'},
          {"hash", "", "SHA-256 and path of every file below the folder"},
          {.name = "recursive", .help = "everything below the folder", .letter = 'R'},
      }),
      .examples =
          {
              {"qcbak ls latest:/etc --long", "a folder"},
              {"qcbak ls latest:/etc --hash | (cd /tmp/restored && sha256sum -c --quiet)",
               "checks a restored copy by other means"},
          },
      .run = run,
  };
}

}  // namespace qcbak::cli
