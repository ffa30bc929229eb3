#include "daemon/admission.h"

#include <gmock/gmock.h>
#include <liboath/oath.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "tests/backup/workshop.h"
#include "tests/support/seeded_random.h"

namespace qcbak::daemon {
namespace {

using config::UserRole;
using Json = nlohmann::json;
using testing::HasSubstr;
using tests::Access;

constexpr std::int64_t kSecond_ns = 1'000'000'000;
constexpr std::int64_t kMinute_ns = 60 * kSecond_ns;

// As apps compute it, with the library's other end.
std::string code_at(const std::string& secret, Time now) {
  char* key = nullptr;
  std::size_t size = 0;
  EXPECT_EQ(oath_base32_decode(secret.data(), secret.size(), &key, &size), OATH_OK);
  char code[7] = {};
  EXPECT_EQ(oath_totp_generate(key, size, now.ns / kSecond_ns, 30, 0, 6, code), OATH_OK);
  std::free(key);
  return code;
}

// Users that every Debian has: "root" administers, as does "man"; "daemon" operates, "games" audits.
class AdmissionTest : public testing::Test {
 protected:
  AdmissionTest() {
    vault_.storage = shop_.open_storage();
    vault_.repository = shop_.open(*vault_.storage, Access::write_only);
    config_.roles = {{UserRole::administrator, {"root", "man"}}, {UserRole::operating, {"daemon"}}, {UserRole::auditor, {"games"}}};
    start();
  }
  // As a daemon that was started again, with what it remembers.
  void start() {
    admission_.reset();
    people_ = std::make_unique<Register>(*database_);
    people_->catch_up(*vault_.repository);
    admission_ = std::make_unique<Admission>(
        loop_, Admission::Daemon{config_, audit_, *people_, clock_, random_, [this] { people_->catch_up(*vault_.repository); }});
  }
  // What a request is answered with; nothing: it was let through, and `caller` is who sent it.
  std::optional<Reply> ask(const std::string& method, const std::string& target, const Json& body, const std::string& token = "",
                           const std::string& from = "10.0.0.7") {
    std::optional<Reply> reply;
    Request request{method, target, body.is_null() ? "" : body.dump(), token};
    caller_ = admission_->admit(request, from, [&](Reply given) { reply = std::move(given); });
    if (!reply && !caller_) wait_for(reply);
    return reply;
  }
  void wait_for(const std::optional<Reply>& reply) {
    while (!reply) {
      loop_.restart();
      loop_.run_for(std::chrono::milliseconds(20));
    }
  }
  Json log_in(const std::string& name, const std::string& password, const std::string& code = "", bool take_over = false,
              const std::string& from = "10.0.0.7") {
    const auto reply = ask("POST", "/v1/session",
                           {{"name", name}, {"password", password}, {"code", code}, {"take_over", take_over ? "yes" : "no"}}, "", from);
    status_ = reply->status;
    return Json::parse(reply->body);
  }
  std::string token_of(const std::string& name, const std::string& password, const std::string& code = "", bool take_over = false) {
    const Json reply = log_in(name, password, code, take_over);
    EXPECT_EQ(status_, 200) << reply;
    return reply.value("token", "");
  }
  Json change(const std::string& by, const std::string& name, const std::string& next, const std::string& present = "") {
    std::optional<Reply> reply;
    Request request{"POST", "/v1/people/" + name + "/password", Json{{"password", present}, {"new", next}}.dump(), ""};
    admission_->change_password(name, request, remote_caller(by, "", config_.roles), [&](Reply given) { reply = std::move(given); });
    wait_for(reply);
    status_ = reply->status;
    return Json::parse(reply->body);
  }
  // With a password of their own, as after the first log-in.
  void open_account(const std::string& name, const std::string& password = kPassword) {
    change("root", name, name == "root" ? password : kFirst);
    if (name != "root") change(name, name, password, kFirst);
    ASSERT_EQ(status_, 200);
  }
  std::string enrol(const std::string& name) {
    const Caller caller = remote_caller(name, "", config_.roles);
    const std::string secret = admission_->propose_second_factor(caller).secret;
    admission_->confirm_second_factor(caller, code_at(secret, clock_.now()), "");
    clock_.advance(30 * kSecond_ns);  // the next code is another one
    return secret;
  }
  void unlock(const std::string& name) {
    audit_.person_locked(name, false, remote_caller("root", "", config_.roles));
    people_->catch_up(*vault_.repository);
  }
  Account account(const std::string& name) { return people_->accounts().account(name).value(); }
  std::vector<std::string> acts(const std::string& kind) {
    std::vector<std::string> found;
    vault_.repository->refresh_log();
    vault_.repository->for_each_log_entry([&](const repository::LogEntry& entry, const crypto::Sha256&) {
      if (const auto* audit = std::get_if<repository::Audit>(&entry.event); audit != nullptr && Json::parse(audit->json)["act"] == kind)
        found.push_back(audit->json);
    });
    return found;
  }

  static constexpr const char* kFirst = "First-pass-w0rd";
  static constexpr const char* kPassword = "Another-w0rd!";
  const tests::Workshop shop_;
  tests::ManualClock clock_{Time{1'900'000'000 * kSecond_ns}};  // later than whatever the log has
  tests::SeededRandom random_{11};
  config::Config config_;
  Vault vault_;
  AuditLog audit_{vault_, clock_, random_};
  const tests::TemporaryDirectory directory_;
  std::unique_ptr<Database> database_ = std::make_unique<Database>(directory_ / "state.db");
  std::unique_ptr<Register> people_;
  boost::asio::io_context loop_;
  std::unique_ptr<Admission> admission_;
  std::optional<Caller> caller_;
  int status_ = 0;
};

TEST_F(AdmissionTest, WhoIsLoggedInGoesOn) {
  open_account("daemon");
  const std::string token = token_of("daemon", kPassword);
  EXPECT_FALSE(ask("GET", "/v1/status", nullptr, token));
  ASSERT_TRUE(caller_);
  EXPECT_EQ(caller_->name, "daemon");
  EXPECT_EQ(caller_->address, "10.0.0.7");
  EXPECT_TRUE(caller_->has(UserRole::operating));
  EXPECT_EQ(ask("GET", "/v1/status", nullptr, "")->status, 401);
  EXPECT_EQ(ask("GET", "/v1/status", nullptr, std::string(64, '0'))->status, 401);
  EXPECT_EQ(ask("POST", "/v1/session/end", nullptr, token)->status, 200);
  EXPECT_EQ(ask("GET", "/v1/status", nullptr, token)->status, 401);
}

TEST_F(AdmissionTest, OneAnswerWhateverIsWrong) {
  open_account("daemon");
  const Json wrong = log_in("daemon", "Wrong-pass-w0rd");
  EXPECT_EQ(status_, 403);
  EXPECT_EQ(log_in("nobody-of-that-name", "Wrong-pass-w0rd"), wrong);
  EXPECT_EQ(status_, 403);
  // The log knows better, and has no name that somebody may have typed a password for.
  EXPECT_EQ(acts("session.refused").size(), 1U);
  EXPECT_THAT(acts("session.refused")[0], HasSubstr("the password is wrong"));
  ASSERT_FALSE(acts("request.refused").empty());
  EXPECT_THAT(acts("request.refused").back(), HasSubstr("(nobody)"));
  EXPECT_THAT(acts("request.refused").back(), testing::Not(HasSubstr("nobody-of-that-name")));
}

TEST_F(AdmissionTest, FiveFailuresLockUntilAnAdministratorUnlocks) {
  open_account("daemon");
  for (int i = 0; i < 4; ++i) log_in("daemon", "Wrong-pass-w0rd");
  EXPECT_FALSE(account("daemon").locked);
  log_in("daemon", "Wrong-pass-w0rd", "", false, "10.0.0.9");
  EXPECT_TRUE(account("daemon").locked);
  EXPECT_EQ(account("daemon").locked_from, "10.0.0.9");
  log_in("daemon", kPassword);
  EXPECT_EQ(status_, 403);
  clock_.advance(kDay_ns);
  start();
  log_in("daemon", kPassword);
  EXPECT_EQ(status_, 403);
  unlock("daemon");
  token_of("daemon", kPassword);
}

TEST_F(AdmissionTest, FourFailuresAreForgottenAfterASuccessOrHalfAnHour) {
  open_account("daemon");
  for (int i = 0; i < 4; ++i) log_in("daemon", "Wrong-pass-w0rd");
  token_of("daemon", kPassword);
  for (int i = 0; i < 4; ++i) log_in("daemon", "Wrong-pass-w0rd");
  clock_.advance(30 * kMinute_ns);
  for (int i = 0; i < 4; ++i) log_in("daemon", "Wrong-pass-w0rd");
  EXPECT_FALSE(account("daemon").locked);
}

// The daemon ended between the fifth failure and the lock.
TEST_F(AdmissionTest, ALockThatWasMissedIsMadeUpFor) {
  open_account("daemon");
  for (int i = 0; i < 5; ++i) audit_.session_refused("daemon", "10.0.0.9", "the password is wrong");
  start();
  log_in("daemon", kPassword);
  EXPECT_EQ(status_, 403);
  EXPECT_TRUE(account("daemon").locked);
}

TEST_F(AdmissionTest, AFirstPasswordIsGoodForChoosingAnotherOneOnly) {
  change("root", "daemon", kFirst);
  const Json reply = log_in("daemon", kFirst);
  EXPECT_EQ(reply["must"], Json::array({"password"}));
  const std::string token = reply["token"];
  EXPECT_EQ(ask("GET", "/v1/status", nullptr, token)->status, 403);
  EXPECT_EQ(ask("POST", "/v1/jobs/x/run", nullptr, token)->status, 403);
  EXPECT_EQ(ask("POST", "/v1/people/root/password", nullptr, token)->status, 403);
  EXPECT_FALSE(ask("POST", "/v1/people/daemon/password", nullptr, token));
  ASSERT_TRUE(caller_);
  change("daemon", "daemon", kFirst, kFirst);
  EXPECT_EQ(status_, 400);  // not the one before
  change("daemon", "daemon", "short", kFirst);
  EXPECT_EQ(status_, 400);
  change("daemon", "daemon", kPassword, kFirst);
  EXPECT_EQ(status_, 200);
  EXPECT_EQ(ask("GET", "/v1/status", nullptr, token)->status, 401);  // sessions ended
  EXPECT_TRUE(log_in("daemon", kPassword)["must"].empty());
  log_in("daemon", kFirst);
  EXPECT_EQ(status_, 403);
}

TEST_F(AdmissionTest, AfterSixtyDaysAnotherPasswordHasToBeChosen) {
  open_account("daemon");
  clock_.advance(25 * kDay_ns);
  token_of("daemon", kPassword);
  clock_.advance(25 * kDay_ns);
  EXPECT_TRUE(log_in("daemon", kPassword)["must"].empty());
  clock_.advance(10 * kDay_ns + kMinute_ns);
  EXPECT_EQ(log_in("daemon", kPassword)["must"], Json::array({"password"}));
}

// Or whoever knows a name could throw its owner out.
TEST_F(AdmissionTest, ALockLeavesTheSessionsThatStand) {
  open_account("daemon");
  const std::string token = token_of("daemon", kPassword);
  for (int i = 0; i < 5; ++i) log_in("daemon", "Wrong-pass-w0rd", "", false, "10.0.0.9");
  EXPECT_TRUE(account("daemon").locked);
  EXPECT_FALSE(ask("GET", "/v1/status", nullptr, token));
}

TEST_F(AdmissionTest, OneIsCountedOutWhoGuessesThePresentPassword) {
  open_account("daemon");
  const std::string token = token_of("daemon", kPassword);
  for (int i = 0; i < 5; ++i) {
    change("daemon", "daemon", "Yet-another-w0rd", "Wrong-pass-w0rd");
    EXPECT_EQ(status_, 403);
  }
  EXPECT_TRUE(account("daemon").locked);
  EXPECT_EQ(ask("GET", "/v1/status", nullptr, token)->status, 401);
  change("daemon", "daemon", "Yet-another-w0rd", kPassword);
  EXPECT_EQ(status_, 403);
}

TEST_F(AdmissionTest, AccountsAreMadeByAdministrators) {
  change("daemon", "daemon", kPassword);
  EXPECT_EQ(status_, 403);
  change("daemon", "games", kPassword);
  EXPECT_EQ(status_, 403);
  change("root", "nobody-of-that-name", kPassword);
  EXPECT_EQ(status_, 404);
  EXPECT_TRUE(people_->accounts().accounts().empty());
}

TEST_F(AdmissionTest, FifteenIdleMinutesEndASession) {
  open_account("daemon");
  const std::string token = token_of("daemon", kPassword);
  clock_.advance(14 * kMinute_ns);
  EXPECT_FALSE(ask("GET", "/v1/status", nullptr, token));
  clock_.advance(15 * kMinute_ns);
  EXPECT_EQ(ask("GET", "/v1/status", nullptr, token)->status, 401);
  admission_->look();
  ASSERT_EQ(acts("session.ended").size(), 1U);
  EXPECT_THAT(acts("session.ended")[0], HasSubstr("15 minutes without a request"));
  EXPECT_EQ(admission_->sessions(), 0U);
}

TEST_F(AdmissionTest, AnAdministratorNeedsASecondFactorFirst) {
  open_account("root");
  const Json reply = log_in("root", kPassword);
  EXPECT_EQ(reply["must"], Json::array({"otp"}));
  EXPECT_EQ(ask("GET", "/v1/status", nullptr, reply["token"])->status, 403);
  EXPECT_FALSE(ask("POST", "/v1/people/root/otp", nullptr, reply["token"]));
  enrol("root");
  EXPECT_FALSE(ask("GET", "/v1/status", nullptr, reply["token"]));
}

TEST_F(AdmissionTest, ACodeIsNeededAndGoodOnce) {
  open_account("daemon");
  const std::string secret = enrol("daemon");
  const std::string code = code_at(secret, clock_.now());
  log_in("daemon", kPassword);
  EXPECT_EQ(status_, 403);
  log_in("daemon", kPassword, code == "000000" ? "000001" : "000000");
  EXPECT_EQ(status_, 403);
  log_in("daemon", "Wrong-pass-w0rd", code);
  EXPECT_EQ(status_, 403);
  EXPECT_EQ(account("daemon").failures_lately(clock_.now()), 3U);
  token_of("daemon", kPassword, code);
  log_in("daemon", kPassword, code);
  EXPECT_EQ(status_, 403);
  start();
  log_in("daemon", kPassword, code);
  EXPECT_EQ(status_, 403);
  clock_.advance(30 * kSecond_ns);
  token_of("daemon", kPassword, code_at(secret, clock_.now()));
}

TEST_F(AdmissionTest, AnotherSecondFactorNeedsTheOneBefore) {
  open_account("daemon");
  const std::string secret = enrol("daemon");
  const Caller caller = remote_caller("daemon", "", config_.roles);
  const std::string next = admission_->propose_second_factor(caller).secret;
  EXPECT_THROW(admission_->confirm_second_factor(caller, code_at(next, clock_.now()), ""), Error);
  EXPECT_THROW(admission_->confirm_second_factor(caller, code_at(next, clock_.now()), code_at(next, clock_.now())), Error);
  EXPECT_EQ(account("daemon").otp_secret, secret);
  admission_->confirm_second_factor(caller, code_at(next, clock_.now()), code_at(secret, clock_.now()));
  EXPECT_EQ(account("daemon").otp_secret, next);
  EXPECT_THROW(admission_->remove_second_factor("daemon", caller), Error);
  admission_->remove_second_factor("daemon", remote_caller("root", "", config_.roles));
  EXPECT_FALSE(account("daemon").second_factor);
  EXPECT_THROW(admission_->remove_second_factor("root", remote_caller("root", "", config_.roles)), Error);
}

TEST_F(AdmissionTest, AProposedSecondFactorWaitsTenMinutes) {
  open_account("daemon");
  const Caller caller = remote_caller("daemon", "", config_.roles);
  const std::string secret = admission_->propose_second_factor(caller).secret;
  clock_.advance(10 * kMinute_ns + 1);
  EXPECT_THROW(admission_->confirm_second_factor(caller, code_at(secret, clock_.now()), ""), Error);
  EXPECT_FALSE(account("daemon").second_factor);
}

TEST_F(AdmissionTest, OneAdministratorAtATime) {
  open_account("root");
  open_account("man");
  const std::string secret = enrol("root"), other = enrol("man");
  const std::string first = token_of("root", kPassword, code_at(secret, clock_.now()));
  const Json busy = log_in("man", kPassword, code_at(other, clock_.now()));
  EXPECT_EQ(status_, 409);
  EXPECT_THAT(busy["error"]["message"], HasSubstr("administrator root has been logged in since"));
  EXPECT_FALSE(ask("GET", "/v1/status", nullptr, first));
  const std::string second = token_of("man", kPassword, code_at(other, clock_.now()), true);
  EXPECT_EQ(ask("GET", "/v1/status", nullptr, first)->status, 401);
  EXPECT_FALSE(ask("GET", "/v1/status", nullptr, second));
  // Others are not in the way.
  open_account("daemon");
  token_of("daemon", kPassword);
  EXPECT_FALSE(ask("GET", "/v1/status", nullptr, second));
}

TEST_F(AdmissionTest, ThirtyDaysWithoutUseSuspend) {
  open_account("daemon");
  clock_.advance(30 * kDay_ns + kMinute_ns);
  log_in("daemon", kPassword);
  EXPECT_EQ(status_, 403);
  EXPECT_TRUE(account("daemon").suspended);
  unlock("daemon");
  token_of("daemon", kPassword);
  clock_.advance(31 * kDay_ns);
  admission_->look();
  EXPECT_TRUE(account("daemon").suspended);
  EXPECT_EQ(acts("account.suspended").size(), 2U);
}

TEST_F(AdmissionTest, WhoseRolesChangedLogsInAgain) {
  open_account("daemon");
  const std::string token = token_of("daemon", kPassword);
  config_.roles[UserRole::administrator].emplace_back("daemon");
  EXPECT_EQ(ask("GET", "/v1/status", nullptr, token)->status, 401);
  EXPECT_EQ(log_in("daemon", kPassword)["must"], Json::array({"otp"}));
}

TEST_F(AdmissionTest, ALockedPersonIsNotLetIn) {
  open_account("daemon");
  const Caller root = remote_caller("root", "", config_.roles);
  audit_.person_locked("daemon", true, root);
  people_->catch_up(*vault_.repository);
  log_in("daemon", kPassword);
  EXPECT_EQ(status_, 403);
}

TEST_F(AdmissionTest, WhoHasNoRoleIsNotLetIn) {
  open_account("daemon");
  config_.roles[UserRole::operating].clear();
  log_in("daemon", kPassword);
  EXPECT_EQ(status_, 403);
  EXPECT_EQ(acts("session.began").size(), 0U);
}

TEST_F(AdmissionTest, ALostDatabaseLeavesAccountsWithoutPasswords) {
  open_account("daemon");
  enrol("daemon");
  database_ = std::make_unique<Database>(directory_ / "another.db");
  start();
  log_in("daemon", kPassword);
  EXPECT_EQ(status_, 403);
  change("daemon", "daemon", kPassword);
  EXPECT_EQ(status_, 403);
  change("root", "daemon", kFirst);
  log_in("daemon", kFirst);  // the second factor is lost, and not simply left out
  EXPECT_EQ(status_, 403);
  admission_->remove_second_factor("daemon", remote_caller("root", "", config_.roles));
  EXPECT_EQ(log_in("daemon", kFirst)["must"], Json::array({"password"}));
}

TEST_F(AdmissionTest, TooManyAtOnceAreToldSo) {
  open_account("daemon");
  std::vector<int> statuses;
  for (int i = 0; i < 30; ++i) {
    Request request{"POST", "/v1/session", R"({"name":"x","password":"y"})", ""};
    admission_->admit(request, "10.0.0." + std::to_string(i % 10), [&](const Reply& reply) { statuses.push_back(reply.status); });
  }
  EXPECT_EQ(std::count(statuses.begin(), statuses.end(), 409), 30 - static_cast<int>(kPasswordsWaitingLimit));
  while (statuses.size() < 30) {
    loop_.restart();
    loop_.run_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(std::count(statuses.begin(), statuses.end(), 403), static_cast<int>(kPasswordsWaitingLimit));
}

TEST_F(AdmissionTest, NothingSecretIsInTheLog) {
  open_account("daemon");
  const std::string secret = enrol("daemon");
  const std::string token = token_of("daemon", kPassword, code_at(secret, clock_.now()));
  std::string log;
  vault_.repository->refresh_log();
  vault_.repository->for_each_log_entry([&](const repository::LogEntry& entry, const crypto::Sha256&) {
    if (const auto* audit = std::get_if<repository::Audit>(&entry.event)) log += audit->json;
  });
  for (const std::string& text : {std::string("argon2"), secret, token, std::string(kPassword), std::string(kFirst)})
    EXPECT_EQ(log.find(text), std::string::npos) << text;
}

}  // namespace
}  // namespace qcbak::daemon
