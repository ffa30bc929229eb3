// Erases a disk by its own firmware, and finds out whether it did. docs/sanitisation.md "Erasure by the disk's firmware".
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <stop_token>

#include "wipe/firmware_drive.h"
#include "wipe/guard.h"
#include "wipe/hidden_areas.h"
#include "wipe/pass_content.h"
#include "wipe/verdict.h"

namespace qcbak::wipe {

// How far a job has come; what it does after a restart depends on it.
enum class FirmwarePhase {
  begun,      // nothing that matters was sent
  marked,     // the markers are on the disk
  sending,    // the command may have reached the disk, or not
  accepted,   // it has
  completed,  // the disk said that it is done
};

// What a job must not forget.
struct FirmwareProgress {
  FirmwareMethod method = FirmwareMethod::purge_auto;  // once begun: what was chosen
  FirmwarePhase phase = FirmwarePhase::begun;
  std::uint32_t attempt = 0;                  // how often markers were written
  std::vector<std::uint64_t> marker_offsets;  // of those that were read back right
  std::vector<HiddenArea> hidden_areas;
  std::vector<CommandRecord> commands;
};
inline constexpr std::size_t kMarkerLimit = 64;
// Deterministic CBOR; the journal's field. Error(damaged) for what is none.
Bytes firmware_progress_bytes(const FirmwareProgress& progress);
FirmwareProgress parse_firmware_progress(ByteView bytes);

enum class Acceptance { unseen, seen, refused };
enum class Completion { unseen, seen, failed };
enum class Markers { unreadable, changed, unchanged };  // unchanged: at least one; changed: all

// What was found on the disk afterwards. It proves nothing: no erasure has a pattern that another cannot leave.
struct Remains {
  Markers markers = Markers::unreadable;
  std::size_t markers_changed = 0;
  std::size_t markers_unchanged = 0;
  std::size_t markers_unreadable = 0;
  std::array<std::uint64_t, 256> histogram{};  // of the sampled bytes
  std::uint64_t sampled_bytes = 0;
  std::vector<std::string> signatures;  // of file systems and the like, with where
};

enum class ErasureOutcome { erased, failed, unknown };
struct ErasureFacts {
  Acceptance acceptance = Acceptance::unseen;
  Completion completion = Completion::unseen;
  Markers markers = Markers::unreadable;
  bool signatures_remain = false;
  bool hidden_areas_remain = false;
  bool password_remains = false;
};
struct ErasureAssessment {
  ErasureOutcome outcome = ErasureOutcome::unknown;
  std::string_view reason;  // a sentence for people; never empty
};
ErasureAssessment assess_erasure(const ErasureFacts& facts);

struct FirmwareErasure {
  ErasureFacts facts;
  ErasureAssessment assessment;
  Category category = Category::clear;  // of the method, if it was erased
  Remains remains;
  FirmwareProgress progress;  // with every command that was sent
};
// For the table of verdicts.
FirmwareOutcome firmware_outcome(const FirmwareErasure& erasure);

struct FirmwareEraseOptions {
  std::function<void(std::int64_t ns)> wait;  // between polls; nothing: sleeps
  std::int64_t poll_ns = 10'000'000'000;
  std::int64_t stuck_ns = 2 * 3600'000'000'000;  // without any progress
  std::function<void(const Polled&)> progress;
};
// Makes the progress durable before it returns.
using SaveFirmwareProgress = std::function<void(const FirmwareProgress&)>;

// Removes hidden areas, writes markers, sends the command, follows it to its end and looks at what it left. `last`: of an
// earlier run of this job on this disk. Error(refused), with nothing erased, when the disk is not the one that was
// confirmed, has no such command, or must not be sent it now; Error(interrupted) while the disk goes on erasing. After
// any of them, and after a kill or a power cut, another call with what was saved last goes on.
FirmwareErasure erase_by_firmware(BlockDevice& device, ConfirmedTarget target, FirmwareMethod method,
                                  const JobSecret& secret, std::optional<FirmwareProgress> last,
                                  const SaveFirmwareProgress& save, const FirmwareEraseOptions& options,
                                  const Clock& clock, std::stop_token stop);

// How long a command may take, given the disk's own estimate.
std::int64_t erasure_limit_ns(FirmwareMethod method, std::optional<std::int64_t> estimate_s, std::uint64_t size_bytes);

}  // namespace qcbak::wipe
