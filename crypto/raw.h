// Bytes as the C libraries count them.
#pragma once

#include <cstddef>

namespace qcbak::crypto {

inline const unsigned char* raw(const std::byte* bytes) { return reinterpret_cast<const unsigned char*>(bytes); }
inline unsigned char* raw(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

}  // namespace qcbak::crypto
