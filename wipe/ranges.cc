#include "wipe/ranges.h"

#include <algorithm>

namespace qcbak::wipe {
namespace {

Range between(std::uint64_t from, std::uint64_t to) { return {from, to - from}; }

}  // namespace

void RangeSet::add(Range range) {
  if (range.size_bytes == 0) return;
  const auto touched = std::ranges::lower_bound(ranges_, range.offset, {}, &Range::end);
  auto after = touched;
  std::uint64_t from = range.offset;
  std::uint64_t to = range.end();
  for (; after != ranges_.end() && after->offset <= to; ++after) {
    from = std::min(from, after->offset);
    to = std::max(to, after->end());
  }
  const auto at = ranges_.insert(ranges_.erase(touched, after), between(from, to));
  if (ranges_.size() <= kRangeLimit) return;
  const bool with_next =
      at == ranges_.begin() || (at + 1 != ranges_.end() && (at + 1)->offset - at->end() < at->offset - (at - 1)->end());
  const auto first = with_next ? at : at - 1;
  *first = between(first->offset, (first + 1)->end());
  ranges_.erase(first + 1);
}

void RangeSet::remove(Range range) {
  if (range.size_bytes == 0) return;
  std::vector<Range> left;
  for (const Range& one : ranges_) {
    if (one.offset < range.offset) left.push_back(between(one.offset, std::min(one.end(), range.offset)));
    if (one.end() > range.end()) left.push_back(between(std::max(one.offset, range.end()), one.end()));
  }
  ranges_ = std::move(left);
}

std::vector<Range> RangeSet::overlapping(Range range) const {
  std::vector<Range> found;
  auto at = std::ranges::upper_bound(ranges_, range.offset, {}, &Range::end);
  for (; at != ranges_.end() && at->offset < range.end(); ++at)
    found.push_back(between(std::max(at->offset, range.offset), std::min(at->end(), range.end())));
  return found;
}

std::vector<Range> RangeSet::outside(Range range) const {
  std::vector<Range> found;
  std::uint64_t from = range.offset;
  for (const Range& one : overlapping(range)) {
    if (one.offset > from) found.push_back(between(from, one.offset));
    from = one.end();
  }
  if (range.end() > from) found.push_back(between(from, range.end()));
  return found;
}

std::uint64_t RangeSet::total_bytes() const {
  std::uint64_t sum = 0;
  for (const Range& range : ranges_) sum += range.size_bytes;
  return sum;
}

}  // namespace qcbak::wipe
