#include "daemon/register.h"

#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "crypto/hash.h"
#include "daemon/message_log.h"
#include "daemon/signed_statement.h"

namespace qcbak::daemon {
namespace {

using Json = nlohmann::json;

constexpr const char* kSchema = R"(
CREATE TABLE IF NOT EXISTS people (
  name     TEXT PRIMARY KEY,
  key      TEXT NOT NULL DEFAULT '',
  since_ns INTEGER NOT NULL DEFAULT 0,
  added_by TEXT NOT NULL DEFAULT '',
  locked   INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS plans (
  id              TEXT PRIMARY KEY,
  document        TEXT NOT NULL,
  sha256          TEXT NOT NULL,
  submitted_by    TEXT NOT NULL,
  submitter_login TEXT NOT NULL,
  submitted_ns    INTEGER NOT NULL,
  state           TEXT NOT NULL,
  decided_by      TEXT NOT NULL DEFAULT '',
  decided_ns      INTEGER NOT NULL DEFAULT 0,
  reason          TEXT NOT NULL DEFAULT '',
  statement       TEXT NOT NULL DEFAULT '',
  signature       TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE IF NOT EXISTS register_log (taken INTEGER NOT NULL) STRICT;
)";

constexpr std::string_view kPlanColumns =
    "id, document, sha256, submitted_by, submitter_login, submitted_ns, state, decided_by, decided_ns, reason, "
    "statement, "
    "signature";
constexpr std::array<std::string_view, 4> kStates = {"waiting", "in force", "rejected", "replaced"};

PlanState state_from(std::string_view name) {
  for (std::size_t i = 0; i < kStates.size(); ++i)
    if (kStates[i] == name) return static_cast<PlanState>(i);
  throw Error(ErrorCode::damaged, "\"" + std::string(name) + "\" is no state of a plan");
}

std::string text(const Json& json, const char* name) { return json.at(name).get<std::string>(); }
std::string text_if_any(const Json& json, const char* name) { return json.contains(name) ? text(json, name) : ""; }

template <class Id>
Id id_from(const std::string& hex) {
  const Bytes bytes = from_hex(hex);
  if (bytes.size() != Id::kSize) throw Error(ErrorCode::damaged, "an id has the wrong length");
  return Id(bytes);
}

Person read_person(const Statement& row) {
  Person person;
  person.name = row.text(0);
  if (const std::string key = row.text(1); !key.empty()) person.key = id_from<crypto::SignPublic>(key);
  person.since = Time{row.integer(2)};
  person.added_by = row.text(3);
  person.locked = row.integer(4) != 0;
  return person;
}

Plan read_plan(const Statement& row) {
  return {row.text(0),
          row.text(1),
          row.text(2),
          row.text(3),
          row.text(4),
          Time{row.integer(5)},
          state_from(row.text(6)),
          row.text(7),
          Time{row.integer(8)},
          row.text(9),
          row.text(10),
          row.text(11)};
}

std::string select_plans(std::string_view rest) {
  return "SELECT " + std::string(kPlanColumns) + " FROM plans " + std::string(rest);
}

SignedStatement signed_statement_in(const Json& act) {
  return {text(act, "statement"), id_from<crypto::Signature>(text(act, "signature"))};
}

}  // namespace

std::string_view name_of(PlanState state) { return kStates[static_cast<std::size_t>(state)]; }

Register::Register(Database& database)
    : database_(database),
      accounts_(database),
      inventory_(database),
      dossiers_(database, inventory_, [this](const std::string& name) { return person(name); }) {
  database_.transaction([&] {
    database_.execute(kSchema);
    if (!database_.prepare("SELECT taken FROM register_log").step())
      database_.execute("INSERT INTO register_log VALUES (0)");
  });
}

std::uint64_t Register::entries_taken() {
  Statement row = database_.prepare("SELECT taken FROM register_log");
  check(row.step(), "the table has its row");
  return static_cast<std::uint64_t>(row.integer(0));
}

void Register::catch_up(repository::Repository& repository) {
  repository.refresh_log();
  const std::string config = repository.config_hash().hex();
  log_end_ = {repository.log().head.number, repository.log().head.hash.hex(), Time{}};
  const std::uint64_t taken = entries_taken();
  if (taken >= repository.log().head.number) return;
  database_.transaction([&] {
    repository.for_each_log_entry(
        taken + 1, repository.log().head.number, [&](const repository::LogEntry& entry, const crypto::Sha256& hash) {
          const auto* audit = std::get_if<repository::Audit>(&entry.event);
          if (audit == nullptr) return;
          const Json act = Json::parse(audit->json, nullptr, false);
          try {
            if (act.is_object()) apply(act, {entry.number, hash.hex(), entry.time}, config);
          } catch (const Json::exception&) {
            say(Level::warning,
                "log entry " + std::to_string(entry.number) + " counts for nothing: it lacks something");
          } catch (const Error& error) {
            if (error.code() == ErrorCode::io || error.code() == ErrorCode::no_space) throw;
            say(Level::warning, "log entry " + std::to_string(entry.number) + " counts for nothing: " + error.what());
          }
        });
    database_.prepare("UPDATE register_log SET taken = ?")
        .bind(static_cast<std::int64_t>(repository.log().head.number))
        .run();
  });
}

void Register::rehearse(const std::vector<Json>& acts, Time now, const std::string& repository) {
  struct NothingIsKept {};
  LogPlace place{log_end_.number, "", now};
  try {
    database_.transaction([&] {
      for (const Json& act : acts) {
        ++place.number;
        inventory_.apply(act, now);
        dossiers_.apply(act, place, repository);
      }
      throw NothingIsKept();
    });
  } catch (const NothingIsKept&) {
    // As it was meant.
  } catch (const Json::exception&) {
    throw Error(ErrorCode::usage, "the request lacks something");
  }
}

void Register::apply(const Json& act, const LogPlace& place, const std::string& repository) {
  const Time time = place.time;
  const std::string kind = act.value("act", "");
  if (kind == "person.key")
    apply_key(act, time, repository);
  else if (kind == "person.locked" || kind == "person.unlocked")
    apply_lock(act, kind == "person.locked");
  else if (kind == "plan.submitted")
    apply_submission(act, time);
  else if (kind == "plan.approved" || kind == "plan.rejected")
    apply_decision(act, time, repository);
  accounts_.apply(act, time);
  inventory_.apply(act, time);
  dossiers_.apply(act, place, repository);
}

void Register::apply_key(const Json& act, Time time, const std::string& repository) {
  const std::string name = text(act, "person");
  const auto key = id_from<crypto::SignPublic>(text(act, "key"));
  const std::string by = text(act.at("by"), "user");
  const std::optional<Person> before = person(name);
  // Somebody's own new key has to be signed by the one before; an administrator's word is in the log as that.
  if (by == name && before && before->key)
    require_signed(signed_statement_in(act), *before->key,
                   {"person.key", name, key.hex(), "", repository, crypto::sha256(key.view()).hex(), ""});
  database_
      .prepare(
          "INSERT INTO people (name, key, since_ns, added_by) VALUES (?1, ?2, ?3, ?4) "
          "ON CONFLICT (name) DO UPDATE SET key = ?2, since_ns = ?3, added_by = ?4")
      .bind(name)
      .bind(key.hex())
      .bind(time.ns)
      .bind(by)
      .run();
}

void Register::apply_lock(const Json& act, bool locked) {
  database_.prepare("INSERT INTO people (name, locked) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET locked = ?2")
      .bind(text(act, "person"))
      .bind(std::int64_t{locked})
      .run();
}

void Register::apply_submission(const Json& act, Time time) {
  const std::string document = text(act, "document");
  const std::string sha256 = crypto::sha256(as_bytes(document)).hex();
  if (sha256 != text(act, "sha256")) throw Error(ErrorCode::damaged, "the plan is not the one that was submitted");
  database_.execute("UPDATE plans SET state = 'replaced' WHERE state = 'waiting'");
  const Json& by = act.at("by");
  database_
      .prepare(
          "INSERT INTO plans (id, document, sha256, submitted_by, submitter_login, submitted_ns, state) "
          "VALUES (?, ?, ?, ?, ?, ?, 'waiting')")
      .bind(text(act, "plan"))
      .bind(document)
      .bind(sha256)
      .bind(text(by, "user"))
      .bind(text_if_any(by, "login"))
      .bind(time.ns)
      .run();
}

void Register::apply_decision(const Json& act, Time time, const std::string& repository) {
  const std::string id = text(act, "plan");
  const std::optional<Plan> decided = plan(id);
  if (!decided || decided->id != id || decided->state != PlanState::waiting || decided->sha256 != text(act, "sha256"))
    throw Error(ErrorCode::refused, "there is no such plan to decide about");
  const bool approved = text(act, "act") == "plan.approved";
  const std::string by = text(act.at("by"), "user");
  const std::string reason = text_if_any(act, "reason");
  const std::optional<Person> who = person(by);
  if (approved && by == decided->submitted_by) throw Error(ErrorCode::refused, by + " submitted it");
  if (who && who->key)
    require_signed(signed_statement_in(act), *who->key,
                   {approved ? "plan.approve" : "plan.reject", by, id, reason, repository, decided->sha256, ""});
  if (approved) database_.execute("UPDATE plans SET state = 'replaced' WHERE state = 'in force'");
  database_
      .prepare(
          "UPDATE plans SET state = ?, decided_by = ?, decided_ns = ?, reason = ?, statement = ?, signature = ? WHERE "
          "id = ?")
      .bind(name_of(approved ? PlanState::in_force : PlanState::rejected))
      .bind(by)
      .bind(time.ns)
      .bind(reason)
      .bind(text_if_any(act, "statement"))
      .bind(text_if_any(act, "signature"))
      .bind(id)
      .run();
}

std::optional<Person> Register::person(const std::string& name) {
  Statement row = database_.prepare("SELECT name, key, since_ns, added_by, locked FROM people WHERE name = ?");
  if (!row.bind(name).step()) return std::nullopt;
  return read_person(row);
}

std::vector<Person> Register::people() {
  Statement rows = database_.prepare("SELECT name, key, since_ns, added_by, locked FROM people ORDER BY name");
  std::vector<Person> people;
  while (rows.step()) people.push_back(read_person(rows));
  return people;
}

std::optional<Plan> Register::plan(const std::string& id) {
  constexpr std::size_t kDigitsLeast = 8;
  if (id.size() < kDigitsLeast) return std::nullopt;
  Statement rows = database_.prepare(select_plans("WHERE substr(id, 1, ?) = ? LIMIT 2"));
  if (!rows.bind(static_cast<std::int64_t>(id.size())).bind(id).step()) return std::nullopt;
  Plan found = read_plan(rows);
  if (rows.step()) return std::nullopt;
  return found;
}

std::optional<Plan> Register::newest(PlanState state) {
  Statement row = database_.prepare(select_plans("WHERE state = ? ORDER BY rowid DESC LIMIT 1"));
  if (!row.bind(name_of(state)).step()) return std::nullopt;
  return read_plan(row);
}

std::optional<Plan> Register::in_force() { return newest(PlanState::in_force); }
std::optional<Plan> Register::waiting() { return newest(PlanState::waiting); }

std::vector<Plan> Register::plans(std::int64_t limit) {
  Statement rows = database_.prepare(select_plans("ORDER BY rowid DESC LIMIT ?"));
  rows.bind(limit);
  std::vector<Plan> plans;
  while (rows.step()) plans.push_back(read_plan(rows));
  return plans;
}

}  // namespace qcbak::daemon
