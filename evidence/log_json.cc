#include "evidence/log_json.h"

#include <fmt/format.h>

#include <chrono>

#include "base/error.h"

namespace qcbak::evidence {
namespace {

using namespace repository;

struct Details {
  SealedDetails sealed;
  TimeText time_text;

  Json with_reason(Json json, const std::string& reason) const {
    if (sealed == SealedDetails::opened) json["reason"] = reason;
    return json;
  }
  Json operator()(const KeyEvent& event) const {
    return with_reason({{"added", event.added.size()}, {"removed", event.removed.size()}}, event.reason);
  }
  Json operator()(const Commit& event) const { return {{"snapshot", event.snapshot.hex()}}; }
  Json operator()(const Tombstone& event) const {
    Json snapshots = Json::array();
    for (const SnapshotId& id : event.snapshots) snapshots.push_back(id.hex());
    return with_reason({{"snapshots", std::move(snapshots)}}, event.reason);
  }
  Json operator()(const Relabel& event) const {
    Json json = {{"snapshot", event.snapshot.hex()}};
    if (sealed == SealedDetails::sealed) return json;
    Json& labels = json["labels"] = Json::object();
    for (const auto& [key, value] : event.labels) labels[key] = value;
    return json;
  }
  Json operator()(const Hold& event) const { return with_reason({{"snapshot", event.snapshot.hex()}}, event.reason); }
  Json operator()(const Release& event) const {
    return with_reason({{"snapshot", event.snapshot.hex()}}, event.reason);
  }
  Json operator()(const RetentionLock& event) const {
    return {{"snapshot", event.snapshot.hex()}, {"until", time_text(event.until)}};
  }
  Json operator()(const Condemnation& event) const { return {{"packs", event.packs.size()}}; }
  Json operator()(const Collection& event) const { return {{"packs", event.packs.size()}}; }
  Json operator()(const Checkpoint& event) const {
    return {{"entry", event.head.number}, {"hash", event.head.hash.hex()}};
  }
  Json operator()(const Audit& event) const {
    if (sealed == SealedDetails::sealed) return Json::object();
    Json json = parse_object(event.json);
    return json.is_null() ? Json{{"text", event.json}} : json;
  }
};

}  // namespace

std::string line_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json parse_object(std::string_view text) {
  bool too_deep = false;
  // What a callback refuses is left out, so nothing deeper than the limit is ever made.
  Json json = Json::parse(
      text,
      [&](int depth, Json::parse_event_t, Json&) {
        too_deep = too_deep || depth > kJsonDepthLimit;
        return depth <= kJsonDepthLimit;
      },
      false);
  return too_deep || !json.is_object() ? Json(nullptr) : json;
}

std::string utc_text(Time time) {
  using namespace std::chrono;
  const sys_time<nanoseconds> at{nanoseconds(time.ns)};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss<nanoseconds> clock(at - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

Json details_json(const LogEntry& entry, SealedDetails sealed, TimeText time_text) {
  return std::visit(Details{sealed, time_text}, entry.event);
}

}  // namespace qcbak::evidence
