// Erases a disk by its own firmware, and finds out whether it did. docs/sanitisation.md "Erasure by the disk's firmware".
#pragma once

#include <functional>
#include <optional>
#include <stop_token>

#include "wipe/firmware_drive.h"
#include "wipe/firmware_record.h"
#include "wipe/guard.h"
#include "wipe/pass_content.h"

namespace qcbak::wipe {

enum class ErasureOutcome { erased, failed, unknown };
struct ErasureFacts {
  Acceptance acceptance = Acceptance::unseen;
  Completion completion = Completion::unseen;
  Markers markers = Markers::unreadable;
  bool signatures_remain = false;
  bool hidden_areas_remain = false;
  bool password_remains = false;
};
// `remains`: what was found when it was over; of nobody who looked it is empty.
ErasureFacts erasure_facts(const FirmwareProgress& progress, const Remains& remains);
struct ErasureAssessment {
  ErasureOutcome outcome = ErasureOutcome::unknown;
  std::string_view reason;  // a sentence for people; never empty
};
ErasureAssessment assess_erasure(const ErasureFacts& facts);

struct FirmwareEraseOptions {
  std::function<void(std::int64_t ns)> wait;  // between polls; nothing: sleeps
  std::int64_t poll_ns = 10'000'000'000;
  std::int64_t stuck_ns = 2 * 3600'000'000'000;  // without any progress
  std::function<void(const Polled&)> progress;
};
// Makes the progress durable before it returns.
using SaveFirmwareProgress = std::function<void(const FirmwareProgress&)>;

// Why run_erasure() would refuse this disk now. Error(refused); nothing is sent that changes the disk.
void require_erasable(BlockDevice& device, const ConfirmedTarget& target, FirmwareMethod method, const Clock& clock);

// Removes hidden areas, writes markers, sends the command and follows it to its end, or until patience with it is at an end;
// what it left is for look_at_remains(). `last`: of an earlier run of this job on this disk. Error(refused), with nothing
// erased, when the disk is not the one that was confirmed, has no such command, or must not be sent it now;
// Error(interrupted) while the disk goes on erasing. After any of them, and after a kill or a power cut, another call with
// what was saved last goes on.
FirmwareProgress run_erasure(BlockDevice& device, const ConfirmedTarget& target, FirmwareMethod method,
                             const JobSecret& secret, std::optional<FirmwareProgress> last,
                             const SaveFirmwareProgress& save, const FirmwareEraseOptions& options, const Clock& clock,
                             std::stop_token stop);

// How long a command may take, given the disk's own estimate.
std::int64_t erasure_limit_ns(FirmwareMethod method, std::optional<std::int64_t> estimate_s, std::uint64_t size_bytes);

}  // namespace qcbak::wipe
