// The inventory of media: what is known of each, and how far its life has come. What the repository's log says of them, at hand in
// the state database. docs/media.md.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "daemon/database.h"
#include "daemon/media_life.h"

namespace qcbak::daemon {

inline constexpr std::size_t kAssetLimit = 64;  // bytes
bool is_asset_number(std::string_view text);

// As somebody read it from the label, or the disk itself says.
struct MediumFacts {
  std::string asset;
  std::string kind, make, model, serial, wwid, firmware;
  std::uint64_t size_bytes = 0;  // 0: not known
  std::uint64_t logical_sector_bytes = 0;
  std::uint64_t physical_block_bytes = 0;
  std::string machine, unit;
  std::string classification = "not-stated";
  bool broken = false;
  friend bool operator==(const MediumFacts&, const MediumFacts&) = default;
};

struct Medium {
  MediumFacts facts;
  MediumState state = MediumState::none;
  Time since;              // of the state
  std::string dossier;     // that it is in, or was last; empty: none
  std::size_t number = 0;  // in the dossier, from 1 on
  MediumState listed_from = MediumState::none;
  std::string job;          // that has begun on it
  bool run_failed = false;  // the last one of this dossier
  bool only_to_be_destroyed = false;
  std::string reason;  // of the last step, where somebody gave one
};

// P2: each medium is on exactly one of these.
enum class MediaList { in_use, broken, awaiting_disposal, disposed };
std::string_view name_of(MediaList list);
MediaList media_list_from(std::string_view name);  // Error(usage)
MediaList list_of(const Medium& medium);

nlohmann::json json_of(const MediumFacts& facts);
MediumFacts medium_facts_from(const nlohmann::json& json);  // Error(damaged), or Json::exception

class Inventory {
 public:
  explicit Inventory(Database& database);

  // Takes in an act of the log of kind "medium.…"; does nothing with others. In a transaction of the caller's. Error(refused) when it
  // may not be: then nothing is changed.
  void apply(const nlohmann::json& act, Time time);

  std::optional<Medium> medium(const std::string& asset);
  std::vector<Medium> media();                                 // by asset number
  std::vector<Medium> in_dossier(const std::string& dossier);  // by their number
  void put(const Medium& medium);

 private:
  std::vector<Medium> after(const nlohmann::json& act, Time time);
  Database& database_;
};

}  // namespace qcbak::daemon
