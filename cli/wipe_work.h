// Wipes media side by side, each in a process of its own (cli/wipe_child.h), and signs each run as its disk comes to its end.
#pragma once

#include <optional>

#include "base/error.h"
#include "cli/command.h"
#include "cli/wipe_task.h"
#include "wipe/watchdog.h"

namespace qcbak::cli {

enum class MediumState { inspected, cleared, sanitising, verifying, assessed };

// Told by one thread, and in their order for one medium; media come as they come. An Error ends the medium's process before it
// does more, and is the medium's outcome.
class WipeObserver {
 public:
  virtual ~WipeObserver() = default;
  // `medium` is the index into the dossier. Of `sanitising` before the disk is written to for the first time; of `verifying`
  // when reading back has begun, and no step follows that writes.
  virtual void entering(std::size_t medium, MediumState state) {
    static_cast<void>(medium);
    static_cast<void>(state);
  }
  // It is signed, and in the bundle, durably.
  virtual void finished(const evidence::WipeRun& run) { static_cast<void>(run); }
};

struct WipeOutcome {
  std::optional<DiskFacts> disk;  // once it was looked at
  std::optional<evidence::WipeRun> run;
  std::optional<Error> error;  // why there is no run
};

enum class Rehearsal { no, yes };

struct MediaOptions {
  std::string output;  // where the dossier is written after each run
  Rehearsal rehearsal = Rehearsal::no;
  wipe::WatchdogLimits limits;
};

// One for each task, in their order. `dossier` gets each run as it ends. The operator's key is opened (cli/signing.h) once every
// disk is cleared or refused; with Rehearsal::yes it never is, and nothing is written. A disk that hangs or crawls is given up:
// its run says so, and that its process is left behind is told at the end. Asked to stop, or at an Error of its own, it makes every process stop first, its journal written.
std::vector<WipeOutcome> run_media(const Invocation& invocation, evidence::Dossier& dossier,
                                   const std::vector<WipeTask>& tasks, const MediaOptions& options,
                                   WipeObserver& observer);

}  // namespace qcbak::cli
