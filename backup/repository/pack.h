// Packs: building one in memory, and reading the directory of a stored one. docs/format.md "Packs".
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "backup/repository/segment.h"
#include "backup/storage/storage.h"

namespace qcbak::repository {

inline constexpr std::size_t kPackTarget = 16U << 20;
inline constexpr std::size_t kPackHeaderSize = 64;

struct PackRecord {
  RecordInfo info;
  std::uint16_t segment = 0;  // place in PackTable::segments
  std::uint32_t offset = 0;   // in the pack
  std::uint32_t stored_length = 0;
};

struct PackTable {
  std::vector<SegmentHeader> segments;
  std::vector<PackRecord> records;
};

struct FinishedPack {
  ObjectName name;
  PageBuffer buffer;
  std::uint32_t length = 0;
  PackTable table;
  ByteView bytes() const { return {buffer.data(), length}; }
};

// Collects sealed records until the pack is full. Not thread-safe.
class PackBuilder {
 public:
  PackBuilder() : buffer_(kPackTarget) {}

  bool fits(const RecordInfo& record, std::size_t stored_length) const;
  // `sealed` is copied. check()s that it fits.
  void add(const SegmentHeader& segment, RecordInfo record, ByteView sealed);
  bool empty() const { return table_.records.empty(); }
  // The directory is sealed with the map key of `epoch`. The builder is empty afterwards and may be used again.
  FinishedPack finish(const Binding& binding, const EpochKeys& epoch, Random& random);

 private:
  std::size_t tables_bound() const;
  PageBuffer buffer_;
  std::size_t used_ = kPackHeaderSize;
  std::size_t chunk_count_ = 0;
  std::size_t segments_size_ = 0;
  PackTable table_;
};

// What can be read of a pack with no key.
struct PackHeader {
  DomainId domain;
  std::uint32_t epoch = 0;
  std::uint32_t table_a = 0;
  std::uint32_t table_b = 0;
  std::uint32_t table_length = 0;
  std::uint32_t length = 0;
};
// Nothing when these 64 bytes are no intact header.
std::optional<PackHeader> parse_pack_header(ByteView bytes);
// Error(damaged), Error(wrong_key).
PackTable parse_pack_table(const Binding& binding, const DomainKeys& domain, const PackHeader& header, ByteView table);

// Reads header and table A, or where they are damaged table B and trailer, of a stored pack. Error(not_found) when there
// is no such pack, Error(damaged) when both copies are bad.
PackTable read_pack_table(const storage::ReadStorage& storage, const ObjectName& name, const Binding& binding,
                          const DomainKeys& domain);
// The same from a whole pack in memory.
PackTable read_pack_table(ByteView pack, const Binding& binding, const DomainKeys& domain);

}  // namespace qcbak::repository
