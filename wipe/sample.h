// Which places of a disk a sample reads back. docs/sanitisation.md "Sampling".
#pragma once

#include "wipe/block_device.h"
#include "wipe/pass_content.h"
#include "wipe/ranges.h"

namespace qcbak::wipe {

// Whether the disk has room for subsections; a smaller one is read whole.
bool is_sampled(const Geometry& geometry);
// The places of the step at `index`, the same for the same job. Of a disk that is not sampled: all of it.
RangeSet sample_places(const Geometry& geometry, std::size_t index, const JobSecret& secret);
// How many bytes these are, which no secret changes.
std::uint64_t sample_bytes(const Geometry& geometry);

}  // namespace qcbak::wipe
