#include "wipe/plan.h"

#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"

namespace qcbak::wipe {
namespace {

using testing::HasSubstr;

// Typed from the published descriptions. B, ~B, R, V: drawn byte, complement, random, read-back; HIDDEN, FIRMWARE, CHECK.
const std::map<std::string, std::string>& table() {
  static const std::map<std::string, std::string> plans{
      {"nist-clear", "00 V"},
      {"dod-3pass", "B ~B R V"},
      {"dod-ece", "B ~B R B B ~B R V"},
      {"hmg-is5-baseline", "00 V"},
      {"hmg-is5-enhanced", "00 FF R V"},
      {"bsi-vsitr", "00 FF 00 FF 00 FF AA V"},
      {"bsi-gs", "HIDDEN R V FIRMWARE CHECK"},
      {"bsi-gse", "R R V FIRMWARE CHECK"},
      {"gost-r-50739", "00 R V"},
      {"ops-ii", "00 FF 00 FF 00 FF R V"},
      {"itsg-06", "B ~B R V"},
      {"ar-380-19", "R B ~B V"},
      {"afssi-5020", "00 FF R V"},
      {"navso-mfm", "01 7FFFFFFF R V"},
      {"navso-rll", "01 27FFFFFF R V"},
      {"nnsa", "R R 00 V"},
      {"schneier", "FF 00 R R R R R V"},
      {"gutmann",
       "R R R R 55 AA 924924 492492 249249 00 11 22 33 44 55 66 77 88 99 AA BB CC DD EE FF "
       "924924 492492 249249 6DB6DB B6DB6D DB6DB6 R R R R V"},
      {"bmb21-2019", "FF 00 R R R FF 00 V"},
      {"ata-sanitize-crypto", "HIDDEN FIRMWARE=ata-sanitize-crypto CHECK"},
      {"ata-sanitize-block", "HIDDEN FIRMWARE=ata-sanitize-block CHECK"},
      {"ata-sanitize-overwrite", "HIDDEN FIRMWARE=ata-sanitize-overwrite CHECK"},
      {"ata-secure-erase", "HIDDEN FIRMWARE=ata-secure-erase CHECK"},
      {"ata-secure-erase-enhanced", "HIDDEN FIRMWARE=ata-secure-erase-enhanced CHECK"},
      {"nvme-sanitize-crypto", "FIRMWARE=nvme-sanitize-crypto CHECK"},
      {"nvme-sanitize-block", "FIRMWARE=nvme-sanitize-block CHECK"},
      {"nvme-sanitize-overwrite", "FIRMWARE=nvme-sanitize-overwrite CHECK"},
      {"nvme-format-user", "FIRMWARE=nvme-format-user CHECK"},
      {"nvme-format-crypto", "FIRMWARE=nvme-format-crypto CHECK"},
      {"scsi-sanitize-crypto", "FIRMWARE=scsi-sanitize-crypto CHECK"},
      {"scsi-sanitize-block", "FIRMWARE=scsi-sanitize-block CHECK"},
      {"scsi-sanitize-overwrite", "FIRMWARE=scsi-sanitize-overwrite CHECK"},
      {"purge-auto", "HIDDEN FIRMWARE CHECK"},
  };
  return plans;
}

std::string short_name(const nlohmann::json& step) {
  static const std::map<std::string, std::string> names{{"drawn", "B"},
                                                        {"complement", "~B"},
                                                        {"random", "R"},
                                                        {"read-back", "V"},
                                                        {"remove-hidden-areas", "HIDDEN"},
                                                        {"firmware-erase", "FIRMWARE"},
                                                        {"check-erasure", "CHECK"},
                                                        {"sample", "S"},
                                                        {"discard", "DISCARD"}};
  const std::string method = step.contains("method") ? "=" + step.at("method").get<std::string>() : "";
  if (step.at("kind") != "fixed") return names.at(step.at("kind")) + method;
  std::string pattern = step.at("pattern");
  for (char& c : pattern) c = static_cast<char>(std::toupper(c));
  return pattern;
}

// The steps as the document of the plan prints them.
std::string printed(const Plan& plan) {
  std::string text;
  const auto json = nlohmann::json::parse(document(plan));
  for (const auto& step : json.at("steps")) text += (text.empty() ? "" : " ") + short_name(step);
  return text;
}

TEST(PlanRegistry, HasEveryPlanAsItsSourceHasIt) {
  ASSERT_EQ(shipped_plans().size(), table().size());
  for (const auto& [name, steps] : table()) EXPECT_EQ(printed(shipped_plan(name)), steps) << name;
}

// A plan that changes keeps its name only with a new version: approvals and certificates name these hashes.
TEST(PlanRegistry, KeepsWhatAVersionMeans) {
  std::ostringstream hashes;
  for (const Plan& plan : shipped_plans())
    hashes << plan.name << " " << plan.version << " " << plan_hash(plan).hex() << "\n";
  EXPECT_EQ(hashes.str(), R"(nist-clear 1 4504ff0cc6c5f27fde392e91417608bd10ee8d8e33254d106a08d99654250431
dod-3pass 1 244e55b78e6cc4775994b4f5c76904596fc6c34aedfdef71f3e3ef63e9f0aa6b
dod-ece 1 f3ab49401bb975508eef543f9682ccec9843a84b518343f02df194b064ee493d
hmg-is5-baseline 1 c4eec7ea4b00abf07393ae6790960b92f1263afee6e91ece62300c2c25e29e2a
hmg-is5-enhanced 1 43545ed2abc16331a6a6190f39a4ccbaa0fa99547d2336612153d820b28922ca
bsi-vsitr 1 4305d529fb7fef2dfc29db6e79a8a11732b9e6340b2b0b2e357961a9facb7b6b
bsi-gs 1 e1782afb3bf01e5fb2ea0b576ed1dce5d39d1d42bf76696739139c7bacf72fe3
bsi-gse 1 95559e6837de0123fb6d7b1a78f78cd3f2f381318eb54bd6de3e043ed8fc8790
gost-r-50739 1 ef74b52b12eacaf40b448b78f8b73b449662fe7c2e6b65ded197b9bd4e632ba8
ops-ii 1 592bdec622a9831ea8464b1edd7fc8be87765f92f09b0c7f5b72566df5fafd86
itsg-06 1 240e589e2bf9d523cf2c34d6699c4303372b608edd4d48aca0260e2452f6a89e
ar-380-19 1 a4cd094b883734f83f1a172ead46970af667e5ed2da956b918e6905b05043898
afssi-5020 1 840f422e67a34450801b9dadb4a925cdcfa54a9b55bfdb65cdefdbce6a0cb817
navso-mfm 1 a40193269d3ba5f25f715edfd9dc4af31dcb1b7fd87d4f39e0e34d17af61f61a
navso-rll 1 2c9992f884de16b6f813222ee6953e2a881ac615d210fc170ca44f0640567b80
nnsa 1 e4cbe0f63d986e4d4a01b44e8ba2785d54f4d5eefab28bb2f22d2b826b92d249
schneier 1 bfecc89f3d46622543fe6e9e57fdcf60ea51fc626f9f8b29ae77fcb1e52c98dc
gutmann 1 0216520f2469cc52e1e98e9be063a67aae294add9ca5190dc70e244b2e6a35a9
bmb21-2019 1 d8ab55d73200c3ff2d0c41e96203dd327f61ed13da921628559ac482b948d783
ata-sanitize-crypto 1 64d1a4c8fbb8bdaf10eb0149358894770ac4062cff76e177e2c08a35003c5527
ata-sanitize-block 1 fcbc817b480feadc7fe9c5b5a64c54b8bf6b0da17f04709fa75e574a8abb43d8
ata-sanitize-overwrite 1 2370c7e9640b73abbd344e54955f5eb5e37e8cfc149ad4121c8b9bbe1bf96bbb
ata-secure-erase 1 3ad915c5559adee5c045686e945917f38f228608c9ca1106c9bc2e2d311d8479
ata-secure-erase-enhanced 1 ec560981482eda8680c3849b51227ee383f81c97ec19625f58f466a988d812c1
nvme-sanitize-crypto 1 0e865337759590094dfaa74eb11e1ba30fab050121c88c71655974e8159965d2
nvme-sanitize-block 1 4bf8c3be47a215a59843881199496d683e850ae8414c3fc9449fe0b9a7630bfb
nvme-sanitize-overwrite 1 41fbadb7d56517ad49be3942e9178d355724ad4c09d394f7d7aa4b1fb9b357e0
nvme-format-user 1 05c7c7d173d35e39731dd0f14ac0f2eab4b1e6f4fc9c0d847c71051da1c77e85
nvme-format-crypto 1 a336f669a883c9618de5243816024d8e0e2c448a940618fbcde21f1fb100876a
scsi-sanitize-crypto 1 7029b1239a776df7415192c800e7f5ad3a2a04fbf642f5112bc92b04cfe49cf1
scsi-sanitize-block 1 9a579cd948e47fbd8f756df27142b53f1f6fdc8eb1b1f03dd6826870016d705c
scsi-sanitize-overwrite 1 66121cbcf9f419c837e4d19154746eebb3cc4b092daa086dbf5ed5ce22d629fa
purge-auto 1 af1aa1c60ebdfd2b81cf208d20c4cf038879789601629a60305bbf6d30d0c1cf
)");
}

TEST(PlanRegistry, NamesTheNearestOfAnUnknownName) {
  try {
    shipped_plan("gutman");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_THAT(error.hint(), HasSubstr("gutmann"));
  }
}

TEST(PlanDocument, IsCanonicalJson) {
  EXPECT_EQ(document(shipped_plan("hmg-is5-baseline")),
            R"({"category":"clear","format":"qcbak plan 1","name":"hmg-is5-baseline",)"
            R"("source":"HMG Infosec Standard 5, baseline",)"
            R"("steps":[{"kind":"fixed","pattern":"00"},{"kind":"read-back","of":1}],)"
            R"("title":"HMG IS5, baseline","version":1})");
}

TEST(PlanDocument, SaysWhichStepAnotherBelongsTo) {
  EXPECT_THAT(document(shipped_plan("dod-ece")),
              HasSubstr(R"("steps":[{"draw":1,"kind":"drawn"},{"kind":"complement","of":1},{"kind":"random"},)"
                        R"({"draw":2,"kind":"drawn"},{"draw":3,"kind":"drawn"},{"kind":"complement","of":5},)"
                        R"({"kind":"random"},{"kind":"read-back","of":7}])"));
}

TEST(PlanDocument, SaysWhenTheFirmwareDecidesTheCategory) {
  EXPECT_THAT(document(shipped_plan("bsi-gs")), HasSubstr(R"("category":"by-firmware")"));
}

TEST(PlanDocument, ChangesWithEveryPartOfThePlan) {
  const Plan plan = shipped_plan("dod-3pass");
  std::vector<Plan> others(5, plan);
  others[0].name = "custom";
  others[1].version = 2;
  others[2].title += ".";
  others[3].source += ".";
  others[4].steps.insert(others[4].steps.begin(), Step{});
  for (const Plan& other : others) EXPECT_NE(plan_hash(other), plan_hash(plan)) << document(other);
}

Plan plan_of(std::vector<Step> steps) { return {"site", 1, "Site", "the site", std::move(steps)}; }

ErrorCode refusal_of(const Plan& plan) {
  try {
    check_plan(plan);
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::failed;
}

const Step kRandom{StepKind::random, {}};
const Step kDrawn{StepKind::drawn, {}};
const Step kComplement{StepKind::complement, {}};
const Step kReadBack{StepKind::read_back, {}};
const Step kFirmware{StepKind::firmware_erase, {}};
const Step kCheck{StepKind::check_erasure, {}};
const Step kHidden{StepKind::remove_hidden_areas, {}};
const Step kSample{StepKind::sample, {}};
const Step kDiscard{StepKind::discard, {}};
Step pattern_of(std::size_t size) { return {StepKind::fixed, Bytes(size)}; }

TEST(CheckPlan, AcceptsPatternsThatTile) {
  for (const std::size_t size : {1, 2, 3, 4, 6, 8, 12}) check_plan(plan_of({pattern_of(size), kReadBack}));
}

TEST(CheckPlan, AcceptsWhatFirmwareDoes) {
  for (const auto& steps : std::vector<std::vector<Step>>{{kFirmware, kCheck},
                                                          {kHidden, kFirmware, kCheck, kDiscard},
                                                          {kHidden, kRandom, kSample, kDiscard},
                                                          {kFirmware, kCheck, kRandom, kReadBack}})
    check_plan(plan_of(steps));
}

TEST(CheckPlan, RefusesWhatIsNoPlan) {
  const std::vector<std::vector<Step>> wrong{
      {},                                           // nothing to do
      {kReadBack},                                  // nothing to read back
      {kReadBack, kRandom, kReadBack},              // nothing yet
      {kRandom},                                    // not read back
      {kRandom, kReadBack, kRandom},                // the last pass is not
      {kRandom, kFirmware, kReadBack},              // changed before it is read back
      {kComplement, kReadBack},                     // of nothing
      {kRandom, kComplement, kReadBack},            // of what has none
      {kDrawn, kReadBack, kComplement, kReadBack},  // not of the step before
      {pattern_of(0), kReadBack},
      {pattern_of(5), kReadBack},
      {pattern_of(16), kReadBack},
      {kRandom, kReadBack, kHidden},  // the disk grows after it was read back
      {kHidden, kHidden, kRandom, kReadBack},
      {kHidden},  // nothing is erased
      {kDiscard},
      {kRandom, kDiscard, kReadBack},
      {kRandom, kReadBack, kDiscard, kDiscard},
      {kRandom, kReadBack, kDiscard, kRandom, kReadBack},
      {kFirmware},  // nobody looks
      {kRandom, kReadBack, kFirmware},
      {kFirmware, kRandom, kReadBack, kCheck},
      {kRandom, kReadBack, kCheck},  // of nothing
      {kFirmware, kCheck, kCheck},
      {kFirmware, kCheck, kFirmware, kCheck},
      {kSample},
      {{StepKind::random, {}, FirmwareMethod::nvme_format_user}, kReadBack},
      {{StepKind::random, Bytes(1)}, kReadBack},  // a pattern that would not be written
      std::vector<Step>(kPlanStepLimit, kRandom),
  };
  for (const auto& steps : wrong) EXPECT_EQ(refusal_of(plan_of(steps)), ErrorCode::usage) << steps.size();
  std::vector<Step> many(kPlanStepLimit, kRandom);
  many.push_back(kReadBack);
  EXPECT_EQ(refusal_of(plan_of(many)), ErrorCode::usage);
}

TEST(CheckPlan, RefusesTextsThatOthersCouldReadOtherwise) {
  Plan plan = plan_of({kRandom, kReadBack});
  check_plan(plan);
  plan.title = "x\n";
  EXPECT_EQ(refusal_of(plan), ErrorCode::usage);
  plan.title = "";
  EXPECT_EQ(refusal_of(plan), ErrorCode::usage);
  plan.title = "\xc3\xa9";
  EXPECT_EQ(refusal_of(plan), ErrorCode::usage);
  plan.title = "x";
  plan.version = 0;
  EXPECT_EQ(refusal_of(plan), ErrorCode::usage);
}

TEST(Sampled, IsAnotherPlanWithASampleInPlaceOfEachReadBack) {
  const Plan plan = sampled(shipped_plan("dod-3pass"));
  EXPECT_EQ(plan.name, "dod-3pass-sampled");
  EXPECT_EQ(printed(plan), "B ~B R S");
  EXPECT_THAT(document(plan), HasSubstr(R"({"kind":"sample","of":3})"));
  EXPECT_EQ(document(wipe::plan_of(document(plan))), document(plan));
  EXPECT_THROW(sampled(shipped_plan("nvme-format-user")), Error) << "it reads nothing back";
  EXPECT_THROW(sampled(plan), Error) << "it is sampled already";
}

TEST(OwnName, IsNoNameOfAShippedPlan) {
  Plan plan = plan_of({kRandom, kReadBack});
  require_own_name(plan);
  for (const char* const name : {"gutmann", "gutmann-sampled", "purge-auto"}) {
    plan.name = name;
    EXPECT_THROW(require_own_name(plan), Error) << name;
  }
}

TEST(Plan, IsReadBackFromItsDocumentAndFromNothingElse) {
  for (const Plan& plan : shipped_plans()) EXPECT_EQ(document(wipe::plan_of(document(plan))), document(plan));
  const std::string text = document(shipped_plan("dod-3pass"));
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string altered = text;
    altered[at] = static_cast<char>(altered[at] ^ 1);
    try {
      EXPECT_EQ(document(wipe::plan_of(altered)), altered);  // another plan, with another hash
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::damaged) << at;
    }
  }
  EXPECT_THROW(wipe::plan_of(text + " "), Error);
  EXPECT_THROW(wipe::plan_of(""), Error);
}

}  // namespace
}  // namespace qcbak::wipe
