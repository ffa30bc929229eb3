// The steps of a plan that are the disk's own work: hidden areas, its erasure, a look at what that left, discarding.
#pragma once

#include "wipe/firmware_erase.h"
#include "wipe/journal.h"

namespace qcbak::wipe {

// Error(refused), in one sentence, with nothing sent that changes the disk, where the disk cannot be asked for what the plan
// wants of its firmware. Before the first step: what would be refused after hours of writing is refused at once.
void require_possible(BlockDevice& device, const ConfirmedTarget& target, const Plan& plan, const Clock& clock);

enum class StepEnd {
  reached,
  open,  // nobody saw the erasure end: the plan stops here, and a later run takes the step up again
};

// What a step works with; all of it outlives the call.
struct FirmwareStep {
  BlockDevice& device;
  const ConfirmedTarget& target;
  const Step& planned;
  const JobSecret& secret;
  const FirmwareEraseOptions& options;
  const Clock& clock;
  std::stop_token stop;
  StepProgress& progress;        // of the step; goes on from what is in it
  const Progress& job;           // with the steps before
  std::function<void()> record;  // makes the progress durable
};
// Does a step that does not overwrite. Errors as of run_erasure().
StepEnd do_firmware_step(const FirmwareStep& step);

}  // namespace qcbak::wipe
