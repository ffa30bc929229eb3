// People's keys, their accounts, the plans that were submitted, media and the dossiers of their wipes: what the repository's log says of them, at hand in the state database.
// Signatures are checked as entries are taken in, so that a forged one counts for nothing, now or after a loss of the
// database. docs/people.md "What the log has".
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/repository/repository.h"
#include "crypto/asymmetric.h"
#include "daemon/accounts.h"
#include "daemon/database.h"
#include "daemon/dossiers.h"
#include "daemon/inventory.h"
#include "daemon/person.h"

namespace qcbak::daemon {

enum class PlanState { waiting, in_force, rejected, replaced };
std::string_view name_of(PlanState state);

struct Plan {
  std::string id;  // 32 hexadecimal digits
  std::string document;
  std::string sha256;  // of the document
  std::string submitted_by, submitter_login;
  Time submitted;
  PlanState state = PlanState::waiting;
  std::string decided_by;
  Time decided;
  std::string reason;
  std::string statement, signature;  // of the decision; empty: it was not signed
};

class Register {
 public:
  // Error(damaged) when the tables cannot be used.
  explicit Register(Database& database);
  // Takes in what the log has since the last call.
  void catch_up(repository::Repository& repository);
  // What catch_up() would make of these acts about media, in their order, with nothing kept of it. Error(refused) when one of them
  // may not be.
  void rehearse(const std::vector<nlohmann::json>& acts, Time now, const std::string& repository);

  std::optional<Person> person(const std::string& name);
  std::vector<Person> people();                     // by name
  std::optional<Plan> plan(const std::string& id);  // or the first digits of it, 8 or more, where no other has them
  std::optional<Plan> in_force();
  std::optional<Plan> waiting();
  std::vector<Plan> plans(std::int64_t limit);  // newest first
  const LogPlace& log_end() const { return log_end_; }  // as catch_up() found it
  Accounts& accounts() { return accounts_; }
  Inventory& inventory() { return inventory_; }
  Dossiers& dossiers() { return dossiers_; }

 private:
  void apply(const nlohmann::json& act, const LogPlace& place, const std::string& repository);
  void apply_key(const nlohmann::json& act, Time time, const std::string& repository);
  void apply_lock(const nlohmann::json& act, bool locked);
  void apply_submission(const nlohmann::json& act, Time time);
  void apply_decision(const nlohmann::json& act, Time time, const std::string& repository);
  std::optional<Plan> newest(PlanState state);
  std::uint64_t entries_taken();
  Database& database_;
  Accounts accounts_;
  Inventory inventory_;
  Dossiers dossiers_;
  LogPlace log_end_;
};

}  // namespace qcbak::daemon
