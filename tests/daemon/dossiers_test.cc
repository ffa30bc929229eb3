#include "daemon/dossiers.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "backup/repository/writer.h"
#include "crypto/hash.h"
#include "daemon/register.h"
#include "evidence/dossier_growth.h"
#include "tests/backup/workshop.h"
#include "tests/support/seeded_random.h"

namespace qcbak::daemon {
namespace {

using Json = nlohmann::json;
using tests::Access;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr Time kStart{1'780'000'000 * kSecond};
Time after(std::int64_t seconds) { return {kStart.ns + seconds * kSecond}; }

crypto::SignSeed seed_of(std::string_view person) { return crypto::SignSeed(crypto::sha256(as_bytes(person)).view()); }

// Acts in the log as whoever has the write credential can write them, right and wrong.
class DossiersTest : public testing::Test {
 protected:
  DossiersTest() {
    storage_ = shop_.open_storage();
    repository_ = shop_.open(*storage_, Access::write_only);
    register_ = std::make_unique<Register>(database_);
    for (const char* person : {"officer", "approver", "operator", "validator", "owner"}) {
      write({{"act", "person.key"}, {"person", person}, {"key", crypto::sign_public(seed_of(person)).hex()}, {"by", {{"user", person}}}});
    }
  }
  void write(const Json& act) {
    repository::append_log({*storage_, *repository_, repository_->domain(""), clock_, random_},
                           [&]() -> repository::LogEvent { return repository::Audit{act.dump()}; });
    register_->catch_up(*repository_);
  }
  static Json begun(const char* act, const std::string& by, const char* role, std::int64_t at) {
    return {{"act", act}, {"by", {{"user", by}}}, {"role", role}, {"at", evidence::utc_seconds(after(at))}};
  }
  static Json registered(const std::string& asset, const std::string& classification = "ordinary") {
    MediumFacts facts;
    facts.asset = asset;
    facts.serial = "SN-" + asset;
    facts.classification = classification;
    Json act = begun("medium.registered", "officer", "asset-officer", 0);
    act["media"] = Json::array({json_of(facts)});
    return act;
  }
  static evidence::Dossier request(const std::string& asset, std::string_view plan = "nist-clear", char id = 'a') {
    evidence::Dossier dossier;
    evidence::WipeRequest& request = dossier.request;
    request.id = std::string(32, id);
    request.reason = "disposal";
    request.classification = "ordinary";
    request.expires = after(500);
    const wipe::Plan& chosen = wipe::shipped_plan(plan);
    request.plans = {wipe::document(chosen)};
    request.media = {{asset, "SN-" + asset, false, "Disk", "Maker", 1 << 20, std::string(plan), wipe::plan_hash(chosen)}};
    return dossier;
  }
  // Signed by `person`, and what it adds to what is kept.
  Json grown(Json act, evidence::Dossier& dossier, evidence::Signed& member, const std::string& person, std::int64_t at) {
    evidence::sign(dossier, member, person, "", seed_of(person), after(at));
    const auto kept = register_->dossiers().dossier(dossier.request.id);
    act["dossier"] = dossier.request.id;
    act["growth"] = Json::parse(evidence::dossier_growth(kept ? kept->document : "", evidence::encode(dossier)));
    return act;
  }
  Json requested(evidence::Dossier& dossier, const std::string& by = "officer") {
    return grown(begun("wipe.requested", by, "asset-officer", 1), dossier, dossier.request.by, by, 1);
  }
  Json approved(evidence::Dossier& dossier, const std::string& by = "approver", std::int64_t at = 10) {
    dossier.approval.emplace();
    return grown(begun("wipe.approved", by, "approver", at), dossier, dossier.approval->by, by, at);
  }
  static Json step(const char* act, std::int64_t at, const std::string& job = "") {
    Json json = begun(act, "operator", "operator", at);
    json["dossier"] = std::string(32, 'a');
    json["medium"] = 1;
    json["job"] = job;
    return json;
  }
  static evidence::WipeRun clean_run(const evidence::Dossier& dossier) {
    evidence::WipeRun run;
    run.job = std::string(32, 'b');
    run.plan_hash = dossier.request.media[0].plan_hash;
    run.identity = {"Maker", "Disk", dossier.request.media[0].serial, "1.0", "naa.1"};
    run.geometry = {1 << 20, 512, 4096};
    run.device = "/dev/sdb";
    run.contents = {"00", ""};
    for (int i = 0; i < 2; ++i) {
      wipe::StepProgress step;
      step.began = after(30 + i);
      step.ended = after(31 + i);
      step.watermark = step.done_bytes = 1 << 20;
      run.progress.steps.push_back(step);
    }
    run.progress.segments = {{after(30), after(32), 0, 0}};
    run.verdict = "clear";
    run.verdict_reason = "everything was written and read back";
    run.exit_code = 0;
    return run;
  }
  Json assessed(evidence::Dossier& dossier) {
    evidence::WipeRun& run = evidence::add(dossier, clean_run(dossier));
    return grown(begun("wipe.assessed", "operator", "operator", 40), dossier, run.by, "operator", 40);
  }
  Json validated(evidence::Dossier& dossier, const std::string& by = "validator") {
    dossier.validation = evidence::WipeValidation{evidence::Decision::accept, {}};
    return grown(begun("wipe.validated", by, "auditor", 50), dossier, dossier.validation->by, by, 50);
  }
  Json certified(const evidence::Dossier& dossier) {
    const auto kept = register_->dossiers().dossier(dossier.request.id);
    Json act = begun("wipe.certified", "owner", "auditor", 60);
    act["dossier"] = dossier.request.id;
    act["log"] = {{"first", kept->first_entry}, {"last", kept->last_entry}, {"head_number", kept->last_entry}, {"head", "ab"}};
    return act;
  }
  Json confirmed(evidence::Dossier& dossier, const std::string& by = "owner") {
    dossier.confirmation.emplace();
    return grown(begun("wipe.confirmed", by, "auditor", 70), dossier, dossier.confirmation->by, by, 70);
  }
  std::string state(const std::string& asset = "TS-1") {
    const auto medium = register_->inventory().medium(asset);
    return medium ? std::string(name_of(medium->state)) : "";
  }
  // Of all that is kept.
  std::string everything(Register& from) {
    std::string text;
    for (const Medium& medium : from.inventory().media())
      text += json_of(medium.facts).dump() + std::string(name_of(medium.state)) + medium.dossier + medium.job + medium.reason + "\n";
    for (const KeptDossier& kept : from.dossiers().dossiers(100))
      text += kept.document + kept.certified_log + std::to_string(kept.first_entry) + "-" + std::to_string(kept.last_entry) + "\n";
    return text;
  }
  void is_made_anew() {
    Database again(directory_ / "again.db");
    Register replayed(again);
    replayed.catch_up(*repository_);
    EXPECT_EQ(everything(replayed), everything(*register_));
  }

  const tests::Workshop shop_;
  SystemClock clock_;
  tests::SeededRandom random_{5};
  std::unique_ptr<storage::Storage> storage_;
  std::unique_ptr<repository::Repository> repository_;
  const tests::TemporaryDirectory directory_;
  Database database_{directory_ / "state.db"};
  std::unique_ptr<Register> register_;
};

TEST_F(DossiersTest, TheWholeLifeIsMadeAnewFromTheLog) {
  write(registered("TS-1"));
  evidence::Dossier dossier = request("TS-1");
  write(requested(dossier));
  EXPECT_EQ(state(), "listed");
  write(approved(dossier));
  EXPECT_EQ(state(), "approved");
  for (const char* act : {"wipe.inspected", "wipe.cleared", "wipe.sanitising", "wipe.interrupted", "wipe.resumed", "wipe.verifying"})
    write(step(act, 30));
  EXPECT_EQ(state(), "verifying");
  write(assessed(dossier));
  EXPECT_EQ(state(), "assessed");
  EXPECT_EQ(register_->inventory().medium("TS-1")->job, std::string(32, 'b'));
  write(validated(dossier));
  write(certified(dossier));
  EXPECT_EQ(state(), "certified");
  write(confirmed(dossier));
  Json released = begun("medium.released", "officer", "asset-officer", 80);
  released["asset"] = "TS-1";
  write(released);
  EXPECT_EQ(state(), "released");
  EXPECT_EQ(register_->dossiers().dossier(std::string(8, 'a'))->document, evidence::encode(dossier));
  is_made_anew();
}

// Each of the acts of a whole life, left out, or by whom it may not be: what follows on it counts for nothing.
TEST_F(DossiersTest, NothingIsSkippedAndNobodyDecidesTheirOwn) {
  write(registered("TS-1"));
  evidence::Dossier dossier = request("TS-1");
  write(step("wipe.inspected", 5));
  evidence::Dossier of_operator = request("TS-1");
  Json wrong_role = requested(of_operator, "operator");
  wrong_role["role"] = "operator";
  write(wrong_role);
  EXPECT_EQ(state(), "registered");
  write(requested(dossier));
  evidence::Dossier own = dossier;
  write(approved(own, "officer"));
  EXPECT_EQ(state(), "listed");
  evidence::Dossier late = dossier;
  write(approved(late, "approver", 501));
  EXPECT_EQ(state(), "listed");
  write(step("wipe.inspected", 9));
  EXPECT_EQ(state(), "listed");
  write(approved(dossier));
  write(step("wipe.sanitising", 20));
  write(step("wipe.verifying", 20));
  evidence::Dossier too_early = dossier;
  write(assessed(too_early));
  EXPECT_EQ(state(), "approved");
  write(step("wipe.inspected", 501));
  EXPECT_EQ(state(), "approved");
  for (const char* act : {"wipe.inspected", "wipe.cleared", "wipe.sanitising", "wipe.verifying"}) write(step(act, 30));
  write(assessed(dossier));
  evidence::Dossier by_operator = dossier;
  write(validated(by_operator, "operator"));
  EXPECT_EQ(state(), "assessed");
  write(validated(dossier));
  evidence::Dossier uncertified = dossier;
  write(confirmed(uncertified));
  EXPECT_EQ(state(), "validated");
  Json other_range = certified(dossier);
  other_range["log"]["first"] = 1;
  write(other_range);
  EXPECT_EQ(state(), "validated");
  write(certified(dossier));
  evidence::Dossier confirmed_by_operator = dossier;
  write(confirmed(confirmed_by_operator, "operator"));
  EXPECT_EQ(state(), "certified");
  is_made_anew();
}

TEST_F(DossiersTest, WhatIsForgedCountsForNothing) {
  write(registered("TS-1"));
  evidence::Dossier dossier = request("TS-1");
  const Json good = requested(dossier);
  Json other_name = good;
  other_name["by"]["user"] = "owner";
  write(other_name);
  Json altered = good;
  altered["growth"]["request"]["destination"] = "elsewhere";
  write(altered);
  evidence::Dossier stolen = request("TS-1");
  evidence::sign(stolen, stolen.request.by, "officer", "", seed_of("owner"), after(1));
  Json with_other_key = good;
  with_other_key["growth"] = Json::parse(evidence::dossier_growth("", evidence::encode(stolen)));
  write(with_other_key);
  Json later = good;
  later["at"] = evidence::utc_seconds(after(2000));
  write(later);
  for (const Json& nonsense : {Json("growth"), Json::array(), Json::object(), Json(nullptr)}) {
    Json act = good;
    act["growth"] = nonsense;
    write(act);
  }
  EXPECT_EQ(state(), "registered");
  EXPECT_FALSE(register_->dossiers().dossier(dossier.request.id));
  write(good);
  EXPECT_EQ(state(), "listed");
  write(good);
  EXPECT_EQ(register_->dossiers().dossiers(10).size(), 1U);
  is_made_anew();
}

TEST_F(DossiersTest, StateSecretsAreOnlyDestroyed) {
  write(registered("TS-1", "state-secret"));
  evidence::Dossier dossier = request("TS-1");
  write(requested(dossier));
  EXPECT_EQ(state(), "registered");
  evidence::Dossier destroy = request("TS-1", "destroy", 'c');
  write(requested(destroy));
  EXPECT_EQ(state(), "listed");
  write(approved(destroy));
  Json inspected = step("wipe.inspected", 20);
  inspected["dossier"] = destroy.request.id;
  write(inspected);
  EXPECT_EQ(state(), "approved");
  evidence::Destruction destruction;
  destruction.method = "shred";
  destruction.particle_um = 2000;
  destruction.destroyed = after(20);
  destruction.witnesses = {"Tran Thi B"};
  evidence::Destruction& added = evidence::add(destroy, destruction);
  write(grown(begun("wipe.destroyed", "officer", "asset-officer", 30), destroy, added.by, "officer", 30));
  EXPECT_EQ(state(), "destroyed");
  Json again = registered("TS-1");
  write(again);
  EXPECT_EQ(state(), "destroyed");
  is_made_anew();
}

TEST_F(DossiersTest, ARehearsalLeavesNothing) {
  const std::string before = everything(*register_);
  register_->rehearse({registered("TS-1")}, after(0), repository_->config_hash().hex());
  EXPECT_EQ(everything(*register_), before);
  Json nobody = registered("TS-1");
  nobody["role"] = "auditor";
  EXPECT_THROW(register_->rehearse({nobody}, after(0), repository_->config_hash().hex()), Error);
  EXPECT_THROW(register_->rehearse({Json{{"act", "medium.released"}}}, after(0), repository_->config_hash().hex()), Error);
  EXPECT_EQ(everything(*register_), before);
}

}  // namespace
}  // namespace qcbak::daemon
