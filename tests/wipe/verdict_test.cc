#include "wipe/verdict.h"

#include <gtest/gtest.h>

namespace qcbak::wipe {
namespace {

Facts perfect() {
  Facts facts;
  facts.anything_done = true;
  facts.all_steps_ended = true;
  facts.size_bytes = 1000;
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
    {"purged", [](Facts& f) { f.firmware = FirmwareOutcome::purged; }, Verdict::purge},
    {"exceptions", [](Facts& f) { f.had_exceptions = true; }, Verdict::clear_with_exceptions},
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

// 1000 bytes: a pass, and its read-back.
OverwriteResult result_of(const char* plan) {
  OverwriteResult result;
  result.plan = shipped_plan(plan);
  result.geometry.size_bytes = 1000;
  for (const Step& step : result.plan.steps) {
    StepProgress& progress = result.progress.steps.emplace_back();
    if (!overwrites(step)) continue;
    progress.began = progress.ended = Time{1};
    progress.done_bytes = 1000;
  }
  return result;
}

Verdict verdict_of(const OverwriteResult& result) { return assess(facts_of(result)).verdict; }

TEST(FactsOf, APlanThatWentWell) {
  for (const Plan& plan : shipped_plans()) {
    const bool by_firmware = plan.name == "bsi-gs" || plan.name == "bsi-gse";
    EXPECT_EQ(verdict_of(result_of(plan.name.c_str())), by_firmware ? Verdict::unknown : Verdict::clear) << plan.name;
  }
}

TEST(FactsOf, WhatTheJournalSays) {
  const auto with = [](auto change) {
    OverwriteResult result = result_of("dod-3pass");
    change(result.progress.steps);
    return verdict_of(result);
  };
  using Steps = std::vector<StepProgress>;
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
