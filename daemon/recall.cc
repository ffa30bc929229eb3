#include "daemon/recall.h"

#include <map>
#include <nlohmann/json.hpp>

namespace qcbak::daemon {
namespace {

using Json = nlohmann::json;

std::string label(const repository::SnapshotInfo& snapshot, const std::string& key) {
  for (const auto& [name, value] : snapshot.header.labels)
    if (name == key) return value;
  return "";
}

// The slot or start counts as handled: nothing before it is made up for.
void set_handled(State& state, const std::string& job, Time until) {
  if (const auto handled = state.handled(job); !handled || *handled < until) state.set_handled(job, until);
}

Run run_from(const Json& act, Time started, Time ended) {
  Run run;
  run.id = act.at("run").get<std::string>();
  run.job = act.at("job").get<std::string>();
  run.reason = reason_from(act.at("reason").get<std::string>());
  run.tries = act.at("try").get<std::int64_t>();
  if (act.contains("slot")) run.slot = parse_time(act.at("slot").get<std::string>());
  run.asked_by = act.value("asked_by", "");
  run.started = started;
  run.ended = ended;
  run.outcome = outcome_from(act.at("outcome").get<std::string>());
  run.snapshot = act.value("snapshot", "");
  run.error = act.value("error", "");
  if (act.contains("journal") && act["journal"].is_object()) run.summary = act["journal"].dump();
  return run;
}

}  // namespace

std::uint64_t recall_from_log(State& state, const repository::Repository& repository) {
  std::map<std::string, Time> begun;
  std::uint64_t recalled = 0;
  repository.for_each_log_entry([&](const repository::LogEntry& entry, const crypto::Sha256&) {
    const auto* audit = std::get_if<repository::Audit>(&entry.event);
    if (audit == nullptr) return;
    const Json act = Json::parse(audit->json, nullptr, false);
    if (!act.is_object()) return;
    try {
      const std::string kind = act.value("act", "");
      if (kind == "run.begins") begun[act.at("run").get<std::string>()] = entry.time;
      if (kind != "run.ended") return;
      const auto began = begun.find(act.at("run").get<std::string>());
      const Run run = run_from(act, began == begun.end() ? entry.time : began->second, entry.time);
      if (began != begun.end()) begun.erase(began);
      state.recall(run);
      set_handled(state, run.job, run.slot ? std::max(*run.slot, run.started) : run.started);
      ++recalled;
    } catch (const Json::exception&) {
      // Not written by a daemon of this kind: nothing to recall.
    } catch (const Error& error) {
      if (error.code() != ErrorCode::damaged) throw;
    }
  });
  return recalled;
}

SnapshotsByRun snapshots_by_run(const repository::Repository& repository) {
  SnapshotsByRun by_run;
  for (repository::SnapshotInfo& snapshot : repository.snapshots(nullptr))
    if (const std::string run = label(snapshot, "run"); !run.empty() && !label(snapshot, "job").empty())
      by_run.insert_or_assign(run, std::move(snapshot));
  return by_run;
}

void end_by_snapshot(Run& run, const repository::SnapshotInfo& snapshot) {
  const repository::SnapshotHeader& header = snapshot.header;
  run.ended = header.end;
  run.outcome = header.findings > 0 ? Outcome::incomplete : Outcome::complete;
  run.snapshot = header.id.hex();
}

void recall_from_snapshots(State& state, const SnapshotsByRun& snapshots) {
  for (const auto& [id, snapshot] : snapshots) {
    Run run;
    run.id = id;
    run.job = label(snapshot, "job");
    run.reason = Reason::request;
    run.asked_by = "(from the repository)";
    run.started = snapshot.header.time;
    end_by_snapshot(run, snapshot);
    state.recall(run);
    set_handled(state, run.job, run.started);
  }
}

}  // namespace qcbak::daemon
