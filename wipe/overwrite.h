// Runs a plan on a disk: its own overwriting and reading back, and what the disk's firmware does. docs/sanitisation.md
// "Overwriting", "Erasure by the disk's firmware".
#pragma once

#include <functional>
#include <stop_token>

#include "base/random.h"
#include "wipe/cooling.h"
#include "wipe/firmware_erase.h"
#include "wipe/guard.h"
#include "wipe/journal.h"
#include "wipe/plan.h"

namespace qcbak::wipe {

// Of the step that runs. Called by one thread at a time, from any; it must not throw.
struct OverwriteProgress {
  std::size_t step = 0;  // index into the plan's steps
  std::uint64_t done_bytes = 0;
  std::uint64_t size_bytes = 0;
};

struct OverwriteOptions {
  std::size_t chunk_bytes = 6U << 20;          // one request; a multiple of kPatternTileBytes and of the physical block
  unsigned requests_at_once = 3;               // each with a thread and a chunk of memory
  std::uint64_t watermark_bytes = 8ULL << 30;  // at the latest after so much …
  std::int64_t watermark_ns = 30'000'000'000;  // … and so long, what was done is durable in the journal
  std::uint64_t resume_check_bytes = 256U << 20;  // read before the watermark when a run goes on
  std::uint32_t attempts_limit = 65536;           // after faults, in one step
  std::int64_t attempts_ns = 3600'000'000'000;    // likewise
  FirmwareEraseOptions firmware;                  // its `progress` is told as well
  std::function<void(const OverwriteProgress&)> progress;
  // Lets the disk rest between chunks; what it saw is in the journal. Not while faults are settled, which has a limit of time.
  Cooling* cooling = nullptr;
};

struct OverwriteResult {
  ApprovedTarget approved;
  Identity identity;
  Geometry geometry;  // as it was approved; a step that found hidden areas says how large the disk is since
  Plan plan;
  crypto::Sha256 plan_hash;
  std::vector<std::string> contents;  // of each step that writes: "00", "924924", "random"; empty for the others
  Progress progress;
};

// What a new journal begins with.
JobBeginning begin_job(const ConfirmedTarget& target, const Plan& plan, const Clock& clock, Random& random);

// Runs the plan's steps that the journal does not say are done. Faults of the disk are in the result; so is an erasure by
// firmware that nobody saw come to its end: then the steps after it are not reached, and another call goes on with it.
// Error(refused), before anything is written, unless target, device, plan and journal are of one job, and the disk takes the
// commands that the plan wants; Error(interrupted) after the journal holds all that was done; Error(io) when the disk is
// gone, or a flush or the journal fails. After any of them, and after a kill or a power cut, another call with the same
// journal goes on.
OverwriteResult overwrite(BlockDevice& device, ConfirmedTarget target, const Plan& plan, Journal& journal,
                          const OverwriteOptions& options, const Clock& clock, std::stop_token stop);

}  // namespace qcbak::wipe
