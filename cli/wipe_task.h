// What one medium's wipe is: the medium of the dossier, what was typed, the disk, the journal; and the run that is recorded.
#pragma once

#include <string>

#include "evidence/dossier.h"
#include "wipe/cooling.h"
#include "wipe/journal.h"

namespace qcbak::cli {

struct WipeTask {
  std::size_t medium = 0;  // index into the media of the dossier
  evidence::RequestedMedium requested;
  wipe::Plan plan;
  crypto::Sha256 order;  // docs/sanitisation.md "The journal": what gives leave for this job and no other
  std::string typed;
  std::string device;
  std::string journal;
  std::uint64_t hot_above_c = wipe::CoolingOptions{}.hot_above_c;  // then the disk rests
};

// What is known of a disk while it is open, beside what its journal says.
struct DiskFacts {
  std::string name;
  wipe::Geometry geometry;
  wipe::Attachment attachment;
  std::vector<std::string> sandbox;  // of the process that has it
  std::optional<wipe::Health> health_after = {};
};

crypto::Sha256 order_of(const evidence::Dossier& dossier, std::size_t medium);
// With the sizes that the task's own journal says the disk may have become. Error(refused) when the vendor is another.
wipe::ApprovedTarget target_of(const WipeTask& task, const wipe::Inspection& inspection);
std::string job_id(const wipe::JobSecret& secret);

// Error(refused) when the approval is not of now.
void require_in_time(const evidence::Dossier& dossier, Time begins);
// Error(refused) when the journal that is there is of another job, or of one that the dossier has already, and when a job that
// is not begun yet may not begin any more.
void require_own_journal(const evidence::Dossier& dossier, const WipeTask& task, Time now);

// What the job has done, from its journal: signed by nobody yet, without a verdict. Error(damaged).
evidence::WipeRun record_of(const WipeTask& task, const DiskFacts& disk);

}  // namespace qcbak::cli
