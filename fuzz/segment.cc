// Segment headers, and opening them.
#include "backup/repository/segment.h"

#include "fuzz/keys_at_hand.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  const ByteView input = std::as_bytes(std::span(data, size));
  fuzz::may_be_refused([&] {
    const repository::SegmentHeader header = repository::SegmentHeader::parse(input);
    check(equal(header.encode(), input), "one segment has one encoding");
    repository::SegmentOpener(fuzz::binding(), fuzz::domain()).open(header);
  });
  return 0;
}
