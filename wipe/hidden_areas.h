// What an ATA disk keeps out of sight: HPA, DCO, AMAC. docs/sanitisation.md "Hidden areas".
#pragma once

#include <functional>

#include "wipe/firmware_record.h"

namespace qcbak::wipe {

// Makes durable what was found, before the disk is told to show it.
using SaveHiddenAreas = std::function<void(const std::vector<HiddenArea>&)>;

// Finds them, removes them where the disk lets it, and has the system ask for the size anew. `known`: by earlier runs of the
// job. What is not `removed` is still there, or would be gone only after the power was off. Disks of other command sets have
// none. Error(io) when the system cannot be told.
std::vector<HiddenArea> remove_hidden_areas(Transcript& transcript, std::vector<HiddenArea> known,
                                            const SaveHiddenAreas& save);

}  // namespace qcbak::wipe
