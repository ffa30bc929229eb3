#include "daemon/accounts.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace qcbak::daemon {
namespace {

using Json = nlohmann::json;

constexpr const char* kSchema = R"(
CREATE TABLE IF NOT EXISTS accounts (
  name        TEXT PRIMARY KEY,
  created_ns  INTEGER NOT NULL,
  password    TEXT NOT NULL DEFAULT '',
  password_ns INTEGER NOT NULL DEFAULT 0,
  temporary   INTEGER NOT NULL DEFAULT 0,
  otp         TEXT NOT NULL DEFAULT '',
  otp_step    INTEGER NOT NULL DEFAULT 0,
  used_ns     INTEGER NOT NULL,
  locked_ns   INTEGER,
  locked_from TEXT NOT NULL DEFAULT '',
  suspended   INTEGER NOT NULL DEFAULT 0,
  failures    TEXT NOT NULL DEFAULT '[]'
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS account_secrets (number TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rights_reviews (time_ns INTEGER NOT NULL, reviewed_by TEXT NOT NULL, note TEXT NOT NULL) STRICT;
)";

constexpr const char* kSelect =
    "SELECT name, coalesce((SELECT value FROM account_secrets WHERE number = password), ''), password_ns, temporary, otp <> '', "
    "coalesce((SELECT value FROM account_secrets WHERE number = otp), ''), otp_step, used_ns, locked_ns, locked_from, "
    "suspended, failures FROM accounts ";

std::string text(const Json& json, const char* name) { return json.at(name).get<std::string>(); }

std::vector<Time> times_in(const std::string& json) {
  std::vector<Time> times;
  for (const Json& ns : Json::parse(json)) times.push_back(Time{ns.get<std::int64_t>()});
  return times;
}

std::string text_of(const std::vector<Time>& times) {
  Json json = Json::array();
  for (const Time time : times) json.push_back(time.ns);
  return json.dump();
}

Account read_account(const Statement& row) {
  Account account;
  account.name = row.text(0);
  account.password_hash = row.text(1);
  account.password_since = Time{row.integer(2)};
  account.temporary = row.integer(3) != 0;
  account.second_factor = row.integer(4) != 0;
  account.otp_secret = row.text(5);
  account.otp_step = static_cast<std::uint64_t>(row.integer(6));
  account.last_used = Time{row.integer(7)};
  account.locked = !row.is_null(8);
  account.locked_since = Time{row.maybe_integer(8).value_or(0)};
  account.locked_from = row.text(9);
  account.suspended = row.integer(10) != 0;
  account.failures = times_in(row.text(11));
  return account;
}

}  // namespace

// One that lies ahead, because the clock was set back since, counts too.
std::size_t Account::failures_lately(Time now) const {
  return static_cast<std::size_t>(std::count_if(
      failures.begin(), failures.end(), [&](Time failure) { return now.ns - failure.ns < kFailureSpan_ns; }));
}

Accounts::Accounts(Database& database) : database_(database) { database_.execute(kSchema); }

void Accounts::apply(const Json& act, Time time) {
  const std::string kind = act.value("act", "");
  if (kind == "account.password") apply_password(act, time);
  else if (kind == "account.otp") apply_otp(act);
  else if (kind == "account.locked") apply_lock(act, time);
  else if (kind == "account.suspended")
    database_.prepare("UPDATE accounts SET suspended = 1 WHERE name = ?").bind(text(act, "person")).run();
  else if (kind == "person.unlocked") apply_unlock(act, time);
  else if (kind == "session.began") apply_session(act, time);
  else if (kind == "session.refused") apply_failure(act, time);
  else if (kind == "rights.reviewed") apply_review(act, time);
}

void Accounts::apply_password(const Json& act, Time time) {
  database_
      .prepare(
          "INSERT INTO accounts (name, created_ns, used_ns, password, password_ns, temporary) VALUES (?1, ?2, ?2, ?3, ?2, ?4) "
          "ON CONFLICT (name) DO UPDATE SET used_ns = ?2, password = ?3, password_ns = ?2, temporary = ?4")
      .bind(text(act, "person"))
      .bind(time.ns)
      .bind(text(act, "secret"))
      .bind(std::int64_t{act.at("temporary").get<bool>()})
      .run();
}

void Accounts::apply_otp(const Json& act) {
  database_.prepare("UPDATE accounts SET otp = ?, otp_step = ? WHERE name = ?")
      .bind(text(act, "secret"))
      .bind(act.value("otp_step", std::int64_t{0}))
      .bind(text(act, "person"))
      .run();
}

void Accounts::apply_lock(const Json& act, Time time) {
  database_.prepare("UPDATE accounts SET locked_ns = ?, locked_from = ? WHERE name = ?")
      .bind(time.ns)
      .bind(text(act, "from"))
      .bind(text(act, "person"))
      .run();
}

void Accounts::apply_unlock(const Json& act, Time time) {
  database_
      .prepare("UPDATE accounts SET locked_ns = NULL, suspended = 0, failures = '[]', used_ns = ? WHERE name = ?")
      .bind(time.ns)
      .bind(text(act, "person"))
      .run();
}

void Accounts::apply_session(const Json& act, Time time) {
  database_.prepare("UPDATE accounts SET used_ns = ?, otp_step = max(otp_step, ?), failures = '[]' WHERE name = ?")
      .bind(time.ns)
      .bind(act.value("otp_step", std::int64_t{0}))
      .bind(text(act, "person"))
      .run();
}

void Accounts::apply_failure(const Json& act, Time time) {
  const auto failed = account(text(act, "person"));
  if (!failed) return;
  std::vector<Time> failures = failed->failures;
  failures.push_back(time);
  if (failures.size() > kFailuresLimit) failures.erase(failures.begin());
  database_.prepare("UPDATE accounts SET failures = ? WHERE name = ?").bind(text_of(failures)).bind(failed->name).run();
}

void Accounts::apply_review(const Json& act, Time time) {
  database_.prepare("INSERT INTO rights_reviews VALUES (?, ?, ?)")
      .bind(time.ns)
      .bind(text(act.at("by"), "user"))
      .bind(act.value("note", ""))
      .run();
}

void Accounts::keep_secret(const std::string& number, const std::string& value) {
  database_.prepare("INSERT INTO account_secrets VALUES (?, ?)").bind(number).bind(value).run();
}

void Accounts::forget_unused_secrets() {
  database_.execute(
      "DELETE FROM account_secrets WHERE number NOT IN (SELECT password FROM accounts) AND number NOT IN (SELECT otp FROM accounts)");
}

std::optional<Account> Accounts::account(const std::string& name) {
  Statement row = database_.prepare(std::string(kSelect) + "WHERE name = ?");
  if (!row.bind(name).step()) return std::nullopt;
  return read_account(row);
}

std::vector<Account> Accounts::accounts() {
  Statement rows = database_.prepare(std::string(kSelect) + "ORDER BY name");
  std::vector<Account> accounts;
  while (rows.step()) accounts.push_back(read_account(rows));
  return accounts;
}

std::optional<RightsReview> Accounts::last_review() {
  Statement row = database_.prepare("SELECT time_ns, reviewed_by, note FROM rights_reviews ORDER BY time_ns DESC LIMIT 1");
  if (!row.step()) return std::nullopt;
  return RightsReview{Time{row.integer(0)}, row.text(1), row.text(2)};
}

std::optional<Time> Accounts::review_due() {
  Statement row = database_.prepare("SELECT min(created_ns) FROM accounts");
  if (!row.step() || row.is_null(0)) return std::nullopt;
  const Time first{row.integer(0)};
  const auto last = last_review();
  return Time{(last && last->time > first ? last->time : first).ns + kReviewInterval_ns};
}

}  // namespace qcbak::daemon
