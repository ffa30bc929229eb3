#include "daemon/register.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "backup/repository/writer.h"
#include "control/statement.h"
#include "crypto/hash.h"
#include "crypto/signing_key.h"
#include "tests/backup/workshop.h"
#include "tests/support/seeded_random.h"

namespace qcbak::daemon {
namespace {

using Json = nlohmann::json;
using tests::Access;

// Entries of the log as whoever has the write credential can write them, right and wrong.
class RegisterTest : public testing::Test {
 protected:
  RegisterTest() {
    storage_ = shop_.open_storage();
    repository_ = shop_.open(*storage_, Access::write_only);
    register_ = std::make_unique<Register>(database_);
  }
  void write(const Json& act) {
    repository::append_log({*storage_, *repository_, repository_->domain(""), clock_, random_},
                           [&]() -> repository::LogEvent { return repository::Audit{act.dump()}; });
    register_->catch_up(*repository_);
  }
  void give_key(const std::string& person, const crypto::SignSeed& seed, const std::string& by) {
    write(
        {{"act", "person.key"}, {"person", person}, {"key", crypto::sign_public(seed).hex()}, {"by", {{"user", by}}}});
  }
  void submit(const std::string& id, const std::string& by = "minh", const std::string& document = "a plan") {
    write({{"act", "plan.submitted"},
           {"plan", id},
           {"document", document},
           {"sha256", sha256(document)},
           {"by", {{"user", by}}}});
  }
  static std::string sha256(const std::string& text) { return crypto::sha256(as_bytes(text)).hex(); }
  Json decision(const std::string& id, const std::string& by, const std::string& act = "plan.approved") const {
    return {{"act", act}, {"plan", id}, {"sha256", sha256("a plan")}, {"reason", ""}, {"by", {{"user", by}}}};
  }
  control::Statement statement(const std::string& id, const std::string& by) const {
    return {"plan.approve", by, id, "", repository_->config_hash().hex(), sha256("a plan"), "2026-11-21T09:30:00Z"};
  }
  static Json with_signature(Json act, const control::Statement& statement, const crypto::SignSeed& seed) {
    act["statement"] = control::encode(statement);
    act["signature"] = crypto::sign_statement(seed, control::encode(statement)).hex();
    return act;
  }
  bool approved() { return register_->in_force().has_value(); }

  const std::string id_ = std::string(32, 'a');
  const tests::Workshop shop_;
  SystemClock clock_;
  tests::SeededRandom random_{5};
  const crypto::SignSeed lan_ = crypto::SignSeed::random(random_), forger_ = crypto::SignSeed::random(random_);
  std::unique_ptr<storage::Storage> storage_;
  std::unique_ptr<repository::Repository> repository_;
  const tests::TemporaryDirectory directory_;
  Database database_{directory_ / "state.db"};
  std::unique_ptr<Register> register_;
};

TEST_F(RegisterTest, ASignedApprovalCounts) {
  give_key("lan", lan_, "lan");
  submit(id_);
  EXPECT_EQ(register_->waiting()->id, id_);
  write(with_signature(decision(id_, "lan"), statement(id_, "lan"), lan_));
  ASSERT_TRUE(approved());
  EXPECT_EQ(register_->in_force()->decided_by, "lan");
  EXPECT_FALSE(register_->waiting());
}

TEST_F(RegisterTest, AForgedOneDoesNot) {
  give_key("lan", lan_, "lan");
  submit(id_);
  write(decision(id_, "lan"));
  write(with_signature(decision(id_, "lan"), statement(id_, "lan"), forger_));
  write(with_signature(decision(id_, "lan"), statement(std::string(32, 'b'), "lan"), lan_));
  write(with_signature(decision(id_, "lan"), statement(id_, "hoa"), lan_));
  control::Statement other = statement(id_, "lan");
  other.repository = sha256("another");
  write(with_signature(decision(id_, "lan"), other, lan_));
  other = statement(id_, "lan");
  other.act = "plan.reject";
  write(with_signature(decision(id_, "lan"), other, lan_));
  other = statement(id_, "lan");
  other.sha256 = sha256("another plan");
  write(with_signature(decision(id_, "lan"), other, lan_));
  Json wrong = with_signature(decision(id_, "lan"), statement(id_, "lan"), lan_);
  wrong["sha256"] = sha256("another plan");
  write(wrong);
  EXPECT_FALSE(approved());
  EXPECT_TRUE(register_->waiting());
}

TEST_F(RegisterTest, NobodyApprovesTheirOwnEvenPastTheDaemon) {
  give_key("lan", lan_, "lan");
  submit(id_, "lan");
  write(with_signature(decision(id_, "lan"), statement(id_, "lan"), lan_));
  EXPECT_FALSE(approved());
}

TEST_F(RegisterTest, AnotherKeyNeedsTheOneBefore) {
  give_key("lan", lan_, "lan");
  give_key("lan", forger_, "lan");
  EXPECT_EQ(register_->person("lan")->key, crypto::sign_public(lan_));
  const std::string hex = crypto::sign_public(forger_).hex();
  const Json act{{"act", "person.key"}, {"person", "lan"}, {"key", hex}, {"by", {{"user", "lan"}}}};
  const control::Statement statement{"person.key",
                                     "lan",
                                     hex,
                                     "",
                                     repository_->config_hash().hex(),
                                     crypto::sha256(crypto::sign_public(forger_).view()).hex(),
                                     ""};
  write(with_signature(act, statement, forger_));
  EXPECT_EQ(register_->person("lan")->key, crypto::sign_public(lan_));
  write(with_signature(act, statement, lan_));
  EXPECT_EQ(register_->person("lan")->key, crypto::sign_public(forger_));
  give_key("lan", lan_, "root");  // as an administrator: the log says who
  EXPECT_EQ(register_->person("lan")->key, crypto::sign_public(lan_));
  EXPECT_EQ(register_->person("lan")->added_by, "root");
}

TEST_F(RegisterTest, ANewerSubmissionReplacesOneThatWaits) {
  submit(id_);
  submit(std::string(32, 'b'), "minh", "another plan");
  EXPECT_EQ(register_->plan(id_)->state, PlanState::replaced);
  write(decision(id_, "hoa"));
  EXPECT_FALSE(approved());
  EXPECT_EQ(register_->waiting()->document, "another plan");
}

TEST_F(RegisterTest, APlanThatIsNotWhatWasSubmittedIsNone) {
  write({{"act", "plan.submitted"},
         {"plan", id_},
         {"document", "x"},
         {"sha256", sha256("y")},
         {"by", {{"user", "minh"}}}});
  EXPECT_FALSE(register_->waiting());
}

TEST_F(RegisterTest, WhatIsBrokenCountsForNothingAndStopsNothing) {
  for (const char* broken : {R"({"act":"plan.approved"})", R"({"act":"plan.submitted","plan":1})",
                             R"({"act":"person.key","person":"lan","key":"00","by":{"user":"x"}})", R"({"act":7})",
                             R"([])", R"({"act":"person.locked"})"})
    try {
      write(Json::parse(broken));
    } catch (const Json::exception& error) {
      ADD_FAILURE() << broken << ": " << error.what();
    }
  give_key("lan", lan_, "lan");
  EXPECT_TRUE(register_->person("lan"));
}

TEST_F(RegisterTest, ALostDatabaseIsMadeAnewFromTheLog) {
  give_key("lan", lan_, "lan");
  write({{"act", "person.locked"}, {"person", "hoa"}, {"by", {{"user", "root"}}}});
  submit(id_);
  write(with_signature(decision(id_, "lan"), statement(id_, "lan"), lan_));
  Database empty(directory_ / "another.db");
  Register anew(empty);
  anew.catch_up(*repository_);
  EXPECT_EQ(anew.in_force()->id, id_);
  EXPECT_EQ(anew.in_force()->signature, register_->in_force()->signature);
  EXPECT_EQ(anew.person("lan")->since, register_->person("lan")->since);
  EXPECT_TRUE(anew.person("hoa")->locked);
}

}  // namespace
}  // namespace qcbak::daemon
