// The dossiers of wipes that the daemon keeps, and what they make of media: what the repository's log says of them, at hand in the
// state database. docs/media.md.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "daemon/database.h"
#include "daemon/inventory.h"
#include "daemon/person.h"
#include "evidence/dossier.h"

namespace qcbak::daemon {

struct LogPlace {
  std::uint64_t number = 0;
  std::string hash;
  Time time;
};

// Who had a hand in it.
struct Hand {
  MediumAct act = MediumAct::requested;
  std::string name, login;  // the second: who logged in, before su or sudo; empty: not known
};

struct KeptDossier {
  std::string id;        // 32 hexadecimal digits
  std::string document;  // as evidence::encode() gives it
  Time requested, expires;
  bool rejected = false;
  std::string reason;  // of the rejection
  std::vector<Hand> hands;
  std::uint64_t first_entry = 0, last_entry = 0;  // of the log, about it
  std::string certified_log;  // JSON: the range of the log that its certificate names; empty: not certified
};

class Dossiers {
 public:
  using People = std::function<std::optional<Person>(const std::string& name)>;
  Dossiers(Database& database, Inventory& inventory, People people);

  // Takes in an act of the log of kind "wipe.…"; does nothing with others. In a transaction of the caller's. Error(refused) when it
  // may not be. `repository`: SHA-256 of its config.
  void apply(const nlohmann::json& act, const LogPlace& place, const std::string& repository);

  std::optional<KeptDossier> dossier(
      const std::string& id);  // or the first digits of it, 8 or more, where no other has them
  std::vector<KeptDossier> dossiers(std::int64_t limit);  // newest first

 private:
  struct Judged {
    KeptDossier dossier;
    std::vector<Medium> media;
  };
  class Judge;
  std::optional<Judged> after(const nlohmann::json& act, const std::string& repository, Time time);
  void put(const KeptDossier& dossier);
  Database& database_;
  Inventory& inventory_;
  People people_;
};

// The act that a growth is, by the member that it adds. Error(usage): it adds none, or several.
MediumAct act_of_growth(const nlohmann::json& growth);
// The medium, by its index, that a run or destruction in it is about. Error(usage): it says none.
std::size_t medium_of_growth(const nlohmann::json& growth);
// Who signed the member that it added to the dossier.
const evidence::Signed& signed_by(const evidence::Dossier& dossier, const nlohmann::json& growth);

}  // namespace qcbak::daemon
