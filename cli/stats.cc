// qcbak stats
#include <map>

#include "cli/messages.h"
#include "cli/output.h"
#include "cli/session.h"

namespace qcbak::cli {
namespace {

struct Objects {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
};

struct DomainStats {
  std::string name;
  std::uint64_t snapshots = 0;
  std::uint64_t files = 0;  // in all snapshots
  std::uint64_t bytes = 0;  // in all snapshots
  std::uint64_t chunks = 0;
  std::uint64_t chunk_bytes = 0;  // before compression
  std::uint64_t packs = 0;
  std::uint64_t pack_bytes = 0;
  // How many times larger all snapshots are than what is stored for them.
  double ratio() const { return pack_bytes == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(pack_bytes); }
};

std::map<std::string, Objects> count_objects(const storage::ReadStorage& storage) {
  std::map<std::string, Objects> kinds;
  for (const storage::ObjectInfo& object : storage.list("")) {
    Objects& kind = kinds[object.name.substr(0, object.name.find('/'))];
    ++kind.count;
    kind.bytes += object.size_bytes;
  }
  return kinds;
}

DomainStats stats_of(Session& session, const repository::DomainKeys& domain,
                     const std::vector<repository::SnapshotInfo>& snapshots) {
  DomainStats stats;
  stats.name = domain.name;
  for (const repository::SnapshotInfo& snapshot : snapshots) {
    if (snapshot.state.domain != domain.id) continue;
    ++stats.snapshots;
    stats.files += snapshot.header.totals.files;
    stats.bytes += snapshot.header.totals.bytes;
  }
  const repository::Index& index = session.repository().index(domain);
  for (const repository::IndexSegment& segment : index.segments()) {
    stats.chunks += segment.entry_count();
    for (std::size_t i = 0; i < segment.entry_count(); ++i) stats.chunk_bytes += segment.entry(i).length;
  }
  for (const repository::IndexedPack& pack : index.packs()) {
    ++stats.packs;
    stats.pack_bytes += pack.length;
  }
  return stats;
}

ExitCode run(const Invocation& invocation) {
  Session session(invocation, Session::Keys::any);
  const std::map<std::string, Objects> kinds = count_objects(session.storage());
  const std::vector<repository::SnapshotInfo> snapshots = session.snapshots();
  std::vector<DomainStats> domains;
  for (const repository::DomainKeys& domain : session.repository().domains())
    domains.push_back(stats_of(session, domain, snapshots));
  Objects all;
  for (const auto& [name, kind] : kinds) {
    all.count += kind.count;
    all.bytes += kind.bytes;
  }
  Output& output = invocation.output;
  const ExitCode code = session.found_damage() ? ExitCode::damaged : ExitCode::done;
  if (output.json()) {
    Json objects = Json::object();
    for (const auto& [name, kind] : kinds) objects[name] = {{"count", kind.count}, {"bytes", kind.bytes}};
    Json list = Json::array();
    for (const DomainStats& domain : domains)
      list.push_back({{"name", domain.name},
                      {"snapshots", domain.snapshots},
                      {"files", domain.files},
                      {"bytes", domain.bytes},
                      {"chunks", domain.chunks},
                      {"chunk_bytes", domain.chunk_bytes},
                      {"packs", domain.packs},
                      {"pack_bytes", domain.pack_bytes},
                      {"ratio", domain.ratio()}});
    const auto free = session.storage().free_bytes();
    output.document({{"id", session.repository().config().id.hex()},
                     {"location", session.storage().description()},
                     {"cipher", crypto::suite_name(session.repository().config().suite)},
                     {"created", format_time(session.repository().config().created)},
                     {"objects", std::move(objects)},
                     {"bytes_stored", all.bytes},
                     {"bytes_free", free ? Json(*free) : Json(nullptr)},
                     {"log_entries", session.repository().log().head.number},
                     {"snapshots", snapshots.size()},
                     {"domains", std::move(list)}});
    return code;
  }
  Table objects({{std::string(tr("OBJECTS"))},
                 {std::string(tr("COUNT")), Table::Align::right},
                 {std::string(tr("SIZE")), Table::Align::right}});
  for (const auto& [name, kind] : kinds) objects.add({name, std::to_string(kind.count), size_text(kind.bytes)});
  objects.add({std::string(tr("all")), std::to_string(all.count), size_text(all.bytes)});
  output.table(objects);
  output.line("");
  Table table({{std::string(tr("DOMAIN"))},
               {std::string(tr("SNAPSHOTS")), Table::Align::right},
               {std::string(tr("THEIR SIZE")), Table::Align::right},
               {std::string(tr("CONTENT")), Table::Align::right},
               {std::string(tr("STORED")), Table::Align::right},
               {std::string(tr("RATIO")), Table::Align::right}});
  for (const DomainStats& domain : domains)
    table.add({printable(domain.name), std::to_string(domain.snapshots), size_text(domain.bytes),
               size_text(domain.chunk_bytes), size_text(domain.pack_bytes), fmt::format("{:.1f}", domain.ratio())});
  output.table(table);
  return code;
}

}  // namespace

Command stats_command() {
  return {
      .name = "stats",
      .summary = "Count what the repository holds",
      .description =
          "Counts objects and bytes, and for each domain: how large all its snapshots are, how much different content "
          "that is, and what is stored for "
          "it. A write credential is enough.",
      .examples = {{"qcbak stats", "a small table"}, {"qcbak stats --json", "for monitoring"}},
      .run = run,
  };
}

}  // namespace qcbak::cli
