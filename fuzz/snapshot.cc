// Snapshot objects: as stored, and header and body behind their seals.
#include "backup/repository/snapshot.h"

#include "fuzz/keys_at_hand.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  ByteView input = std::as_bytes(std::span(data, size));
  const unsigned choice = fuzz::take_choice(input, 3);
  fuzz::may_be_refused([&] {
    switch (choice) {
      case 0: {
        const repository::StoredSnapshot stored = repository::parse_snapshot(input);
        fuzz::may_be_refused([&] {
          repository::open_snapshot_header(fuzz::binding(), fuzz::domain(), fuzz::id_of<repository::RepositoryId>(7),
                                           stored);
        });
        repository::SegmentOpener opener(fuzz::binding(), fuzz::domain());
        repository::open_snapshot_body(fuzz::binding(), opener, stored);
        break;
      }
      case 1: repository::parse_snapshot_header(input); break;
      default: repository::parse_snapshot_body(input); break;
    }
  });
  return 0;
}
