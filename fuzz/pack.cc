// Packs: the header, a directory behind its seal, a table as stored, a whole pack.
#include "backup/repository/pack.h"

#include "fuzz/keys_at_hand.h"

namespace qcbak {
namespace {

using namespace repository;

// What every reader of a table relies on.
void check_table(const PackTable& table, std::uint64_t records_end) {
  std::uint64_t free_from = kPackHeaderSize;
  for (const PackRecord& record : table.records) {
    check(record.offset >= free_from, "records do not overlap");
    free_from = std::uint64_t(record.offset) + record.stored_length;
    check(record.segment < table.segments.size(), "a record's segment is in the table");
    check(free_from <= records_end, "a record lies between header and table");
    check(record.stored_length >= crypto::kTagSize && record.info.plain_length <= kRecordLimit, "a record has a limit");
    std::uint64_t sum = 0;
    for (const ChunkRef& chunk : record.info.chunks) sum += chunk.length;
    check(sum == record.info.plain_length, "chunks make up their record");
  }
}

void read_directory(ByteView directory) {
  fuzz::CountingRandom random;
  Bytes segments;
  cbor::Writer writer(segments);
  writer.array(2);
  for (int i = 0; i < 2; ++i)
    writer.raw(new_map_segment(fuzz::binding(), fuzz::domain().current_epoch(), random).header.encode());
  Bytes table;
  cbor::Writer(table).array(2).raw(segments).raw(fuzz::seal("directory", crypto::sha256(segments).view(), directory));
  PackHeader header;
  header.table_a = 1U << 20;
  check_table(parse_pack_table(fuzz::binding(), fuzz::domain(), header, table), header.table_a);
}

}  // namespace
}  // namespace qcbak

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  ByteView input = std::as_bytes(std::span(data, size));
  const unsigned choice = fuzz::take_choice(input, 4);
  fuzz::may_be_refused([&] {
    switch (choice) {
      case 0:
        if (const auto header = parse_pack_header(input.first(std::min(input.size(), kPackHeaderSize)))) {
          check(header->table_a + header->table_length <= header->table_b &&
                    header->table_b + header->table_length + kPackHeaderSize <= header->length,
                "the tables lie in the pack, one behind the other");
        }
        break;
      case 1: read_directory(input); break;
      case 2: {
        PackHeader header;
        header.table_a = 1U << 20;
        check_table(parse_pack_table(fuzz::binding(), fuzz::domain(), header, input), header.table_a);
        break;
      }
      default: check_table(read_pack_table(input, fuzz::binding(), fuzz::domain()), input.size()); break;
    }
  });
  return 0;
}
