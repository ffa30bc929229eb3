#include "backup/source/chunker.h"

#include <algorithm>

namespace qcbak::source {
namespace {

std::uint64_t top_bits(unsigned count) { return ~std::uint64_t(0) << (64 - count); }

}  // namespace

Chunker::Chunker(const repository::Chunking& chunking)
    : least_(chunking.least_bytes),
      average_(std::size_t(1) << chunking.average_log2),
      most_(chunking.most_bytes),
      mask_before_(top_bits(chunking.average_log2 + 2)),
      mask_after_(top_bits(chunking.average_log2 - 2)) {
  // SplitMix64.
  std::uint64_t state = chunking.seed;
  for (std::uint64_t& value : gear_) {
    state += 0x9e3779b97f4a7c15;
    std::uint64_t z = state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    value = z ^ z >> 31;
  }
}

std::size_t Chunker::cut(ByteView data) const {
  if (data.size() <= least_) return data.size();
  const std::size_t end = std::min(data.size(), most_);
  const std::size_t turn = std::min(end, average_);
  const std::byte* bytes = data.data();
  std::uint64_t hash = 0;
  std::size_t at = least_;
  for (; at < turn; ++at) {
    hash = (hash << 1) + gear_[std::to_integer<std::size_t>(bytes[at])];
    if ((hash & mask_before_) == 0) return at + 1;
  }
  for (; at < end; ++at) {
    hash = (hash << 1) + gear_[std::to_integer<std::size_t>(bytes[at])];
    if ((hash & mask_after_) == 0) return at + 1;
  }
  return end;
}

}  // namespace qcbak::source
