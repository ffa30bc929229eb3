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
                                                        {"check-erasure", "CHECK"}};
  if (step.at("kind") != "fixed") return names.at(step.at("kind"));
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
Step pattern_of(std::size_t size) { return {StepKind::fixed, Bytes(size)}; }

TEST(CheckPlan, AcceptsPatternsThatTile) {
  for (const std::size_t size : {1, 2, 3, 4, 6, 8, 12}) check_plan(plan_of({pattern_of(size), kReadBack}));
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
