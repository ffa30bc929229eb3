#include "daemon/journal.h"

#include <nlohmann/json.hpp>

namespace qcbak::daemon {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kFindingsTold = 1000;
constexpr double kNsInSecond = 1e9;

Json json_of(const std::vector<source::PathState>& states) {
  Json json = Json::array();
  for (const source::PathState& state : states) {
    Json path{{"path", state.path}};
    if (!state.problem.empty()) {
      path["problem"] = state.problem;
    } else {
      path.update({{"kind", state.kind},
                   {"file_system", state.file_system},
                   {"bytes_total", state.bytes_total},
                   {"bytes_free", state.bytes_free},
                   {"inodes_total", state.inodes_total},
                   {"inodes_free", state.inodes_free}});
    }
    json.push_back(std::move(path));
  }
  return json;
}

Json json_of(const std::optional<Reconciliation>& reconciliation) {
  if (!reconciliation) return nullptr;
  return {{"files", reconciliation->files},
          {"as_stored", reconciliation->as_stored},
          {"read_again", reconciliation->read_again},
          {"bytes_differing", reconciliation->bytes_differing},
          {"gone", reconciliation->gone},
          {"agrees", reconciliation->agrees()}};
}

Json findings(const BackupResult& result) {
  Json errors = Json::array();
  for (const repository::Finding& finding : result.findings) {
    if (errors.size() == kFindingsTold) break;
    errors.push_back({{"path", finding.path}, {"what", finding.what}});
  }
  return errors;
}

}  // namespace

Reconciliation reconcile(const BackupResult& backed_up, const BackupResult& looked_through) {
  Reconciliation found;
  found.files = backed_up.files_new + backed_up.files_changed + backed_up.files_unmodified;
  found.as_stored = looked_through.files_unmodified;
  found.read_again = looked_through.files_new + looked_through.files_changed;
  found.bytes_differing = looked_through.bytes_added;
  const std::uint64_t there = found.as_stored + found.read_again;
  found.gone = found.files > there ? found.files - there : 0;
  return found;
}

Json json_of(const JournalEntry& entry) {
  const BackupResult& result = entry.result;
  return {{"source_before", json_of(entry.before)},
          {"source_after", json_of(entry.after)},
          {"files_new", result.files_new},
          {"files_changed", result.files_changed},
          {"files_unmodified", result.files_unmodified},
          {"directories", result.directories},
          {"bytes_read", result.bytes_read},
          {"bytes_added", result.bytes_added},
          {"bytes_stored", result.bytes_stored},
          {"duration_s", static_cast<double>(result.duration_ns) / kNsInSecond},
          {"findings", result.findings.size()},
          {"state", result.state.hex()},
          {"snapshot_sha256", entry.snapshot_sha256.empty() ? Json(nullptr) : Json(entry.snapshot_sha256)},
          {"copies", entry.copies},
          {"reconciled", json_of(entry.reconciliation)},
          {"locked", entry.kept.locked},
          {"forgotten", entry.kept.forgotten},
          {"errors", findings(result)}};
}

Json for_the_log(const std::string& summary) {
  Json json = Json::parse(summary, nullptr, false);
  if (!json.is_object()) return nullptr;
  json.erase("errors");
  return json;
}

}  // namespace qcbak::daemon
