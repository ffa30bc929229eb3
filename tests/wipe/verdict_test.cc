#include "wipe/verdict.h"

#include <gtest/gtest.h>

#include <set>

#include "wipe/sample.h"

namespace qcbak::wipe {
namespace {

Facts perfect() {
  Facts facts;
  facts.anything_done = true;
  facts.all_steps_ended = true;
  facts.asked_bytes = 1000;
  facts.verified_bytes = 1000;
  return facts;
}

struct RowCase {
  const char* name;
  void (*change)(Facts&);
  Verdict verdict;
};

// In the table's order. Each fact decides against all those after it, and none hides one before it.
constexpr RowCase kRows[] = {
    {"nothing done", [](Facts& f) { f.anything_done = false; }, Verdict::failed},
    {"firmware failed", [](Facts& f) { f.firmware = FirmwareOutcome::failed; }, Verdict::destroy},
    {"firmware not known", [](Facts& f) { f.firmware = FirmwareOutcome::not_known; }, Verdict::unknown},
    {"step not ended", [](Facts& f) { f.all_steps_ended = false; }, Verdict::failed},
    {"unwritten", [](Facts& f) { f.unwritten_bytes = 1; }, Verdict::destroy},
    {"unreadable", [](Facts& f) { f.unreadable_bytes = 1; }, Verdict::destroy},
    {"mismatching again", [](Facts& f) { f.mismatching_bytes = 1, f.mismatched_before = true; }, Verdict::destroy},
    {"mismatching", [](Facts& f) { f.mismatching_bytes = 1; }, Verdict::failed},
    {"not all read back", [](Facts& f) { f.verified_bytes = 999; }, Verdict::unknown},
    {"more read back than there is", [](Facts& f) { f.verified_bytes = 1001; }, Verdict::unknown},
    {"nothing read back, nothing erased", [](Facts& f) { f.verification = Verification::none; }, Verdict::unknown},
    {"hidden", [](Facts& f) { f.hidden_areas_remain = true; }, Verdict::unknown},
    {"purged", [](Facts& f) { f.firmware = FirmwareOutcome::purged; }, Verdict::purge},
    {"exceptions", [](Facts& f) { f.had_exceptions = true; }, Verdict::clear_with_exceptions},
    {"exceptions of a sample", [](Facts& f) { f.had_exceptions = true, f.verification = Verification::sample; },
     Verdict::clear_with_exceptions},
    {"sampled", [](Facts& f) { f.verification = Verification::sample; }, Verdict::clear},
    {"firmware cleared", [](Facts& f) { f.firmware = FirmwareOutcome::cleared; }, Verdict::clear},
    {"nothing to say", [](Facts&) {}, Verdict::clear},
};

TEST(Assess, EveryRow) {
  for (const RowCase& row : kRows) {
    Facts facts = perfect();
    row.change(facts);
    EXPECT_EQ(assess(facts).verdict, row.verdict) << row.name;
    EXPECT_FALSE(assess(facts).reason.empty());
  }
}

TEST(Assess, TheEarlierRowDecides) {
  for (std::size_t first = 0; first < std::size(kRows); ++first)
    for (std::size_t second = first + 1; second < std::size(kRows); ++second) {
      Facts facts = perfect();
      kRows[second].change(facts);
      kRows[first].change(facts);  // last, where both set the same fact
      if (facts.verification == Verification::none && facts.firmware != FirmwareOutcome::none_in_plan) continue;
      EXPECT_EQ(assess(facts).verdict, kRows[first].verdict) << kRows[first].name << kRows[second].name;
    }
}

TEST(Assess, OnlyThreeAreSuccess) {
  EXPECT_TRUE(is_success(Verdict::purge));
  EXPECT_TRUE(is_success(Verdict::clear));
  EXPECT_TRUE(is_success(Verdict::clear_with_exceptions));
  EXPECT_FALSE(is_success(Verdict::failed));
  EXPECT_FALSE(is_success(Verdict::destroy));
  EXPECT_FALSE(is_success(Verdict::unknown));
  EXPECT_FALSE(is_success(assess(Facts{}).verdict)) << "of a disk of no size that nobody touched";
}

TEST(Assess, VerdictsHaveNamesOfTheirOwn) {
  EXPECT_EQ(verdict_name(Verdict::clear_with_exceptions), "clear-with-exceptions");
  EXPECT_NE(verdict_name(Verdict::clear), verdict_name(Verdict::purge));
}

FirmwareProgress perfect_erasure(FirmwareMethod method) {
  FirmwareProgress erasure;
  erasure.method = method == FirmwareMethod::purge_auto ? FirmwareMethod::ata_sanitize_block : method;
  erasure.phase = FirmwarePhase::completed;
  erasure.acceptance = Acceptance::seen;
  erasure.completion = Completion::seen;
  erasure.marker_offsets = {0};
  return erasure;
}

Remains perfect_remains() {
  Remains remains;
  remains.markers_changed = 1;
  return remains;
}

// Of 1000 bytes.
OverwriteResult result_of(const Plan& plan) {
  OverwriteResult result;
  result.plan = plan;
  result.geometry.size_bytes = 1000;
  for (const Step& step : result.plan.steps) {
    StepProgress& progress = result.progress.steps.emplace_back();
    progress.began = progress.ended = Time{1};
    progress.done_bytes = 1000;
    if (step.kind == StepKind::firmware_erase) progress.firmware = perfect_erasure(step.method);
    if (step.kind == StepKind::check_erasure) progress.remains = perfect_remains();
    if (step.kind == StepKind::remove_hidden_areas) progress.hidden.emplace();
  }
  return result;
}
OverwriteResult result_of(const char* plan) { return result_of(shipped_plan(plan)); }

Verdict verdict_of(const OverwriteResult& result) { return assess(facts_of(result)).verdict; }

// Typed from IEEE 2883, not taken from the table under test.
TEST(FactsOf, APlanThatWentWell) {
  const std::set<std::string> only_clear{"ata-secure-erase", "nvme-format-user", "nvme-format-crypto"};
  for (const Plan& plan : shipped_plans()) {
    const bool by_firmware = document(plan).find(R"("category":"by-firmware")") != std::string::npos;
    const Verdict expected = by_firmware && !only_clear.contains(plan.name) ? Verdict::purge : Verdict::clear;
    EXPECT_EQ(verdict_of(result_of(plan)), expected) << plan.name;
  }
}

using Steps = std::vector<StepProgress>;
Verdict altered(const Plan& plan, void (*change)(Steps&)) {
  OverwriteResult result = result_of(plan);
  change(result.progress.steps);
  return verdict_of(result);
}

// Hidden areas, a pass, its read-back, the firmware, the check.
TEST(FactsOf, WhatTheFirmwareDid) {
  const auto with = [](void (*change)(Steps&)) { return altered(shipped_plan("bsi-gs"), change); };
  EXPECT_EQ(with([](Steps&) {}), Verdict::purge);
  EXPECT_EQ(with([](Steps& s) { s[3].firmware->acceptance = Acceptance::unseen; }), Verdict::unknown);
  EXPECT_EQ(with([](Steps& s) { s[3].firmware->acceptance = Acceptance::refused; }), Verdict::destroy);
  EXPECT_EQ(with([](Steps& s) { s[3].firmware->completion = Completion::unseen; }), Verdict::unknown);
  EXPECT_EQ(with([](Steps& s) { s[3].firmware->completion = Completion::failed; }), Verdict::destroy);
  EXPECT_EQ(with([](Steps& s) { s[3].firmware->password_remains = true; }), Verdict::destroy);
  EXPECT_EQ(with([](Steps& s) {
              s[3].firmware->hidden_areas = {{HiddenKind::hpa, 5, 1005, false}};
            }),
            Verdict::unknown);
  EXPECT_EQ(with([](Steps& s) { s[3].firmware->method = FirmwareMethod::ata_secure_erase; }), Verdict::clear);
  EXPECT_EQ(with([](Steps& s) { s[3].firmware.reset(); }), Verdict::unknown);
  EXPECT_EQ(with([](Steps& s) { s[3].ended.reset(); }), Verdict::failed);
  EXPECT_EQ(with([](Steps& s) { s[4].remains->markers_unchanged = 1; }), Verdict::destroy);
  EXPECT_EQ(with([](Steps& s) { s[4].remains->markers_unreadable = 1; }), Verdict::unknown);
  EXPECT_EQ(with([](Steps& s) { s[4].remains->markers_changed = 0; }), Verdict::unknown);
  EXPECT_EQ(with([](Steps& s) { s[4].remains->signatures = {"GPT at byte 512"}; }), Verdict::destroy);
  EXPECT_EQ(with([](Steps& s) { s[4].remains.reset(); }), Verdict::unknown);
  EXPECT_EQ(with([](Steps& s) { s.pop_back(); }), Verdict::unknown);
  EXPECT_EQ(with([](Steps& s) { s[0].hidden->areas = {{HiddenKind::dco, 5, 1005, false}}; }), Verdict::unknown);
  EXPECT_EQ(with([](Steps& s) { s[0].hidden->areas = {{HiddenKind::dco, 5, 1005, true}}; }), Verdict::purge);
}

// Neither half of a plan makes up for the other.
TEST(FactsOf, TheWeakerHalfDecides) {
  const auto with = [](void (*change)(Steps&)) { return altered(shipped_plan("bsi-gs"), change); };
  EXPECT_EQ(with([](Steps& s) { s[1].bad.add({0, 10}); }), Verdict::destroy);
  EXPECT_EQ(with([](Steps& s) { s[2].mismatching.add({0, 10}); }), Verdict::failed);
  EXPECT_EQ(with([](Steps& s) { s[2].done_bytes = 990; }), Verdict::unknown);
}

TEST(FactsOf, WhatIsReadBackIsTheDiskAsLargeAsItWasThen) {
  const auto with = [](void (*change)(Steps&)) { return altered(shipped_plan("bsi-gs"), change); };
  EXPECT_EQ(with([](Steps& s) { s[0].size_bytes = 2000; }), Verdict::unknown);
  EXPECT_EQ(with([](Steps& s) { s[0].size_bytes = 2000, s[2].done_bytes = 2000; }), Verdict::purge);
  EXPECT_EQ(with([](Steps& s) { s[3].size_bytes = 2000; }), Verdict::purge) << "the firmware erased the rest";
}

TEST(FactsOf, WhatWasDiscardedCountsForNothing) {
  Plan plan = shipped_plan("nist-clear");
  plan.steps.push_back({StepKind::discard});
  EXPECT_EQ(altered(plan, [](Steps&) {}), Verdict::clear);
  EXPECT_EQ(altered(plan, [](Steps& s) { s[2].errors = 1; }), Verdict::clear);
  EXPECT_EQ(altered(plan, [](Steps& s) { s[2].ended.reset(); }), Verdict::clear);
  EXPECT_EQ(altered(plan, [](Steps& s) { s.pop_back(); }), Verdict::clear);
  EXPECT_EQ(altered(plan, [](Steps& s) { s.pop_back(), s.pop_back(); }), Verdict::failed);
}

TEST(FactsOf, ASampleIsSaidToBeOne) {
  OverwriteResult result = result_of(sampled(shipped_plan("nist-clear")));
  EXPECT_EQ(assess(facts_of(result)).reason, assess(facts_of(result_of("nist-clear"))).reason) << "it was read whole";
  result.geometry.size_bytes = 1ULL << 30;
  EXPECT_EQ(verdict_of(result), Verdict::unknown);
  result.progress.steps[1].done_bytes = sample_bytes(result.geometry);
  EXPECT_EQ(verdict_of(result), Verdict::clear);
  EXPECT_NE(std::string(assess(facts_of(result)).reason).find("a sample of it was read back"), std::string::npos);
}

TEST(FactsOf, WhatTheJournalSays) {
  const auto with = [](auto change) {
    OverwriteResult result = result_of("dod-3pass");
    change(result.progress.steps);
    return verdict_of(result);
  };
  EXPECT_EQ(with([](Steps& s) { s.clear(); }), Verdict::failed);
  EXPECT_EQ(with([](Steps& s) { s.pop_back(); }), Verdict::failed);
  EXPECT_EQ(with([](Steps& s) { s[3].ended.reset(); }), Verdict::failed);
  EXPECT_EQ(with([](Steps& s) { s[2].bad.add({0, 10}); }), Verdict::destroy);
  EXPECT_EQ(with([](Steps& s) { s[2].set_aside.add({0, 10}); }), Verdict::destroy);
  EXPECT_EQ(with([](Steps& s) { s[3].unreadable.add({0, 10}); }), Verdict::destroy);
  EXPECT_EQ(with([](Steps& s) { s[3].mismatching.add({0, 10}); }), Verdict::failed);
  EXPECT_EQ(with([](Steps& s) { s[3].done_bytes = 990; }), Verdict::unknown);
  EXPECT_EQ(with([](Steps& s) { s[0].bad.add({0, 10}); }), Verdict::clear_with_exceptions);
  EXPECT_EQ(with([](Steps& s) { s[1].restarts = 1; }), Verdict::clear_with_exceptions);
  EXPECT_EQ(with([](Steps& s) { s[3].healed.add({0, 10}); }), Verdict::clear_with_exceptions);
}

}  // namespace
}  // namespace qcbak::wipe
