#include "backup/repository/pack.h"

#include <functional>

#include "base/error.h"

namespace qcbak::repository {
namespace {

constexpr std::string_view kMagic = "qcbakpk1";
constexpr std::size_t kHeaderBody = 48;
constexpr std::size_t kRecordEntry = 28;
constexpr std::size_t kChunkEntry = 36;
constexpr std::size_t kTableOverhead = 160;
constexpr std::size_t kNewSegment = 2 * 8192;  // in both tables: the most that a segment's recipients take
constexpr std::size_t kPadBelow = kPackTarget - (kPackTarget >> 4);

Bytes encode_segments(const std::vector<SegmentHeader>& segments) {
  Bytes out;
  cbor::Writer writer(out);
  writer.array(segments.size());
  for (const SegmentHeader& segment : segments) writer.raw(segment.encode());
  return out;
}

Bytes encode_directory(const std::vector<PackRecord>& records) {
  Bytes out;
  append_le<std::uint32_t>(out, static_cast<std::uint32_t>(records.size()));
  for (const PackRecord& record : records) {
    append_le<std::uint16_t>(out, record.segment);
    append_le<std::uint8_t>(out, record.info.type);
    append_le<std::uint8_t>(out, record.info.flags);
    append_le<std::uint32_t>(out, record.info.ordinal);
    append_le<std::uint32_t>(out, record.offset);
    append_le<std::uint32_t>(out, record.stored_length);
    append_le<std::uint32_t>(out, record.info.plain_length);
    append_le<std::uint32_t>(out, static_cast<std::uint32_t>(record.info.chunks.size()));
    for (const ChunkRef& chunk : record.info.chunks) {
      append(out, chunk.id.view());
      append_le<std::uint32_t>(out, chunk.length);
    }
  }
  return out;
}

class DirectoryParser {
 public:
  DirectoryParser(ByteView bytes, const PackHeader& header, std::size_t segment_count)
      : bytes_(bytes), header_(header), segment_count_(segment_count) {}

  std::vector<PackRecord> parse() {
    const std::uint32_t count = take<std::uint32_t>();
    if (count > kRecordsInPackLimit) fail();
    std::vector<PackRecord> records;
    records.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) records.push_back(record());
    if (!bytes_.empty()) fail();
    return records;
  }

 private:
  [[noreturn]] static void fail() { throw Error(ErrorCode::damaged, "malformed pack directory"); }

  template <class Integer>
  Integer take() {
    if (bytes_.size() < sizeof(Integer)) fail();
    const Integer value = load_le<Integer>(bytes_.data());
    bytes_ = bytes_.subspan(sizeof(Integer));
    return value;
  }

  PackRecord record() {
    PackRecord record;
    record.segment = take<std::uint16_t>();
    record.info.type = take<std::uint8_t>();
    record.info.flags = take<std::uint8_t>();
    record.info.ordinal = take<std::uint32_t>();
    record.offset = take<std::uint32_t>();
    record.stored_length = take<std::uint32_t>();
    record.info.plain_length = take<std::uint32_t>();
    const std::uint32_t chunks = take<std::uint32_t>();
    const std::uint64_t end = std::uint64_t(record.offset) + record.stored_length;
    if (record.segment >= segment_count_ || record.info.type < 1 || record.info.type > 3 ||
        record.info.flags > kRecordCompressed || record.offset < free_from_ || end > header_.table_a ||
        record.stored_length < crypto::kTagSize || record.stored_length > kRecordLimit + crypto::kTagSize ||
        record.info.plain_length > kRecordLimit || chunks == 0 || chunks > bytes_.size() / kChunkEntry)
      fail();
    free_from_ = end;
    std::uint64_t sum = 0;
    record.info.chunks.reserve(chunks);
    for (std::uint32_t i = 0; i < chunks; ++i) {
      ChunkRef chunk;
      chunk.id = ChunkId(bytes_.first(ChunkId::kSize));
      bytes_ = bytes_.subspan(ChunkId::kSize);
      chunk.length = take<std::uint32_t>();
      if (chunk.length > kChunkLimit) fail();
      sum += chunk.length;
      record.info.chunks.push_back(chunk);
    }
    if (sum != record.info.plain_length) fail();
    return record;
  }

  ByteView bytes_;
  const PackHeader& header_;
  std::size_t segment_count_;
  std::uint64_t free_from_ = kPackHeaderSize;  // records do not overlap
};

using ReadAt = std::function<std::optional<Bytes>(std::uint64_t offset, std::size_t length)>;

// Tries the copy at the start, then the copy at the end.
PackTable read_either_table(std::uint64_t length, const ReadAt& read, const Binding& binding,
                            const DomainKeys& domain) {
  if (length < 2 * kPackHeaderSize || length > kPackLimit)
    throw Error(ErrorCode::damaged, "the pack has an impossible length");
  std::optional<Error> first_error;
  for (const bool at_end : {false, true}) {
    try {
      const auto bytes = read(at_end ? length - kPackHeaderSize : 0, kPackHeaderSize);
      const auto header = bytes ? parse_pack_header(*bytes) : std::nullopt;
      if (!header || header->length != length) throw Error(ErrorCode::damaged, "the header of the pack is damaged");
      const auto table = read(at_end ? header->table_b : header->table_a, header->table_length);
      if (!table) throw Error(ErrorCode::damaged, "the pack is too short");
      return parse_pack_table(binding, domain, *header, *table);
    } catch (const Error& error) {
      // A damaged table may name an epoch that is none; only where both do, the key is what is missing.
      if (error.code() != ErrorCode::damaged && error.code() != ErrorCode::wrong_key) throw;
      if (!first_error || error.code() == ErrorCode::damaged) first_error = error;
    }
  }
  throw *first_error;
}

}  // namespace

std::size_t PackBuilder::tables_bound() const {
  return 2 * (kTableOverhead + segments_size_ + table_.records.size() * kRecordEntry + chunk_count_ * kChunkEntry) +
         kPackHeaderSize;
}

bool PackBuilder::fits(const RecordInfo& record, std::size_t stored_length) const {
  return table_.records.size() < kRecordsInPackLimit &&
         used_ + stored_length + tables_bound() + 2 * (kRecordEntry + record.chunks.size() * kChunkEntry) + kNewSegment <=
             buffer_.capacity();
}

void PackBuilder::add(const SegmentHeader& segment, RecordInfo record, ByteView sealed) {
  std::size_t place = table_.segments.size();
  for (std::size_t i = place; i-- > 0 && place == table_.segments.size();)
    if (table_.segments[i].id == segment.id) place = i;
  if (place == table_.segments.size()) {
    table_.segments.push_back(segment);
    segments_size_ += segment.encode().size();
  }
  check(used_ + sealed.size() <= buffer_.capacity(), "a record is added only where it fits");
  std::memcpy(buffer_.data() + used_, sealed.data(), sealed.size());
  chunk_count_ += record.chunks.size();
  table_.records.push_back({std::move(record), static_cast<std::uint16_t>(place), static_cast<std::uint32_t>(used_),
                            static_cast<std::uint32_t>(sealed.size())});
  used_ += sealed.size();
}

FinishedPack PackBuilder::finish(const Binding& binding, const EpochKeys& epoch, Random& random) {
  check(!empty(), "an empty pack is not finished");
  const Bytes segments = encode_segments(table_.segments);
  const Bytes directory = seal_with_map_key(binding, epoch.number, epoch.map_key, "directory",
                                            crypto::sha256(segments).view(), encode_directory(table_.records), random);
  Bytes table;
  cbor::Writer(table).array(2).raw(segments).raw(directory);

  const std::size_t unpadded = used_ + 2 * table.size() + kPackHeaderSize;
  check(unpadded <= buffer_.capacity(), "the tables of a pack fit behind its records");
  const std::size_t length =
      unpadded < kPadBelow ? std::min<std::size_t>(padme(unpadded), buffer_.capacity()) : unpadded;
  const std::size_t table_b = length - kPackHeaderSize - table.size();

  Bytes header = to_bytes(as_bytes(kMagic));
  append(header, binding.domain.view());
  for (const std::size_t value : {std::size_t(epoch.number), used_, table_b, table.size(), length, std::size_t(0)})
    append_le<std::uint32_t>(header, static_cast<std::uint32_t>(value));
  append(header, crypto::sha256(header).view().first(kPackHeaderSize - kHeaderBody));

  std::byte* out = buffer_.data();
  std::memcpy(out, header.data(), header.size());
  std::memcpy(out + used_, table.data(), table.size());
  std::memset(out + used_ + table.size(), 0, table_b - used_ - table.size());
  std::memcpy(out + table_b, table.data(), table.size());
  std::memcpy(out + length - kPackHeaderSize, header.data(), header.size());

  FinishedPack finished;
  finished.length = static_cast<std::uint32_t>(length);
  finished.buffer = std::exchange(buffer_, PageBuffer());
  finished.name = name_of(finished.bytes());
  finished.table = std::exchange(table_, {});
  used_ = kPackHeaderSize;
  chunk_count_ = segments_size_ = 0;
  return finished;
}

void PackBuilder::reuse(PageBuffer buffer) {
  check(empty() && buffer.capacity() == kPackTarget, "only an empty builder takes the buffer of a finished pack");
  buffer_ = std::move(buffer);
}

std::optional<PackHeader> parse_pack_header(ByteView bytes) {
  if (bytes.size() != kPackHeaderSize || as_text(bytes.first(kMagic.size())) != kMagic) return std::nullopt;
  if (!equal(crypto::sha256(bytes.first(kHeaderBody)).view().first(kPackHeaderSize - kHeaderBody),
             bytes.subspan(kHeaderBody)))
    return std::nullopt;
  PackHeader header;
  header.domain = DomainId(bytes.subspan(8, DomainId::kSize));
  const auto number = [&](std::size_t at) { return load_le<std::uint32_t>(bytes.data() + at); };
  header.epoch = number(24);
  header.table_a = number(28);
  header.table_b = number(32);
  header.table_length = number(36);
  header.length = number(40);
  const std::uint64_t length = header.length;
  if (length > kPackLimit || header.table_a < kPackHeaderSize ||
      std::uint64_t(header.table_a) + header.table_length > header.table_b ||
      std::uint64_t(header.table_b) + header.table_length + kPackHeaderSize > length)
    return std::nullopt;
  return header;
}

PackTable parse_pack_table(const Binding& binding, const DomainKeys& domain, const PackHeader& header,
                           ByteView table_bytes) {
  PackTable table;
  cbor::Reader reader(table_bytes);
  reader.array_of(2);
  const ByteView segments = reader.skip();
  const ByteView sealed = reader.skip();
  reader.finish();
  cbor::Reader segment_reader(segments);
  const std::uint64_t count = segment_reader.array();
  for (std::uint64_t i = 0; i < count; ++i) table.segments.push_back(SegmentHeader::parse(segment_reader.skip()));
  segment_reader.finish();
  const Bytes directory = open_with_map_key(binding, domain.epoch(sealed_epoch(sealed)).map_key, "directory",
                                            crypto::sha256(segments).view(), sealed);
  table.records = DirectoryParser(directory, header, table.segments.size()).parse();
  return table;
}

PackTable read_pack_table(const storage::ReadStorage& storage, const ObjectName& name, const Binding& binding,
                          const DomainKeys& domain) {
  const std::string path = pack_path(name);
  const std::optional<std::uint64_t> length = storage.size(path);
  if (!length) throw Error(ErrorCode::not_found, "pack " + name.hex() + " is missing");
  return in_context("pack " + name.hex(), [&] {
    return read_either_table(
        *length,
        [&](std::uint64_t offset, std::size_t size) -> std::optional<Bytes> {
          Bytes bytes(size);
          const auto got = storage.get_range(path, offset, bytes);
          if (!got || *got != size) return std::nullopt;
          return bytes;
        },
        binding, domain);
  });
}

PackTable read_pack_table(ByteView pack, const Binding& binding, const DomainKeys& domain) {
  return read_either_table(
      pack.size(),
      [&](std::uint64_t offset, std::size_t size) -> std::optional<Bytes> {
        if (offset + size > pack.size()) return std::nullopt;
        return to_bytes(pack.subspan(offset, size));
      },
      binding, domain);
}

}  // namespace qcbak::repository
