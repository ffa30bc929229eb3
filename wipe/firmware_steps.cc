#include "wipe/firmware_steps.h"

#include <algorithm>

#include "base/error.h"
#include "wipe/hidden_areas.h"
#include "wipe/remains.h"

namespace qcbak::wipe {
namespace {

bool has_step(const Plan& plan, StepKind kind) {
  return std::ranges::find(plan.steps, kind, &Step::kind) != plan.steps.end();
}

CommandChannel& channel_of(BlockDevice& device) {
  CommandChannel* const channel = device.commands();
  if (channel == nullptr)
    throw Error(ErrorCode::refused, device.name() + ": its firmware's commands cannot be reached");
  return *channel;
}

// What the disk shows counts, and not what it said: an area may be hidden again by now, or the system may not have seen it.
void settle_size(const BlockDevice& device, std::vector<HiddenArea>& areas, StepProgress& progress) {
  const std::uint64_t size_bytes = device.geometry().size_bytes;
  for (HiddenArea& area : areas) area.removed = area.removed && area.size_bytes <= size_bytes;
  progress.size_bytes = size_bytes;
}

StepEnd remove_areas(const FirmwareStep& step) {
  if (!step.progress.hidden) step.progress.hidden.emplace();
  HiddenRemoval& removal = *step.progress.hidden;
  Transcript transcript(channel_of(step.device), step.clock, removal.commands);
  const auto save = [&](const std::vector<HiddenArea>& found) {
    removal.areas = found;
    removal.commands = transcript.records();
    step.record();
  };
  removal.areas = in_context(step.device.name(), [&] { return remove_hidden_areas(transcript, removal.areas, save); });
  removal.commands = transcript.records();
  settle_size(step.device, removal.areas, step.progress);
  return StepEnd::reached;
}

StepEnd erase(const FirmwareStep& step) {
  const auto save = [&](const FirmwareProgress& progress) {
    step.progress.firmware = progress;
    step.record();
  };
  step.progress.firmware = run_erasure(step.device, step.target, step.planned.method, step.secret,
                                       step.progress.firmware, save, step.options, step.clock, step.stop);
  const FirmwareProgress& erasure = *step.progress.firmware;
  const bool is_over = erasure.acceptance == Acceptance::refused || erasure.completion != Completion::unseen;
  if (!is_over) return StepEnd::open;
  settle_size(step.device, step.progress.firmware->hidden_areas, step.progress);
  return StepEnd::reached;
}

// The plan has an erasure right before it.
const FirmwareProgress& erasure_before(const Progress& job) {
  check(job.steps.size() > 1 && job.steps[job.steps.size() - 2].firmware, "what is checked was erased by firmware");
  return *job.steps[job.steps.size() - 2].firmware;
}

StepEnd look(const FirmwareStep& step) {
  const FirmwareProgress& erasure = erasure_before(step.job);
  step.progress.remains =
      look_at_remains(step.device, MarkerContent(step.secret, erasure.attempt), erasure.marker_offsets);
  return StepEnd::reached;
}

// No erasure: what becomes of it counts for nothing.
StepEnd discard(const FirmwareStep& step) {
  step.progress.errors += step.device.discard() == 0 ? 0 : 1;
  return StepEnd::reached;
}

}  // namespace

void require_possible(BlockDevice& device, const ConfirmedTarget& target, const Plan& plan, const Clock& clock) {
  if (has_step(plan, StepKind::remove_hidden_areas)) channel_of(device);
  const auto erasing = std::ranges::find(plan.steps, StepKind::firmware_erase, &Step::kind);
  if (erasing != plan.steps.end()) require_erasable(device, target, erasing->method, clock);
}

StepEnd do_firmware_step(const FirmwareStep& step) {
  switch (step.planned.kind) {
    case StepKind::remove_hidden_areas: return remove_areas(step);
    case StepKind::firmware_erase: return erase(step);
    case StepKind::check_erasure: return look(step);
    case StepKind::discard: return discard(step);
    default: break;
  }
  check(false, "a step of this kind does not overwrite");
  return StepEnd::open;
}

}  // namespace qcbak::wipe
