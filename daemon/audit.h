// The daemon's acts of weight, as audit entries of the repository's log: what is going to be done is durable before it is
// done, what came of it afterwards. docs/daemon.md "What is written down".
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "backup/repository/writer.h"
#include "daemon/caller.h"
#include "daemon/clock_watch.h"
#include "daemon/register.h"
#include "daemon/sessions.h"
#include "daemon/signed_statement.h"
#include "daemon/state.h"
#include "daemon/vault.h"

namespace qcbak::daemon {

// As `by` of an act.
nlohmann::json as_in_log(const Caller& caller);

class AuditLog {
 public:
  // Entries are signed and sealed for the domain "system", or, where there is none, for the first.
  AuditLog(const Vault& vault, const Clock& clock, Random& random);

  // Each durable when it returns; under systemd it is in the journal too. Error when it cannot be written: then what it announces must not be done.
  void daemon_started(const std::string& configuration_sha256);
  void daemon_stops();
  void configuration_read(const std::string& configuration_sha256);
  void configuration_refused(const std::string& why);
  void clock_jumped(const ClockJump& jump);
  void run_begins(const Run& run);
  void run_ended(const Run& run);
  void request_taken(const std::string& what, const Caller& caller);
  void request_refused(const std::string& what, const Caller& caller, const std::string& why);
  // The acts that the Register takes in. docs/people.md "What the log has".
  void person_key(const Person& person, const std::optional<crypto::SignPublic>& replaced,
                  const std::optional<SignedStatement>& statement, const Caller& caller);
  void person_locked(const std::string& person, bool locked, const Caller& caller);
  void account_password(const std::string& person, const std::string& secret, bool temporary, const Caller& caller);
  // `step`: the one that the first code was of. An empty `secret`: it has no second factor any longer.
  void account_otp(const std::string& person, const std::string& secret, std::uint64_t step, const Caller& caller);
  void account_locked(const std::string& person, const std::string& from);
  void account_suspended(const std::string& person);
  void session_began(const Session& session, std::optional<std::uint64_t> otp_step);
  void session_ended(const Session& session, const std::string& why);
  void session_refused(const std::string& person, const std::string& from, const std::string& why);
  void rights_reviewed(const nlohmann::json& people, const std::string& note, const Caller& caller);
  void plan_submitted(const Plan& plan, const Caller& caller);
  void plan_decided(const Plan& plan, bool approved, const std::string& reason,
                    const std::optional<SignedStatement>& statement, const Caller& caller);
  void about_media(nlohmann::json act);  // docs/media.md "What an act says"

 private:
  void append(nlohmann::json entry);
  // Whoever is refused can ask again at once: no more than so many entries a minute for one user.
  static constexpr std::uint64_t kRefusalsWritten = 20;
  struct Refusals {
    std::int64_t minute_began_ns = 0;
    std::uint64_t written = 0;
    std::uint64_t left_out = 0;
  };
  std::map<std::string, Refusals> refusals_;  // by user
  const Vault& vault_;
  const Clock& clock_;
  Random& random_;
};

}  // namespace qcbak::daemon
