// Which bytes of an image are worth reading: not the holes of an image file, nor what a file system says is free.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "backup/source/capture.h"

namespace qcbak {

// The blocks of an ext2, ext3 or ext4 that are in use, with all that lies before and behind it in `size_bytes`, in ascending order. Nothing
// when `path` holds no such file system from its first byte on, or one that is not known for sure: with features that are
// not known, an open journal, or noted errors. It must not change meanwhile.
std::vector<source::Extent> used_extents_of_ext4(const std::string& path, std::uint64_t size_bytes);

inline bool all_zero(ByteView bytes) {
  return bytes.empty() ||
         (bytes.front() == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// What is in both, of two lists in ascending order.
std::vector<source::Extent> intersection(const std::vector<source::Extent>& one,
                                         const std::vector<source::Extent>& other);

}  // namespace qcbak
