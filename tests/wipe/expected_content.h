// What a step leaves on a disk, by docs/sanitisation.md and the openssl program: nothing of wipe/ or crypto/ takes part.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace qcbak::tests {

// The first `size` bytes of the disk after the step numbered `step`, from 1, which is "00", "924924", "R" (random), "B"
// (drawn) or "~B" (the complement of a drawn step just before).
Bytes expected_content(std::string_view step_text, std::uint32_t step, ByteView secret, std::size_t size);

}  // namespace qcbak::tests
