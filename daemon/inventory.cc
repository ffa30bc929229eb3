#include "daemon/inventory.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "evidence/dossier.h"

namespace qcbak::daemon {
namespace {

using Json = nlohmann::json;

constexpr const char* kSchema = R"(
CREATE TABLE IF NOT EXISTS media (
  asset       TEXT PRIMARY KEY,
  facts       TEXT NOT NULL,
  state       TEXT NOT NULL,
  since_ns    INTEGER NOT NULL,
  dossier     TEXT NOT NULL,
  number      INTEGER NOT NULL,
  listed_from TEXT NOT NULL,
  job         TEXT NOT NULL,
  run_failed  INTEGER NOT NULL,
  destroy     INTEGER NOT NULL,
  reason      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS media_by_dossier ON media (dossier, number);
)";
constexpr std::string_view kSelect =
    "SELECT facts, state, since_ns, dossier, number, listed_from, job, run_failed, destroy, reason FROM media ";
constexpr std::array<std::string_view, 4> kLists = {"in-use", "broken", "awaiting-disposal", "disposed"};

Medium read(const Statement& row) {
  Medium medium;
  medium.facts = medium_facts_from(Json::parse(row.text(0)));
  medium.state = medium_state_from(row.text(1));
  medium.since = Time{row.integer(2)};
  medium.dossier = row.text(3);
  medium.number = static_cast<std::size_t>(row.integer(4));
  medium.listed_from = medium_state_from(row.text(5));
  medium.job = row.text(6);
  medium.run_failed = row.integer(7) != 0;
  medium.only_to_be_destroyed = row.integer(8) != 0;
  medium.reason = row.text(9);
  return medium;
}

std::vector<Medium> read_all(Statement rows) {
  std::vector<Medium> media;
  while (rows.step()) media.push_back(read(rows));
  return media;
}

void require_sound(const MediumFacts& facts) {
  if (!is_asset_number(facts.asset)) throw Error(ErrorCode::refused, "\"" + facts.asset + "\" is no asset number");
  if (!evidence::is_classification(facts.classification))
    throw Error(ErrorCode::refused,
                "medium " + facts.asset + ": there is no classification \"" + facts.classification + "\"");
}

}  // namespace

// None that could be taken for a device.
bool is_asset_number(std::string_view text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  return !text.empty() && text.size() <= kAssetLimit && std::none_of(text.begin(), text.end(), is_control) &&
         text.front() != ' ' && text.back() != ' ' && text.front() != '/';
}

std::string_view name_of(MediaList list) { return kLists[static_cast<std::size_t>(list)]; }

MediaList media_list_from(std::string_view name) {
  for (std::size_t i = 0; i < kLists.size(); ++i)
    if (kLists[i] == name) return static_cast<MediaList>(i);
  throw Error(ErrorCode::usage, "\"" + std::string(name) + "\" is no list of media")
      .with_hint("the lists are in-use, broken, awaiting-disposal and disposed");
}

MediaList list_of(const Medium& medium) {
  if (medium.state == MediumState::registered) return medium.facts.broken ? MediaList::broken : MediaList::in_use;
  const bool gone = medium.state == MediumState::released || medium.state == MediumState::destroyed;
  return gone ? MediaList::disposed : MediaList::awaiting_disposal;
}

Json json_of(const MediumFacts& facts) {
  return {{"asset", facts.asset},
          {"kind", facts.kind},
          {"make", facts.make},
          {"model", facts.model},
          {"serial", facts.serial},
          {"wwid", facts.wwid},
          {"firmware", facts.firmware},
          {"size_bytes", facts.size_bytes},
          {"logical_sector_bytes", facts.logical_sector_bytes},
          {"physical_block_bytes", facts.physical_block_bytes},
          {"machine", facts.machine},
          {"unit", facts.unit},
          {"classification", facts.classification},
          {"broken", facts.broken}};
}

MediumFacts medium_facts_from(const Json& json) {
  const auto text = [&](const char* name) { return json.at(name).get<std::string>(); };
  const auto number = [&](const char* name) { return json.at(name).get<std::uint64_t>(); };
  return {text("asset"),
          text("kind"),
          text("make"),
          text("model"),
          text("serial"),
          text("wwid"),
          text("firmware"),
          number("size_bytes"),
          number("logical_sector_bytes"),
          number("physical_block_bytes"),
          text("machine"),
          text("unit"),
          text("classification"),
          json.at("broken").get<bool>()};
}

Inventory::Inventory(Database& database) : database_(database) { database_.execute(kSchema); }

// What the media are once the act counts.
std::vector<Medium> Inventory::after(const Json& act, Time time) {
  const std::string kind = act.value("act", "");
  if (!kind.starts_with("medium.")) return {};
  const MediumAct what = medium_act_from(kind);
  const config::UserRole role = role_from(act.at("role").get<std::string>());
  std::vector<Medium> media;
  std::set<std::string> named;
  const auto step = [&](const std::string& asset, const std::optional<Medium>& before) {
    if (!named.insert(asset).second) throw Error(ErrorCode::refused, "medium " + asset + " is named twice");
    Medium medium = before.value_or(Medium{});
    medium.state = next_state(asset, medium.state, what, role, {});
    medium.since = time;
    medium.reason = act.value("reason", "");
    media.push_back(std::move(medium));
  };
  if (what != MediumAct::registered) {
    const std::string asset = act.at("asset").get<std::string>();
    step(asset, medium(asset));
    return media;
  }
  for (const Json& each : act.at("media")) {
    MediumFacts facts = medium_facts_from(each);
    require_sound(facts);
    step(facts.asset, medium(facts.asset));
    Medium known;  // nothing of an earlier life counts, once it is back in use
    known.state = media.back().state;
    known.since = time;
    known.facts = std::move(facts);
    media.back() = std::move(known);
  }
  return media;
}

void Inventory::apply(const Json& act, Time time) {
  for (const Medium& medium : after(act, time)) put(medium);
}

void Inventory::put(const Medium& medium) {
  database_
      .prepare(
          "INSERT OR REPLACE INTO media (asset, facts, state, since_ns, dossier, number, listed_from, job, run_failed, "
          "destroy, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(medium.facts.asset)
      .bind(json_of(medium.facts).dump())
      .bind(name_of(medium.state))
      .bind(medium.since.ns)
      .bind(medium.dossier)
      .bind(static_cast<std::int64_t>(medium.number))
      .bind(name_of(medium.listed_from))
      .bind(medium.job)
      .bind(std::int64_t{medium.run_failed})
      .bind(std::int64_t{medium.only_to_be_destroyed})
      .bind(medium.reason)
      .run();
}

std::optional<Medium> Inventory::medium(const std::string& asset) {
  Statement row = database_.prepare(std::string(kSelect) + "WHERE asset = ?");
  if (!row.bind(asset).step()) return std::nullopt;
  return read(row);
}

std::vector<Medium> Inventory::media() { return read_all(database_.prepare(std::string(kSelect) + "ORDER BY asset")); }

std::vector<Medium> Inventory::in_dossier(const std::string& dossier) {
  Statement rows = database_.prepare(std::string(kSelect) + "WHERE dossier = ? ORDER BY number");
  rows.bind(dossier);
  return read_all(std::move(rows));
}

}  // namespace qcbak::daemon
