// FastCDC: cuts a stream where its content says so. docs/format.md "Chunks".
#pragma once

#include <array>
#include <cstdint>

#include "backup/repository/keys.h"

namespace qcbak::source {

class Chunker {
 public:
  explicit Chunker(const repository::Chunking& chunking);
  std::size_t least() const { return least_; }
  std::size_t most() const { return most_; }
  // Length of the first chunk of `data`, which is all that is left of the stream or has at least most() bytes.
  std::size_t cut(ByteView data) const;

 private:
  std::size_t least_;
  std::size_t average_;
  std::size_t most_;
  std::uint64_t mask_before_;
  std::uint64_t mask_after_;
  std::array<std::uint64_t, 256> gear_;
};

}  // namespace qcbak::source
