// A wipe whose dossier the daemon keeps: what it is told while disks are at work, and what is brought to it. docs/media.md "On the
// machine with the disk".
#pragma once

#include <set>

#include "cli/kept_dossier.h"
#include "cli/wipe_work.h"

namespace qcbak::cli {

// Tells the daemon of each state before it is entered. What it refuses ends the medium's wipe; when it is gone the wipe goes on, and
// the run is brought later.
class ToldDaemon final : public WipeObserver {
 public:
  ToldDaemon(const Invocation& invocation, const KeptDossier& kept, const std::vector<WipeTask>& tasks);
  void entering(std::size_t medium, MediumState state) override;
  void finished(const evidence::WipeRun& run) override;
  // That these have no run, and stopped.
  void interrupted(const std::vector<WipeOutcome>& outcomes);

 private:
  void tell(std::size_t medium, const std::string& act);
  std::string state_of(std::size_t medium) const;  // as the daemon had it at the beginning
  const WipeTask& task_of(std::size_t medium) const;
  std::string job_of(std::size_t medium) const;  // empty: it is not begun yet
  const Invocation& invocation_;
  const KeptDossier& kept_;
  const std::vector<WipeTask>& tasks_;
  std::set<std::size_t> untold_;  // media of whose states the daemon no longer heard
};

// What the bundle has and the daemon has not, if the daemon answers; a warning says where it is kept when it does not.
void bring_bundle(const Invocation& invocation, const std::string& path);

}  // namespace qcbak::cli
