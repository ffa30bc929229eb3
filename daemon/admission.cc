#include "daemon/admission.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "crypto/hash.h"
#include "crypto/one_time_code.h"
#include "daemon/api.h"
#include "daemon/message_log.h"
#include "daemon/password_rules.h"
#include "daemon/replies.h"
#include "daemon/request_body.h"

namespace qcbak::daemon {
namespace {

using config::UserRole;
using Json = nlohmann::json;
using SecretNumber = FixedId<struct AccountSecretTag, 16>;

constexpr std::int64_t kPendingLimit_ns = 10 * 60'000'000'000;
constexpr std::size_t kPendingsLimit = 100;
constexpr std::size_t kNameLimit = 64;
constexpr const char* kNobody = "(nobody)";
constexpr const char* kSessionTarget = "/v1/session";

// Of a password that nobody knows: so a name that nobody has takes as long to refuse as a wrong password.
constexpr const char* kNobodysHash =
    "$argon2id$v=19$m=65536,t=4,p=1$UGVCMElubkd1K0RKTzVjWQ$Eoklwb8FeIlKSqfG/i7uHmfvDVzK8GhPQ4VPZfq9Ovc";

[[nodiscard]] Error refused_log_in() {
  Error error(ErrorCode::refused, "the log-in failed: name, password or code is wrong, or the account is not open");
  error.with_hint("five failures lock an account, 30 days without use suspend it; an administrator sees why: qcbak user list");
  return error;
}

// Takes it out of the body, so that no copy of it is left there.
crypto::SecretBytes take_secret(Json& body, const char* name) {
  if (!body.contains(name)) return {};
  auto& text = body[name].get_ref<std::string&>();
  crypto::SecretBytes secret{as_bytes(text)};
  crypto::wipe({reinterpret_cast<std::byte*>(text.data()), text.size()});
  body.erase(name);
  return secret;
}

Json body_with_secrets(Request& request) {
  Json body = body_of(request);
  crypto::wipe({reinterpret_cast<std::byte*>(request.body.data()), request.body.size()});
  return body;
}

Json names_of(const std::set<UserRole>& roles) {
  Json names = Json::array();
  for (const UserRole role : roles) names.push_back(config::name_of(role));
  return names;
}

// What a session may do while something has to be done first.
bool may_come_first(const Request& request, const std::string& name) {
  return request.method == "POST" &&
         (request.target == "/v1/people/" + name + "/password" || request.target == "/v1/people/" + name + "/otp");
}

}  // namespace

Admission::Admission(boost::asio::io_context& loop, Daemon daemon)
    : daemon_(std::move(daemon)), sessions_(daemon_.clock, daemon_.random), work_(loop) {
  daemon_.people.accounts().forget_unused_secrets();
}

// Nothing in `body`: the reply comes later.
void Admission::reply_or_refuse(const std::string& what, const Caller& caller, const Server::Respond& respond,
                                const std::function<std::optional<Json>()>& body) {
  try {
    if (const auto json = body()) respond(json_reply(*json));
  } catch (const Error& error) {
    respond(error_reply(error, daemon_.audit, what, caller));
  } catch (const std::exception& error) {
    respond(failed_reply(what, error));
  }
}

// ---- Requests over the network.

std::optional<Caller> Admission::admit(Request& request, const std::string& from, const Server::Respond& respond) {
  if (request.method == "POST" && request.target == kSessionTarget) {
    log_in(request, from, respond);
    return std::nullopt;
  }
  const Session* used = sessions_.use(request.token);
  if (used == nullptr) {
    respond(not_logged_in());
    return std::nullopt;
  }
  const Session session = *used;
  Caller caller;
  try {
    caller = remote_caller(session.name, from, daemon_.config.roles);
  } catch (const Error& error) {
    say(Level::warning, error.what());
  }
  if (caller.roles != session.roles) {
    end(session, "the person's roles changed");
    respond(not_logged_in());
    return std::nullopt;
  }
  if (request.target.starts_with(kSessionTarget)) {
    reply_or_refuse(what_was_asked(request), caller, respond,
                    [&]() -> std::optional<Json> { return session_reply(request, session, from); });
    return std::nullopt;
  }
  const std::vector<std::string> first = must_first(session);
  if (!first.empty() && !may_come_first(request, session.name)) {
    const bool password = first.front() == "password";
    respond(error_reply(Error(ErrorCode::refused, password ? "a new password has to be chosen first"
                                                           : "an administrator needs a second factor first")
                            .with_hint(password ? "qcbak user password" : "qcbak user enrol-otp")));
    return std::nullopt;
  }
  return caller;
}

Json Admission::session_reply(const Request& request, const Session& session, const std::string& from) {
  if (request.method == "POST" && request.target == std::string(kSessionTarget) + "/end") {
    end(session, "logged out");
    return {{"name", session.name}};
  }
  if (request.method != "GET" || request.target != kSessionTarget) throw Error(ErrorCode::usage, "there is no such request");
  return {{"name", session.name},
          {"roles", names_of(session.roles)},
          {"must", must_first(session)},
          {"from", from},
          {"began", format_time(session.began)},
          {"ends", format_time(sessions_.ends(session))}};
}

// What has to be done before anything else.
std::vector<std::string> Admission::must_first(const Session& session) {
  const auto account = daemon_.people.accounts().account(session.name);
  std::vector<std::string> first;
  if (!account || account->password_is_due(daemon_.clock.now())) first.emplace_back("password");
  if (session.is_administrators() && (!account || !account->second_factor)) first.emplace_back("otp");
  return first;
}

// ---- Log-ins.

void Admission::log_in(Request& request, const std::string& from, const Server::Respond& respond) {
  try {
    Json body = body_with_secrets(request);
    PasswordWork::Order order;
    order.password = take_secret(body, "password");
    const LogIn log_in{body.value("name", ""), body.value("code", ""), from, body.value("take_over", "") == "yes"};
    if (log_in.name.empty() || log_in.name.size() > kNameLimit) throw Error(ErrorCode::usage, "a log-in wants a name");
    const auto account = daemon_.people.accounts().account(log_in.name);
    order.hash = account && !account->password_hash.empty() ? account->password_hash : kNobodysHash;
    work_.start(from, std::move(order), [this, log_in, respond](const PasswordWork::Result& result) {
      try {
        respond(json_reply(finish_log_in(log_in, result)));
      } catch (const Error& error) {
        respond(error_reply(error));
      } catch (const std::exception& error) {
        respond(failed_reply("a log-in", error));
      }
    });
  } catch (const Error& error) {
    respond(error_reply(error));
  }
}

std::optional<Admission::Refusal> Admission::why_not_usable(const std::optional<Account>& account, const std::string& from) {
  if (!account) return Refusal{"nobody has an account of that name"};
  if (account->locked || lock_if_due(account->name, from)) return Refusal{"the account is locked"};
  if (account->suspended || suspend_if_due(*account)) return Refusal{"the account is suspended"};
  if (const auto person = daemon_.people.person(account->name); person && person->locked) return Refusal{"the person is locked"};
  if (!user_id(account->name) || remote_caller(account->name, from, daemon_.config.roles).roles.empty())
    return Refusal{"the user has no role"};
  return std::nullopt;
}

std::optional<Admission::Refusal> Admission::refusal_of(const LogIn& log_in, bool password_is_right,
                                                        std::optional<std::uint64_t>& otp_step) {
  const auto account = daemon_.people.accounts().account(log_in.name);
  if (const auto refusal = why_not_usable(account, log_in.from)) return refusal;
  if (account->password_hash.empty()) return Refusal{"the account's password is lost"};
  if (account->second_factor && account->otp_secret.empty()) return Refusal{"the account's second factor is lost"};
  if (!password_is_right) return Refusal{"the password is wrong", true};
  if (!account->second_factor) return std::nullopt;
  otp_step = crypto::step_of_code(log_in.code, account->otp_secret, daemon_.clock.now(), account->otp_step);
  if (!otp_step) return Refusal{"the code is wrong, or was used before", true};
  return std::nullopt;
}

// Why is for the log; who tried is told only that it failed.
void Admission::write_down(const LogIn& log_in, const Refusal& refusal) {
  say(Level::warning, "a log-in from " + log_in.from + " was refused: " + refusal.why);
  if (refusal.counts) return count_failure(log_in.name, log_in.from, refusal.why);
  Caller caller;
  caller.name = daemon_.people.accounts().account(log_in.name) ? log_in.name : kNobody;
  caller.address = log_in.from;
  daemon_.audit.request_refused("log-in", caller, refusal.why);
}

Json Admission::finish_log_in(const LogIn& log_in, const PasswordWork::Result& result) {
  if (!result.error.empty()) throw Error(ErrorCode::failed, result.error);
  std::optional<std::uint64_t> otp_step;
  if (const auto refusal = refusal_of(log_in, result.is_right, otp_step)) {
    write_down(log_in, *refusal);
    throw refused_log_in();
  }
  const Session session =
      sessions_.prepare(log_in.name, log_in.from, remote_caller(log_in.name, log_in.from, daemon_.config.roles).roles);
  make_room_for(session, log_in.take_over);
  daemon_.audit.session_began(session, otp_step);
  daemon_.register_changed();
  say(Level::info, "user " + session.name + " logged in from " + session.from);
  return {{"token", sessions_.begin(session)},
          {"name", session.name},
          {"roles", names_of(session.roles)},
          {"must", must_first(session)}};
}

// One administrator at a time, whoever they are; few sessions of one person, and not too many of all.
void Admission::make_room_for(const Session& session, bool take_over) {
  const Session* other = session.is_administrators() ? sessions_.of_an_administrator() : nullptr;
  if (other != nullptr && other->name != session.name && !take_over)
    throw Error(ErrorCode::busy, "administrator " + other->name + " has been logged in since " +
                                     format_time(other->began) + ", from " + other->from)
        .with_hint("wait, or end that session: qcbak login --take-over");
  if (other != nullptr) end(Session(*other), "taken over by " + session.name + " from " + session.from);
  const std::vector<Session> own = sessions_.of(session.name);
  if (own.size() >= kSessionsOfOneLimit) end(own.front(), "the same person logged in again");
  if (sessions_.count() >= kSessionsLimit) throw Error(ErrorCode::busy, "too many people are logged in");
}

void Admission::count_failure(const std::string& name, const std::string& from, const std::string& why) {
  daemon_.audit.session_refused(name, from, why);
  daemon_.register_changed();
  lock_if_due(name, from);
}

// Also looked at before a password is checked: the daemon may have ended between the last failure and the lock.
bool Admission::lock_if_due(const std::string& name, const std::string& from) {
  const auto account = daemon_.people.accounts().account(name);
  if (!account || account->locked || account->failures_lately(daemon_.clock.now()) < kFailuresLimit) return false;
  daemon_.audit.account_locked(name, from);
  daemon_.register_changed();
  say(Level::warning, "the account of user " + name + " is locked: five log-ins failed within 30 minutes, the last one from " + from);
  return true;
}

// ---- Sessions.

void Admission::end(const Session& session, const std::string& why) {
  sessions_.end(session.number);
  try {
    daemon_.audit.session_ended(session, why);
    daemon_.register_changed();
  } catch (const Error& error) {
    say(Level::error, error.what());
  }
}

void Admission::end_sessions(const std::string& name, const std::string& why) {
  for (const Session& session : sessions_.of(name)) end(session, why);
}

void Admission::look() {
  for (const Session& session : sessions_.expired())
    end(session, sessions_.is_idle(session) ? "15 minutes without a request" : "12 hours are over");
  for (const Account& account : daemon_.people.accounts().accounts()) suspend_if_due(account);
}

bool Admission::suspend_if_due(const Account& account) {
  if (account.suspended || !account.is_unused(daemon_.clock.now())) return false;
  daemon_.audit.account_suspended(account.name);
  daemon_.register_changed();
  say(Level::warning, "the account of user " + account.name + " is suspended: it was not used for 30 days");
  return true;
}

// ---- Passwords.

void Admission::require_may_change(const Change& change, const std::optional<Account>& account) {
  const bool has_one = account && !account->password_hash.empty();
  if (!change.own || !has_one) {
    require(change.caller, {UserRole::administrator}, daemon_.config.approval.combined_roles);
    if (!user_id(change.name)) throw Error(ErrorCode::not_found, "this machine has no user \"" + change.name + "\"");
  } else if (account->locked || lock_if_due(change.name, change.caller.address)) {
    throw Error(ErrorCode::refused, "the account of user " + change.name + " is locked")
        .with_hint("an administrator unlocks: qcbak user unlock " + change.name);
  }
}

void Admission::change_password(const std::string& name, Request& request, const Caller& caller,
                                const Server::Respond& respond) {
  const std::string what = what_was_asked(request);
  reply_or_refuse(what, caller, respond, [&]() -> std::optional<Json> {
    require_admitted(daemon_.people, caller);
    Json body = body_with_secrets(request);
    PasswordWork::Order order;
    order.password = take_secret(body, "password");
    order.next = take_secret(body, "new");
    Change change{name, caller, name == caller.name, false};
    const auto account = daemon_.people.accounts().account(name);
    require_may_change(change, account);
    require_good_password(as_text(order.next->view()), name);
    const bool has_one = account && !account->password_hash.empty();
    if (has_one) order.hash = account->password_hash;
    change.compared = change.own && has_one;
    order.must_be_right = change.compared;
    work_.start(caller.address, std::move(order), [this, what, change, respond](const PasswordWork::Result& result) {
      reply_or_refuse(what, change.caller, respond, [&]() -> std::optional<Json> { return finish_change(change, result); });
    });
    return std::nullopt;
  });
}

Json Admission::finish_change(const Change& change, const PasswordWork::Result& result) {
  if (!result.error.empty()) throw Error(ErrorCode::failed, result.error);
  if (change.compared && !result.is_right) {
    count_failure(change.name, change.caller.address, "the present password is wrong");
    if (daemon_.people.accounts().account(change.name)->locked) end_sessions(change.name, "the account was locked");
    throw Error(ErrorCode::refused, "the present password is wrong");
  }
  if (result.next_is_the_same) throw Error(ErrorCode::usage, "this password will not do: it is the one before");
  const std::string number = daemon_.random.id<SecretNumber>().hex();
  daemon_.people.accounts().keep_secret(number, result.next_hash);
  daemon_.audit.account_password(change.name, number, !change.own, change.caller);
  daemon_.register_changed();
  daemon_.people.accounts().forget_unused_secrets();
  end_sessions(change.name, "the password changed");
  return {{"name", change.name}, {"temporary", !change.own}};
}

// ---- Second factors.

Admission::Proposal Admission::propose_second_factor(const Caller& caller) {
  const auto account = daemon_.people.accounts().account(caller.name);
  if (!account)
    throw Error(ErrorCode::not_found, "user " + caller.name + " has no account for the network")
        .with_hint("an administrator makes one: qcbak user password " + caller.name);
  if (pending_.size() >= kPendingsLimit) pending_.clear();
  const std::string secret = crypto::new_one_time_secret(daemon_.random);
  pending_[caller.name] = {secret, daemon_.clock.monotonic_ns()};
  return {secret, "otpauth://totp/qcbak:" + caller.name + "?secret=" + secret + "&issuer=qcbak", account->second_factor};
}

void Admission::confirm_second_factor(const Caller& caller, const std::string& code, const std::string& present_code) {
  const Time now = daemon_.clock.now();
  const auto account = daemon_.people.accounts().account(caller.name);
  const auto pending = pending_.find(caller.name);
  if (!account || pending == pending_.end() || daemon_.clock.monotonic_ns() - pending->second.since_ns > kPendingLimit_ns)
    throw Error(ErrorCode::refused, "no second factor was proposed within the last ten minutes").with_hint("qcbak user enrol-otp");
  if (account->second_factor) {
    if (account->locked || account->otp_secret.empty())
      throw Error(ErrorCode::refused, "the second factor that is in force cannot be used")
          .with_hint("an administrator removes it: qcbak user enrol-otp --remove " + caller.name);
    if (present_code.empty()) throw Error(ErrorCode::usage, "a code of the present second factor is wanted too").with_hint("give it: --present-code CODE");
    if (!crypto::step_of_code(present_code, account->otp_secret, now, account->otp_step)) {
      count_failure(caller.name, caller.address, "the code of the present second factor is wrong");
      throw Error(ErrorCode::refused, "the code of the present second factor is wrong");
    }
  }
  const auto step = crypto::step_of_code(code, pending->second.secret, now, 0);
  if (!step) throw Error(ErrorCode::refused, "the code is wrong").with_hint("compare the clocks of this machine and of the app's");
  const std::string number = daemon_.random.id<SecretNumber>().hex();
  daemon_.people.accounts().keep_secret(number, pending->second.secret);
  daemon_.audit.account_otp(caller.name, number, *step, caller);
  pending_.erase(pending);
  daemon_.register_changed();
  daemon_.people.accounts().forget_unused_secrets();
}

void Admission::remove_second_factor(const std::string& name, const Caller& caller) {
  require(caller, {UserRole::administrator}, daemon_.config.approval.combined_roles);
  if (name == caller.name) throw Error(ErrorCode::refused, "nobody removes their own second factor");
  if (!daemon_.people.accounts().account(name))
    throw Error(ErrorCode::not_found, "user " + name + " has no account for the network");
  daemon_.audit.account_otp(name, "", 0, caller);
  daemon_.register_changed();
  daemon_.people.accounts().forget_unused_secrets();
  end_sessions(name, "the second factor was removed");
}

}  // namespace qcbak::daemon
