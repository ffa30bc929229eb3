#include "daemon/audit.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "daemon/journal.h"
#include "daemon/message_log.h"
#include "daemon/own_jobs.h"

namespace qcbak::daemon {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kTextLimit = 2000;  // of what comes from elsewhere

std::string limited(const std::string& text) {
  return text.size() <= kTextLimit ? text : text.substr(0, kTextLimit) + "…";
}

Json who(const Caller& caller) { return as_in_log(caller); }

Json about(const Run& run) {
  Json json{{"job", run.job}, {"run", run.id}, {"reason", name_of(run.reason)}, {"try", run.tries}};
  if (run.slot) json["slot"] = format_time(*run.slot);
  if (!run.asked_by.empty()) json["asked_by"] = run.asked_by;
  return json;
}

}  // namespace

Json as_in_log(const Caller& caller) {
  Json json{{"user", caller.name}, {"uid", caller.uid}};
  if (!caller.login_name.empty()) json["login"] = caller.login_name;
  if (!caller.address.empty()) json["address"] = caller.address;
  return json;
}

AuditLog::AuditLog(const Vault& vault, const Clock& clock, Random& random)
    : vault_(vault), clock_(clock), random_(random) {}

// Keys in their order, no blanks: the canonical form.
void AuditLog::append(Json entry) {
  const std::string text = entry.dump(-1, ' ', false, Json::error_handler_t::replace);
  const std::uint64_t number = in_context("audit log", [&] {
    return repository::append_log(
        {*vault_.storage, *vault_.repository, own_domain(*vault_.repository), clock_, random_},
        [&]() -> repository::LogEvent { return repository::Audit{text}; });
  });
  say_act(number, entry.value("act", ""), text);
}

void AuditLog::daemon_started(const std::string& configuration_sha256) {
  append({{"act", "daemon.started"},
          {"configuration_sha256", configuration_sha256},
          {"version", QCBAK_VERSION},
          {"clock_synchronised", clock_is_synchronised()}});
}

void AuditLog::daemon_stops() { append({{"act", "daemon.stops"}}); }

void AuditLog::configuration_read(const std::string& configuration_sha256) {
  append({{"act", "configuration.read"}, {"configuration_sha256", configuration_sha256}});
}

void AuditLog::configuration_refused(const std::string& why) {
  append({{"act", "configuration.refused"}, {"why", limited(why)}});
}

void AuditLog::clock_jumped(const ClockJump& jump) {
  append({{"act", "clock.jumped"}, {"expected", format_time(jump.expected)}, {"found", format_time(jump.found)}});
}

void AuditLog::run_begins(const Run& run) {
  Json entry = about(run);
  entry["act"] = "run.begins";
  entry["clock_synchronised"] = clock_is_synchronised();
  append(std::move(entry));
}

void AuditLog::run_ended(const Run& run) {
  Json entry = about(run);
  entry["act"] = "run.ended";
  entry["outcome"] = name_of(*run.outcome);
  if (!run.snapshot.empty()) entry["snapshot"] = run.snapshot;
  if (!run.error.empty()) entry["error"] = limited(run.error);
  if (!run.summary.empty()) entry["journal"] = for_the_log(run.summary);
  entry["clock_synchronised"] = clock_is_synchronised();
  append(std::move(entry));
}

void AuditLog::request_taken(const std::string& what, const Caller& caller) {
  append({{"act", "request.taken"}, {"request", limited(what)}, {"by", who(caller)}});
}

namespace {

void add(Json& entry, const std::optional<SignedStatement>& statement) {
  if (!statement) return;
  entry["statement"] = statement->text;
  entry["signature"] = statement->signature.hex();
}

}  // namespace

void AuditLog::person_key(const Person& person, const std::optional<crypto::SignPublic>& replaced,
                          const std::optional<SignedStatement>& statement, const Caller& caller) {
  Json entry{{"act", "person.key"}, {"person", person.name}, {"key", person.key->hex()}, {"by", who(caller)}};
  if (replaced) entry["replaces"] = replaced->hex();
  add(entry, statement);
  append(std::move(entry));
}

void AuditLog::person_locked(const std::string& person, bool locked, const Caller& caller) {
  append({{"act", locked ? "person.locked" : "person.unlocked"}, {"person", person}, {"by", who(caller)}});
}

void AuditLog::account_password(const std::string& person, const std::string& secret, bool temporary,
                                const Caller& caller) {
  append({{"act", "account.password"}, {"person", person}, {"secret", secret}, {"temporary", temporary}, {"by", who(caller)}});
}

void AuditLog::account_otp(const std::string& person, const std::string& secret, std::uint64_t step, const Caller& caller) {
  append({{"act", "account.otp"}, {"person", person}, {"secret", secret}, {"otp_step", step}, {"by", who(caller)}});
}

void AuditLog::account_locked(const std::string& person, const std::string& from) {
  append({{"act", "account.locked"}, {"person", person}, {"from", from}});
}

void AuditLog::account_suspended(const std::string& person) { append({{"act", "account.suspended"}, {"person", person}}); }

void AuditLog::session_began(const Session& session, std::optional<std::uint64_t> otp_step) {
  Json roles = Json::array();
  for (const config::UserRole role : session.roles) roles.push_back(config::name_of(role));
  Json entry{{"act", "session.began"}, {"person", session.name}, {"session", session.number}, {"from", session.from}, {"roles", roles}};
  if (otp_step) entry["otp_step"] = *otp_step;
  append(std::move(entry));
}

void AuditLog::session_ended(const Session& session, const std::string& why) {
  append({{"act", "session.ended"}, {"person", session.name}, {"session", session.number}, {"why", why}});
}

void AuditLog::session_refused(const std::string& person, const std::string& from, const std::string& why) {
  append({{"act", "session.refused"}, {"person", person}, {"from", from}, {"why", why}});
}

void AuditLog::rights_reviewed(const Json& people, const std::string& note, const Caller& caller) {
  append({{"act", "rights.reviewed"}, {"people", people}, {"note", note}, {"by", who(caller)}});
}

void AuditLog::plan_submitted(const Plan& plan, const Caller& caller) {
  append({{"act", "plan.submitted"},
          {"plan", plan.id},
          {"document", plan.document},
          {"sha256", plan.sha256},
          {"by", who(caller)}});
}

void AuditLog::plan_decided(const Plan& plan, bool approved, const std::string& reason,
                            const std::optional<SignedStatement>& statement, const Caller& caller) {
  Json entry{{"act", approved ? "plan.approved" : "plan.rejected"},
             {"plan", plan.id},
             {"sha256", plan.sha256},
             {"reason", reason},
             {"by", who(caller)}};
  add(entry, statement);
  append(std::move(entry));
}

void AuditLog::about_media(Json act) { append(std::move(act)); }

void AuditLog::request_refused(const std::string& what, const Caller& caller, const std::string& why) {
  constexpr std::int64_t kMinute_ns = 60'000'000'000;
  constexpr std::size_t kUsersRemembered = 10'000;
  if (refusals_.size() > kUsersRemembered) refusals_.clear();
  Refusals& refusals = refusals_[caller.name];
  const std::int64_t now = clock_.monotonic_ns();
  if (refusals.written == 0 || now - refusals.minute_began_ns >= kMinute_ns) {
    refusals.minute_began_ns = now;
    refusals.written = 0;
  }
  if (refusals.written >= kRefusalsWritten) {
    ++refusals.left_out;
    return;
  }
  Json entry{{"act", "request.refused"}, {"request", limited(what)}, {"by", who(caller)}, {"why", limited(why)}};
  if (refusals.left_out > 0) entry["others_left_out"] = std::exchange(refusals.left_out, 0);
  append(std::move(entry));
  ++refusals.written;
}

}  // namespace qcbak::daemon
