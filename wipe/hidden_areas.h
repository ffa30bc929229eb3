// What an ATA disk keeps out of sight: HPA, DCO, AMAC. docs/sanitisation.md "Hidden areas".
#pragma once

#include <string>
#include <vector>

#include "wipe/transcript.h"

namespace qcbak::wipe {

enum class HiddenKind { hpa, dco, amac };
std::string_view hidden_kind_name(HiddenKind kind);  // "HPA"

struct HiddenArea {
  HiddenKind kind = HiddenKind::hpa;
  std::uint64_t hidden_bytes = 0;  // 0: the disk did not say how much, when it was asked
  bool removed = false;
  friend bool operator==(const HiddenArea&, const HiddenArea&) = default;
};

// Finds them, removes them where the disk lets it, and has the system ask for the size anew. What is not `removed` is still
// there, or would be gone only after the power was off. Disks of other command sets have none. Error(io) when the system cannot be told.
std::vector<HiddenArea> remove_hidden_areas(Transcript& transcript);

}  // namespace qcbak::wipe
