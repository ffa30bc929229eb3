// Accounts for the network: what the repository's log says of them, at hand in the state database; and in the database alone,
// what is secret of them. docs/people.md "Accounts for the network", "What the log has".
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "daemon/database.h"

namespace qcbak::daemon {

inline constexpr std::size_t kFailuresLimit = 5;  // within kFailureSpan_ns an account is locked
inline constexpr std::int64_t kFailureSpan_ns = 30 * 60'000'000'000;
inline constexpr std::int64_t kDay_ns = 86'400'000'000'000;
inline constexpr std::int64_t kPasswordAge_ns = 60 * kDay_ns;
inline constexpr std::int64_t kUnusedLimit_ns = 30 * kDay_ns;
inline constexpr std::int64_t kReviewInterval_ns = 90 * kDay_ns;

struct Account {
  std::string name;
  std::string password_hash;  // empty: it is lost
  Time password_since;
  bool temporary = false;  // to be changed on first use
  bool second_factor = false;
  std::string otp_secret;      // base32; empty though it has a second factor: it is lost
  std::uint64_t otp_step = 0;  // the last one that a code was taken of
  Time last_used;              // for a log-in; or a password was given, or it was unlocked
  bool locked = false;
  Time locked_since;
  std::string locked_from;  // where the last log-in that failed came from
  bool suspended = false;
  std::vector<Time> failures;  // the newest ones, oldest first

  std::size_t failures_lately(Time now) const;
  bool password_is_due(Time now) const { return temporary || now.ns - password_since.ns > kPasswordAge_ns; }
  bool is_unused(Time now) const { return now.ns - last_used.ns > kUnusedLimit_ns; }
};

struct RightsReview {
  Time time;
  std::string by, note;
};

class Accounts {
 public:
  explicit Accounts(Database& database);
  // Takes in an act of the log, or does nothing with one that is about something else. In a transaction of the caller's.
  // Error(damaged), or Json::exception, for one that is not as it should be.
  void apply(const nlohmann::json& act, Time time);

  // What an act is going to name by `number`: kept before the act is written, so that no account ever lacks it.
  void keep_secret(const std::string& number, const std::string& value);
  void forget_unused_secrets();

  std::optional<Account> account(const std::string& name);
  std::vector<Account> accounts();  // by name
  std::optional<RightsReview> last_review();
  std::optional<Time> review_due();  // nothing: there are no accounts

 private:
  void apply_password(const nlohmann::json& act, Time time);
  void apply_otp(const nlohmann::json& act);
  void apply_failure(const nlohmann::json& act, Time time);
  void apply_lock(const nlohmann::json& act, Time time);
  void apply_unlock(const nlohmann::json& act, Time time);
  void apply_session(const nlohmann::json& act, Time time);
  void apply_review(const nlohmann::json& act, Time time);
  Database& database_;
};

}  // namespace qcbak::daemon
