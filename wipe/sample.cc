#include "wipe/sample.h"

#include <algorithm>

#include "crypto/keystream.h"

namespace qcbak::wipe {
namespace {

constexpr std::uint64_t kSubsections = 1000;      // NIST SP 800-88 Rev. 1, 4.7.2: at least one thousand
constexpr std::uint64_t kPartsOfSubsection = 20;  // a place covers at least 5 % of its subsection, two of them 10 %
constexpr std::size_t kNumberBytes = sizeof(std::uint64_t);

// The first and the last block are read in any case; the subsections lie between them. In blocks.
struct Subsection {
  std::uint64_t first;
  std::uint64_t size;
  std::uint64_t place_size() const { return (size + kPartsOfSubsection - 1) / kPartsOfSubsection; }
};

std::uint64_t blocks_of(const Geometry& geometry) {
  return (geometry.size_bytes + geometry.physical_block_bytes - 1) / geometry.physical_block_bytes;
}

Subsection subsection(std::uint64_t inner_blocks, std::uint64_t number) {
  const auto begin = [&](std::uint64_t n) {
    return inner_blocks / kSubsections * n + inner_blocks % kSubsections * n / kSubsections;
  };
  return {1 + begin(number), begin(number + 1) - begin(number)};
}

crypto::Aes256CtrStream numbers_of(std::size_t index, const JobSecret& secret) {
  Bytes info = to_bytes(as_bytes("qcbak1 wipe sample"));
  append_le(info, static_cast<std::uint32_t>(index + 1));
  const crypto::SecretBytes key = crypto::hkdf_sha256(secret.view(), {}, info, crypto::StreamKey::kSize);
  return crypto::Aes256CtrStream(crypto::StreamKey(key.view()));
}

Range last_block(const Geometry& geometry) {
  const std::uint64_t offset = (blocks_of(geometry) - 1) * geometry.physical_block_bytes;
  return {offset, geometry.size_bytes - offset};
}

}  // namespace

bool is_sampled(const Geometry& geometry) { return blocks_of(geometry) >= kSubsections * kPartsOfSubsection + 2; }

RangeSet sample_places(const Geometry& geometry, std::size_t index, const JobSecret& secret) {
  RangeSet places;
  if (!is_sampled(geometry)) {
    places.add({0, geometry.size_bytes});
    return places;
  }
  const std::uint64_t block_bytes = geometry.physical_block_bytes;
  crypto::Aes256CtrStream numbers = numbers_of(index, secret);
  places.add({0, block_bytes});
  for (std::uint64_t number = 0; number < kSubsections; ++number) {
    const Subsection part = subsection(blocks_of(geometry) - 2, number);
    std::array<std::byte, 2 * kNumberBytes> drawn;
    numbers.fill(number * drawn.size(), drawn);
    // Where two places of that size can begin without overlapping: the later one gives way to the earlier.
    const std::uint64_t choices = part.size - 2 * part.place_size() + 1;
    const std::uint64_t one = load_le<std::uint64_t>(drawn.data()) % choices;
    const std::uint64_t other = load_le<std::uint64_t>(drawn.data() + kNumberBytes) % choices;
    const std::uint64_t size_bytes = part.place_size() * block_bytes;
    places.add({(part.first + std::min(one, other)) * block_bytes, size_bytes});
    places.add({(part.first + std::max(one, other) + part.place_size()) * block_bytes, size_bytes});
  }
  places.add(last_block(geometry));
  return places;
}

std::uint64_t sample_bytes(const Geometry& geometry) {
  if (!is_sampled(geometry)) return geometry.size_bytes;
  std::uint64_t blocks = 1;
  for (std::uint64_t number = 0; number < kSubsections; ++number)
    blocks += 2 * subsection(blocks_of(geometry) - 2, number).place_size();
  return blocks * geometry.physical_block_bytes + last_block(geometry).size_bytes;
}

}  // namespace qcbak::wipe
