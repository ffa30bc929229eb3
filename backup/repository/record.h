// Sealing chunks into records and opening them again. docs/format.md "Records", "Segments".
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "backup/repository/pack.h"

namespace qcbak::repository {

// A segment being written: its records are numbered here, so that no number is used twice.
struct OpenSegment {
  Segment segment;
  std::atomic<std::uint32_t> next_ordinal = 0;
};

struct SealedRecord {
  RecordInfo info;
  ByteView bytes;  // valid until the encoder is used again
};

// Compresses and seals. One for each thread.
class RecordEncoder {
 public:
  RecordEncoder(const Binding& binding, int compression_level);
  RecordEncoder(RecordEncoder&&) noexcept;
  ~RecordEncoder();

  // `payload` is the chunks one after the other. Throws when the record does not open again to what it was sealed from
  // (failing memory): the caller then abandons the segment. It is checked when `check_again` says so.
  enum class CheckAgain { no, yes };
  SealedRecord encode(OpenSegment& segment, ChunkType type, std::vector<ChunkRef> chunks, ByteView payload,
                      CheckAgain check_again);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Opens records and checks the ids of their chunks. One for each thread.
class RecordDecoder {
 public:
  RecordDecoder(const Binding& binding, const DomainKeys& domain);
  RecordDecoder(RecordDecoder&&) noexcept;
  ~RecordDecoder();

  // The payload, valid until the decoder is used again. `stored` is overwritten. Error(damaged).
  // With Hashes::check every chunk's id is computed again, and `on_hash` gets H of each chunk's plaintext, in order.
  enum class Hashes { check, skip };
  ByteView decode(const SegmentHeader& segment, const RecordInfo& record, MutableByteView stored, Hashes hashes);
  const std::vector<crypto::Sha256>& hashes() const;  // of the last record decoded with Hashes::check

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace qcbak::repository
