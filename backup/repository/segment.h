// Segments (a set of records under one key) and the sealing of records. docs/format.md "Segments", "Records".
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "backup/repository/format.h"
#include "backup/repository/keys.h"

namespace qcbak::repository {

enum class SegmentKind : std::uint8_t { data = 1, map = 2 };

// What is stored of a segment. Opening it takes a key, reading it takes none.
struct SegmentHeader {
  SegmentId id;
  SegmentKind kind = SegmentKind::data;
  std::uint32_t epoch = 0;
  Salt salt;
  crypto::Sha256 commitment;
  std::vector<std::pair<crypto::BoxPublic, Bytes>> keys;  // the data key, boxed to each recipient

  Bytes encode() const;
  static SegmentHeader parse(ByteView encoded);  // Error(damaged)
};

// A run's data key, already boxed to whoever may read: boxing is done once, the boxes are stored in each segment.
struct RunKey {
  DataKey key;
  std::uint32_t epoch = 0;
  std::vector<std::pair<crypto::BoxPublic, Bytes>> boxes;
};
RunKey new_run_key(const DomainKeys& domain, Random& random);

// A segment whose key is known.
struct Segment {
  SegmentHeader header;
  crypto::AeadKey key;
};
Segment new_data_segment(const Binding& binding, const RunKey& run_key, Random& random);
Segment new_map_segment(const Binding& binding, const EpochKeys& epoch, Random& random);

// Opens segments, and remembers the data key it unboxed last: a run has one. Not thread-safe.
class SegmentOpener {
 public:
  SegmentOpener(const Binding& binding, const DomainKeys& domain) : binding_(binding), domain_(domain) {}
  // Error(wrong_key) when none of the recipients is this domain's key, Error(damaged) when the commitment does not hold.
  crypto::AeadKey open(const SegmentHeader& header);

 private:
  const Binding& binding_;
  const DomainKeys& domain_;
  Bytes last_box_;
  DataKey last_key_;
};

struct ChunkRef {
  ChunkId id;
  std::uint32_t length = 0;
  friend bool operator==(const ChunkRef&, const ChunkRef&) = default;
};

inline constexpr std::uint8_t kRecordCompressed = 1;

struct RecordInfo {
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint32_t ordinal = 0;
  std::uint32_t plain_length = 0;  // of the payload before compression
  std::vector<ChunkRef> chunks;
};

Bytes record_associated(const Binding& binding, const SegmentId& segment, const RecordInfo& record);

}  // namespace qcbak::repository
