// qcbak cat
#include <unistd.h>

#include "cli/entries.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/snapshot_choice.h"

namespace qcbak::cli {
namespace {

using repository::Entry;
using repository::EntryType;

constexpr std::uint64_t kJsonLimit = 64U << 20;  // a JSON document is made in memory

ExitCode run(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  const SnapshotPath from = parse_snapshot_path(arguments.operands().front());
  Session session(invocation, Session::Keys::any);
  SnapshotTree tree(session.repository(), choose_snapshot(session, arguments, from.snapshot));
  const std::optional<Entry> entry = tree.find(from.path);
  if (!entry) throw Error(ErrorCode::not_found, say("{} is not in the snapshot", printable(from.path)));
  if (entry->metadata.type != EntryType::file)
    throw Error(ErrorCode::usage, say("{} is no file", printable(from.path)))
        .with_hint(say("see: {}", "qcbak ls, qcbak restore"));
  Output& output = invocation.output;
  if (!output.json()) {
    tree.read_file(*entry, [&](ByteView piece) { output.bytes(piece); });
    return ExitCode::done;
  }
  if (entry->metadata.size_bytes > kJsonLimit)
    throw Error(ErrorCode::usage, say("{} is too large for --json", printable(from.path)))
        .with_hint(std::string(tr("leave out --json")));
  Bytes content;
  tree.read_file(*entry, [&](ByteView piece) { append(content, piece); });
  Json object = entry_json(from.path, *entry, tree.body());
  object["content_base64"] = to_base64(content);
  output.document(object);
  return ExitCode::done;
}

}  // namespace

Command cat_command() {
  return {
      .name = "cat",
      .summary = "Write a file of a snapshot to standard output",
      .description =
          "Writes the content of one file to standard output. Its SHA-256 is checked at the end: exit code 4 says that "
          "what was written is not to be used.",
      .operands = {"SNAPSHOT:PATH", 1, 1},
      .options = narrowing_options(),
      .examples = {{"qcbak cat latest:/etc/fstab", "looks into a file"}},
      .run = run,
  };
}

}  // namespace qcbak::cli
