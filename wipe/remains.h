// Markers: random bytes that are written before an erasure, and must be gone after it. docs/sanitisation.md "Markers".
#pragma once

#include "wipe/block_device.h"
#include "wipe/firmware_record.h"
#include "wipe/pass_content.h"

namespace qcbak::wipe {

// Of the nth attempt: first and last block, and others spread between.
class MarkerContent {
 public:
  MarkerContent(const JobSecret& secret, std::uint32_t attempt);
  void fill(std::uint64_t offset, MutableByteView into) { stream_.fill(offset, into); }

 private:
  crypto::Aes256CtrStream stream_;
};

std::vector<std::uint64_t> marker_offsets(const Geometry& geometry);
// Writes them, flushes, and gives the offsets of those that were then read back right.
std::vector<std::uint64_t> write_markers(BlockDevice& device, MarkerContent content);
// What is there now. Faults of the disk are in the result.
Remains look_at_remains(BlockDevice& device, MarkerContent content, const std::vector<std::uint64_t>& offsets);

}  // namespace qcbak::wipe
