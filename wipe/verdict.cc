#include "wipe/verdict.h"

#include <algorithm>

#include "base/error.h"

namespace qcbak::wipe {
namespace {

struct Row {
  bool (*applies)(const Facts&);
  Assessment assessment;
};

// In the order of docs/sanitisation.md "Verdicts": the first that applies decides.
constexpr Row kTable[] = {
    {[](const Facts& f) { return !f.anything_done; }, {Verdict::failed, "nothing was done to the disk"}},
    {[](const Facts& f) { return f.firmware == FirmwareOutcome::failed; },
     {Verdict::destroy, "the disk's own erasure failed"}},
    {[](const Facts& f) { return f.firmware == FirmwareOutcome::not_known; },
     {Verdict::unknown, "the plan has steps whose outcome is not known"}},
    {[](const Facts& f) { return !f.all_steps_ended; },
     {Verdict::failed, "a step of the plan did not come to its end"}},
    {[](const Facts& f) { return f.unwritten_bytes > 0; },
     {Verdict::destroy, "blocks could not be written in the last pass"}},
    {[](const Facts& f) { return f.unreadable_bytes > 0; }, {Verdict::destroy, "blocks could not be read back"}},
    {[](const Facts& f) { return f.mismatching_bytes > 0 && f.mismatched_before; },
     {Verdict::destroy, "blocks did not hold what was written, as in an earlier run"}},
    {[](const Facts& f) { return f.mismatching_bytes > 0; }, {Verdict::failed, "blocks did not hold what was written"}},
    {[](const Facts& f) { return f.verified_bytes != f.size_bytes; },
     {Verdict::unknown, "not every byte of the disk was read back"}},
    {[](const Facts& f) { return f.firmware == FirmwareOutcome::purged; },
     {Verdict::purge, "the disk's own erasure was seen to succeed"}},
    {[](const Facts& f) { return f.had_exceptions; },
     {Verdict::clear_with_exceptions, "everything was read back; some blocks failed on the way"}},
    {[](const Facts&) { return true; }, {Verdict::clear, "everything was written and read back"}},
};

bool had_exceptions(const StepProgress& step) {
  return !step.bad.empty() || !step.healed.empty() || !step.mismatching.empty() || step.restarts > 0;
}

void take_step(Facts& facts, const Step& planned, const StepProgress& step) {
  facts.had_exceptions = facts.had_exceptions || had_exceptions(step);
  if (!overwrites(planned)) return;
  facts.all_steps_ended = facts.all_steps_ended && step.ended.has_value();
  if (writes(planned)) {
    facts.anything_done = facts.anything_done || step.ended.has_value();
    facts.unwritten_bytes = step.bad.total_bytes() + step.set_aside.total_bytes();
    facts.unreadable_bytes = facts.mismatching_bytes = facts.verified_bytes = 0;  // of what was there before
  } else {
    facts.unreadable_bytes = step.unreadable.total_bytes() + step.set_aside.total_bytes();
    facts.mismatching_bytes = step.mismatching.total_bytes();
    facts.verified_bytes = step.done_bytes;
  }
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
  facts.size_bytes = result.geometry.size_bytes;
  facts.all_steps_ended = result.progress.steps.size() == result.plan.steps.size();
  if (!std::ranges::all_of(result.plan.steps, overwrites)) facts.firmware = FirmwareOutcome::not_known;
  for (std::size_t i = 0; i < result.progress.steps.size(); ++i)
    take_step(facts, result.plan.steps.at(i), result.progress.steps[i]);
  return facts;
}

Assessment assess(const Facts& facts) {
  for (const Row& row : kTable)
    if (row.applies(facts)) return row.assessment;
  return {Verdict::unknown, "no row of the table applies"};
}

}  // namespace qcbak::wipe
