// What is kept of a disk's own work: what was hidden, how far its erasure came, what it left. docs/sanitisation.md "What a
// job by firmware keeps".
#pragma once

#include <array>
#include <string>
#include <vector>

#include "wipe/firmware_method.h"
#include "wipe/transcript.h"

namespace qcbak::wipe {

enum class HiddenKind { hpa, dco, amac };
std::string_view hidden_kind_name(HiddenKind kind);  // "HPA"

struct HiddenArea {
  HiddenKind kind = HiddenKind::hpa;
  std::uint64_t hidden_bytes = 0;  // 0: the disk did not say how much, when it was asked
  std::uint64_t size_bytes = 0;    // of the disk without it; likewise
  bool removed = false;
  friend bool operator==(const HiddenArea&, const HiddenArea&) = default;
};

// Of the step that removes them alone.
struct HiddenRemoval {
  std::vector<HiddenArea> areas;
  std::vector<CommandRecord> commands;
  friend bool operator==(const HiddenRemoval&, const HiddenRemoval&) = default;
};

enum class Acceptance { unseen, seen, refused };
enum class Completion { unseen, seen, failed };

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
  Acceptance acceptance = Acceptance::unseen;  // of the last attempt; so are the next two
  Completion completion = Completion::unseen;
  bool password_remains = false;
  std::uint32_t attempt = 0;                  // how often markers were written
  std::vector<std::uint64_t> marker_offsets;  // of those that were read back right
  std::vector<HiddenArea> hidden_areas;
  std::vector<CommandRecord> commands;
  friend bool operator==(const FirmwareProgress&, const FirmwareProgress&) = default;
};
inline constexpr std::size_t kMarkerLimit = 64;

enum class Markers { unreadable, changed, unchanged };  // unchanged: at least one; changed: all

// What was found on the disk afterwards. It proves nothing: no erasure has a pattern that another cannot leave.
struct Remains {
  std::size_t markers_changed = 0;
  std::size_t markers_unchanged = 0;
  std::size_t markers_unreadable = 0;
  std::array<std::uint64_t, 256> histogram{};  // of the sampled bytes
  std::uint64_t sampled_bytes = 0;
  std::vector<std::string> signatures;  // of file systems and the like, with where
  Markers markers() const;
  friend bool operator==(const Remains&, const Remains&) = default;
};
inline constexpr std::size_t kSignatureLimit = 64;  // later ones are not kept

// Deterministic CBOR; the journal's fields. Error(damaged) for what is none.
Bytes firmware_progress_bytes(const FirmwareProgress& progress);
FirmwareProgress parse_firmware_progress(ByteView bytes);
Bytes hidden_removal_bytes(const HiddenRemoval& removal);
HiddenRemoval parse_hidden_removal(ByteView bytes);
Bytes remains_bytes(const Remains& remains);
Remains parse_remains(ByteView bytes);

}  // namespace qcbak::wipe
