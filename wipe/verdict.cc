#include "wipe/verdict.h"

#include <algorithm>

#include "base/error.h"
#include "wipe/sample.h"

namespace qcbak::wipe {
namespace {

struct Row {
  bool (*applies)(const Facts&);
  Assessment assessment;
};

// In the order of docs/sanitisation.md "Verdicts": the first that applies decides. Without a reason of its own it is the
// erasure's.
constexpr Row kTable[] = {
    {[](const Facts& f) { return f.given_up == GivenUp::hung; },
     {Verdict::failed, "the disk did not answer any more, and was given up"}},
    {[](const Facts& f) { return f.given_up == GivenUp::crawling; },
     {Verdict::failed, "the disk was too slow, and was given up"}},
    {[](const Facts& f) { return !f.anything_done; }, {Verdict::failed, "nothing was done to the disk"}},
    {[](const Facts& f) { return f.firmware == FirmwareOutcome::failed; }, {Verdict::destroy, ""}},
    {[](const Facts& f) { return f.firmware == FirmwareOutcome::not_known; }, {Verdict::unknown, ""}},
    {[](const Facts& f) { return !f.all_steps_ended; },
     {Verdict::failed, "a step of the plan did not come to its end"}},
    {[](const Facts& f) { return f.unwritten_bytes > 0; },
     {Verdict::destroy, "blocks could not be written in the last pass"}},
    {[](const Facts& f) { return f.unreadable_bytes > 0; }, {Verdict::destroy, "blocks could not be read back"}},
    {[](const Facts& f) { return f.mismatching_bytes > 0 && f.mismatched_before; },
     {Verdict::destroy, "blocks did not hold what was written, as in an earlier run"}},
    {[](const Facts& f) { return f.mismatching_bytes > 0; }, {Verdict::failed, "blocks did not hold what was written"}},
    {[](const Facts& f) { return f.verified_bytes != f.asked_bytes; },
     {Verdict::unknown, "not every byte of the disk was read back"}},
    {[](const Facts& f) { return f.verification == Verification::none && f.firmware == FirmwareOutcome::none_in_plan; },
     {Verdict::unknown, "nothing was read back, and no erasure was seen"}},
    {[](const Facts& f) { return f.hidden_areas_remain; },
     {Verdict::unknown, "a part of the disk is hidden, and nobody could look at it"}},
    {[](const Facts& f) { return f.firmware == FirmwareOutcome::purged; },
     {Verdict::purge, "the disk's own erasure was seen to succeed"}},
    {[](const Facts& f) { return f.had_exceptions && f.verification == Verification::sample; },
     {Verdict::clear_with_exceptions, "a sample of the disk was read back; some blocks failed on the way"}},
    {[](const Facts& f) { return f.had_exceptions; },
     {Verdict::clear_with_exceptions, "everything was read back; some blocks failed on the way"}},
    {[](const Facts& f) { return f.firmware == FirmwareOutcome::cleared; },
     {Verdict::clear, "the disk's own erasure was seen to succeed, by a command that amounts to Clear"}},
    {[](const Facts& f) { return f.verification == Verification::sample; },
     {Verdict::clear, "everything was written, and a sample of it was read back"}},
    {[](const Facts&) { return true; }, {Verdict::clear, "everything was written and read back"}},
};

bool had_exceptions(const StepProgress& step) {
  return !step.bad.empty() || !step.healed.empty() || !step.mismatching.empty() || step.restarts > 0;
}

void take_writing(Facts& facts, const StepProgress& step) {
  facts.anything_done = facts.anything_done || step.ended.has_value();
  facts.unwritten_bytes = step.bad.total_bytes() + step.set_aside.total_bytes();
  facts.unreadable_bytes = facts.mismatching_bytes = facts.verified_bytes = 0;  // of what was there before
}

void take_verifying(Facts& facts, const StepProgress& step) {
  facts.unreadable_bytes = step.unreadable.total_bytes() + step.set_aside.total_bytes();
  facts.mismatching_bytes = step.mismatching.total_bytes();
  facts.verified_bytes = step.done_bytes;
}

bool is_left(const std::vector<HiddenArea>& areas) { return !std::ranges::all_of(areas, &HiddenArea::removed); }

// What was done on a disk, step by step.
void take_step(Facts& facts, const Step& planned, const StepProgress& step) {
  if (planned.kind == StepKind::discard) return;
  facts.had_exceptions = facts.had_exceptions || had_exceptions(step);
  facts.all_steps_ended = facts.all_steps_ended && step.ended.has_value();
  if (writes(planned)) take_writing(facts, step);
  if (verifies(planned)) take_verifying(facts, step);
  if (step.hidden) facts.hidden_areas_remain = facts.hidden_areas_remain || is_left(step.hidden->areas);
  if (step.firmware) {
    facts.hidden_areas_remain = facts.hidden_areas_remain || is_left(step.firmware->hidden_areas);
    facts.anything_done = facts.anything_done || step.firmware->phase >= FirmwarePhase::sending;
  }
}

// What the plan asks to be read back of its last pass, on a disk as large as it was then.
void take_verification(Facts& facts, const OverwriteResult& result) {
  Geometry geometry = result.geometry;
  facts.verification = Verification::none;
  facts.asked_bytes = 0;
  for (std::size_t i = 0; i < result.plan.steps.size(); ++i) {
    const Step& step = result.plan.steps[i];
    if (i < result.progress.steps.size() && result.progress.steps[i].size_bytes)
      geometry.size_bytes = *result.progress.steps[i].size_bytes;
    if (!verifies(step)) continue;
    const bool is_sample = step.kind == StepKind::sample && is_sampled(geometry);
    facts.verification = is_sample ? Verification::sample : Verification::whole;
    facts.asked_bytes = is_sample ? sample_bytes(geometry) : geometry.size_bytes;
  }
}

FirmwareOutcome outcome_of(ErasureOutcome outcome, FirmwareMethod method) {
  switch (outcome) {
    case ErasureOutcome::failed: return FirmwareOutcome::failed;
    case ErasureOutcome::unknown: return FirmwareOutcome::not_known;
    case ErasureOutcome::erased:
      return method_row(method).category == Category::purge ? FirmwareOutcome::purged : FirmwareOutcome::cleared;
  }
  return FirmwareOutcome::not_known;
}

// A plan has one erasure at most, and checks it in the step after it.
void take_erasure(Facts& facts, const OverwriteResult& result) {
  const auto erasing = std::ranges::find(result.plan.steps, StepKind::firmware_erase, &Step::kind);
  if (erasing == result.plan.steps.end()) return;
  facts.firmware = FirmwareOutcome::not_known;
  const std::vector<StepProgress>& steps = result.progress.steps;
  const auto index = static_cast<std::size_t>(erasing - result.plan.steps.begin());
  if (index >= steps.size() || !steps[index].firmware) return;
  const bool was_looked_at = index + 1 < steps.size() && steps[index + 1].ended && steps[index + 1].remains;
  const FirmwareProgress& erasure = *steps[index].firmware;
  const Remains remains = was_looked_at ? *steps[index + 1].remains : Remains{};
  const ErasureAssessment assessment = assess_erasure(erasure_facts(erasure, remains));
  facts.firmware = outcome_of(assessment.outcome, erasure.method);
  facts.firmware_reason = assessment.reason;
}

}  // namespace

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::purge: return "purge";
    case Verdict::clear: return "clear";
    case Verdict::clear_with_exceptions: return "clear-with-exceptions";
    case Verdict::failed: return "failed";
    case Verdict::destroy: return "destroy";
    case Verdict::unknown: return "unknown";
  }
  check(false, "every verdict has a name");
  return {};
}

bool is_success(Verdict verdict) {
  return verdict == Verdict::purge || verdict == Verdict::clear || verdict == Verdict::clear_with_exceptions;
}

Facts facts_of(const OverwriteResult& result) {
  Facts facts;
  const bool discards = !result.plan.steps.empty() && result.plan.steps.back().kind == StepKind::discard;
  facts.all_steps_ended = result.progress.steps.size() + (discards ? 1 : 0) >= result.plan.steps.size();
  for (std::size_t i = 0; i < result.progress.steps.size(); ++i)
    take_step(facts, result.plan.steps.at(i), result.progress.steps[i]);
  take_verification(facts, result);
  take_erasure(facts, result);
  return facts;
}

Assessment assess(const Facts& facts) {
  for (const Row& row : kTable)
    if (row.applies(facts))
      return {row.assessment.verdict, row.assessment.reason.empty() ? facts.firmware_reason : row.assessment.reason};
  return {Verdict::unknown, "no row of the table applies"};
}

}  // namespace qcbak::wipe
