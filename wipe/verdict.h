// What a wipe amounts to, by a table. docs/sanitisation.md "Verdicts".
#pragma once

#include <string_view>

#include "wipe/overwrite.h"
#include "wipe/watchdog.h"

namespace qcbak::wipe {

enum class Verdict { purge, clear, clear_with_exceptions, failed, destroy, unknown };
std::string_view verdict_name(Verdict verdict);  // "clear-with-exceptions"
bool is_success(Verdict verdict);                // purge, clear, clear with exceptions; nothing else ever is

// Of the plan's erasure by firmware. It counts only when it was seen accepted and completed, and the disk was looked at after
// it.
enum class FirmwareOutcome { none_in_plan, not_known, failed, cleared, purged };

enum class Verification { whole, sample, none };  // none: the plan writes nothing that could be read back

struct Facts {
  bool anything_done = false;    // a writing step came to its end, or a firmware command was run
  bool all_steps_ended = false;  // but discarding, which counts for nothing
  FirmwareOutcome firmware = FirmwareOutcome::none_in_plan;
  std::string_view firmware_reason = "the plan has steps whose outcome is not known";  // when failed, or not known
  bool hidden_areas_remain = false;
  Verification verification = Verification::whole;  // of the last pass, as the plan asks for it
  std::uint64_t asked_bytes = 0;                    // that it means on this disk
  std::uint64_t unwritten_bytes = 0;                // by the last pass
  std::uint64_t unreadable_bytes = 0;               // after it
  std::uint64_t mismatching_bytes = 0;
  std::uint64_t verified_bytes = 0;  // read back, and right
  std::optional<GivenUp> given_up;     // nobody waited for it any longer
  bool mismatched_before = false;    // an earlier run on this disk
  bool had_exceptions = false;       // what an earlier pass left, what was healed, what was lost and written again
};
// `mismatched_before` and `given_up` are the caller's to fill in.
Facts facts_of(const OverwriteResult& result);

struct Assessment {
  Verdict verdict = Verdict::unknown;
  std::string_view reason;  // a sentence for people; never empty
};
Assessment assess(const Facts& facts);

}  // namespace qcbak::wipe
