// Sets of bytes of a disk, as ranges.
#pragma once

#include <cstdint>
#include <vector>

namespace qcbak::wipe {

struct Range {
  std::uint64_t offset = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t end() const { return offset + size_bytes; }
  friend auto operator<=>(const Range&, const Range&) = default;
};

// Ascending, without empty ones; ranges that touch are one. Never more than kRangeLimit: beyond it, the two that lie nearest
// to each other around the new one become one with what lies between them.
class RangeSet {
 public:
  static constexpr std::size_t kRangeLimit = 4096;

  void add(Range range);
  void remove(Range range);
  std::vector<Range> overlapping(Range range) const;  // cut to `range`
  std::vector<Range> outside(Range range) const;      // what of `range` is not in the set

  const std::vector<Range>& ranges() const { return ranges_; }
  bool empty() const { return ranges_.empty(); }
  std::uint64_t total_bytes() const;
  friend bool operator==(const RangeSet&, const RangeSet&) = default;

 private:
  std::vector<Range> ranges_;
};

}  // namespace qcbak::wipe
