// qcbak snapshots
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/snapshot_choice.h"
#include "cli/text.h"

namespace qcbak::cli {
namespace {

Json as_json(const repository::SnapshotInfo& snapshot, const std::string& domain, Time now) {
  const repository::SnapshotHeader& header = snapshot.header;
  Json labels = Json::object();
  for (const auto& [key, value] : header.labels) labels[key] = value;
  Json paths = Json::array();
  Json raw_paths = Json::array();
  bool all_text = true;
  for (const Bytes& path : header.paths) {
    paths.push_back(as_text(path));
    raw_paths.push_back(to_hex(path));
    all_text &= is_utf8(path);
  }
  Json holds = Json::array();
  if (snapshot.state.holds > 0) holds.push_back(snapshot.state.hold_reason);
  const bool locked = snapshot.state.locked_until && *snapshot.state.locked_until > now;
  Json object = {{"id", header.id.hex()},
                 {"time", format_time(header.time)},
                 {"host", header.host},
                 {"domain", domain},
                 {"labels", std::move(labels)},
                 {"paths", std::move(paths)},
                 {"source", header.source},
                 {"bytes", header.totals.bytes},
                 {"files", header.totals.files},
                 {"holds", std::move(holds)},
                 {"copies", 1},
                 {"bytes_added", header.totals.bytes_added},
                 {"bytes_stored", header.totals.bytes_stored},
                 {"findings", header.findings},
                 {"committed", format_time(snapshot.state.commit_time)},
                 {"locked_until", locked ? Json(format_time(*snapshot.state.locked_until)) : Json(nullptr)}};
  if (!all_text) object["paths_hex"] = std::move(raw_paths);
  return object;
}

std::string kept_text(const repository::SnapshotInfo& snapshot, Time now) {
  std::string text;
  if (snapshot.state.holds > 0) text = say("held: {}", printable(snapshot.state.hold_reason));
  if (snapshot.state.locked_until && *snapshot.state.locked_until > now)
    text += (text.empty() ? "" : ", ") + say("locked until {}", format_time(*snapshot.state.locked_until));
  return text;
}

std::string labels_and_paths(const repository::SnapshotHeader& header) {
  std::string text;
  for (const Bytes& path : header.paths) text += (text.empty() ? "" : " ") + printable(path);
  for (const auto& [key, value] : header.labels) text += " " + printable(key + "=" + value);
  return text;
}

ExitCode run(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  const SnapshotFilter filter = filter_from(arguments);
  const std::uint64_t latest = arguments.number("latest", 0, 1, 1U << 30);
  Session session(invocation, Session::Keys::any);
  std::vector<repository::SnapshotInfo> found;
  for (repository::SnapshotInfo& snapshot : session.snapshots())
    if (matches(filter, snapshot, session.domain_of(snapshot).name)) found.push_back(std::move(snapshot));
  if (latest > 0 && found.size() > latest)
    found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(latest));

  Output& output = invocation.output;
  const Time now = invocation.clock.now();
  const ExitCode code = session.found_damage() ? ExitCode::damaged : ExitCode::done;
  if (output.json()) {
    Json list = Json::array();
    for (const repository::SnapshotInfo& snapshot : found)
      list.push_back(as_json(snapshot, session.domain_of(snapshot).name, now));
    output.document(list);
    return code;
  }
  if (found.empty()) {
    if (!output.quiet()) output.warn(tr("no snapshots"));
    return code;
  }
  Table table({{std::string(tr("SNAPSHOT"))},
               {std::string(tr("TIME"))},
               {std::string(tr("HOST"))},
               {std::string(tr("DOMAIN"))},
               {std::string(tr("FILES")), Table::Align::right},
               {std::string(tr("SIZE")), Table::Align::right},
               {std::string(tr("PATHS, LABELS"))},
               {std::string(tr("KEPT"))}});
  for (const repository::SnapshotInfo& snapshot : found) {
    const repository::SnapshotHeader& header = snapshot.header;
    table.add({short_id(header.id.hex()), format_time(header.time), printable(header.host),
               printable(session.domain_of(snapshot).name), std::to_string(header.totals.files),
               size_text(header.totals.bytes), labels_and_paths(header), kept_text(snapshot, now)});
  }
  output.table(table);
  return code;
}

}  // namespace

Command snapshots_command() {
  return {
      .name = "snapshots",
      .summary = "List the snapshots",
      .description = "Lists the snapshots, oldest first. A write credential is enough.",
      .options = with_narrowing({{"latest", "N", "only the last N"}}),
      .examples =
          {
              {"qcbak snapshots --host db1 --latest 5", "the last five of one host"},
              {"qcbak snapshots --json", "for programs: an array of objects"},
          },
      .run = run,
  };
}

}  // namespace qcbak::cli
