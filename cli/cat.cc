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

std::string base64(ByteView bytes) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < count ? std::to_integer<std::uint32_t>(bytes[at + i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i) text += i <= count ? kLetters[group >> (18 - 6 * i) & 63U] : '=';
  }
  return text;
}

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
  object["content_base64"] = base64(content);
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
