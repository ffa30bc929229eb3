// Indexes: the plaintext, looked up in every way; and as stored.
#include "backup/repository/index.h"

#include "fuzz/keys_at_hand.h"

namespace qcbak {
namespace {

using namespace repository;

void look_up(const IndexSegment& segment, const ChunkId& id) {
  const std::size_t at = segment.lower_bound(id);
  check(at <= segment.entry_count(), "a lower bound is a place or the end");
  check(at == segment.entry_count() || !(segment.entry(at).id < id), "nothing at the lower bound is less");
  check(at == 0 || segment.entry(at - 1).id < id, "all before the lower bound is less");
}

void use(ByteView plaintext) {
  const IndexSegment segment = IndexSegment::parse(to_bytes(plaintext));
  std::vector<IndexEntry> entries;
  for (std::size_t i = 0; i < segment.entry_count(); ++i) {
    const IndexEntry& entry = entries.emplace_back(segment.entry(i));
    check(entry.pack < segment.packs().size(), "an entry's pack is in the list");
    look_up(segment, entry.id);
    for (const std::size_t place : {0, 7, 31}) {
      ChunkId near = entry.id;
      near.value[place] = static_cast<std::byte>(std::to_integer<unsigned>(near.value[place]) + 1);
      look_up(segment, near);
    }
  }
  look_up(segment, fuzz::id_of<ChunkId>(0));
  look_up(segment, fuzz::id_of<ChunkId>(0xff));
  check(equal(encode_index(segment.packs(), entries), plaintext), "one index has one encoding");
}

}  // namespace
}  // namespace qcbak

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  ByteView input = std::as_bytes(std::span(data, size));
  const unsigned choice = fuzz::take_choice(input, 2);
  fuzz::may_be_refused(
      [&] { use(choice == 0 ? to_bytes(input) : repository::open_index(fuzz::binding(), fuzz::domain(), input)); });
  return 0;
}
