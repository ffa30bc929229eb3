#include "backup/repository/record.h"

#include <zstd.h>

#include "base/error.h"

namespace qcbak::repository {
namespace {

constexpr std::size_t kRecentSegments = 8;

struct FreeCompressor {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct FreeDecompressor {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

void grow(PageBuffer& buffer, std::size_t size) {
  constexpr std::size_t kStep = 1U << 20;
  if (buffer.capacity() < size) buffer = PageBuffer((size + kStep - 1) / kStep * kStep);
}

}  // namespace

struct RecordEncoder::State {
  Binding binding;
  int level;
  std::unique_ptr<ZSTD_CCtx, FreeCompressor> compressor{ZSTD_createCCtx()};
  std::unique_ptr<ZSTD_DCtx, FreeDecompressor> decompressor{ZSTD_createDCtx()};
  PageBuffer compressed;
  PageBuffer sealed;
  PageBuffer again;
  const OpenSegment* keyed_for = nullptr;
  SegmentId keyed_id;
  std::optional<crypto::Aead> aead;
};

RecordEncoder::RecordEncoder(const Binding& binding, int compression_level) : state_(std::make_unique<State>()) {
  state_->binding = binding;
  state_->level = compression_level;
  check(state_->compressor && state_->decompressor, "zstd contexts can be made");
}
RecordEncoder::RecordEncoder(RecordEncoder&&) noexcept = default;
RecordEncoder::~RecordEncoder() = default;

SealedRecord RecordEncoder::encode(OpenSegment& segment, ChunkType type, std::vector<ChunkRef> chunks,
                                   ByteView payload, CheckAgain check_again) {
  State& s = *state_;
  SealedRecord record;
  record.info.type = static_cast<std::uint8_t>(type);
  record.info.plain_length = static_cast<std::uint32_t>(payload.size());
  record.info.chunks = std::move(chunks);

  ByteView body = payload;
  grow(s.compressed, ZSTD_compressBound(payload.size()));
  const std::size_t compressed = ZSTD_compressCCtx(s.compressor.get(), s.compressed.data(), s.compressed.capacity(),
                                                   payload.data(), payload.size(), s.level);
  check(!ZSTD_isError(compressed), "zstd compresses into a buffer of its own bound");
  if (compressed < payload.size() - payload.size() / 32) {
    record.info.flags = kRecordCompressed;
    body = ByteView(s.compressed.data(), compressed);
  }

  if (s.keyed_for != &segment || s.keyed_id != segment.segment.header.id) {
    s.aead.emplace(s.binding.suite, segment.segment.key);
    s.keyed_for = &segment;
    s.keyed_id = segment.segment.header.id;
  }
  record.info.ordinal = segment.next_ordinal.fetch_add(1);
  check(record.info.ordinal < UINT32_MAX, "a segment has fewer records than ordinals");
  const Bytes associated = record_associated(s.binding, segment.segment.header.id, record.info);
  grow(s.sealed, body.size() + crypto::kTagSize);
  const MutableByteView sealed = s.sealed.span().first(body.size() + crypto::kTagSize);
  s.aead->seal(record.info.ordinal, associated, body, sealed);
  record.bytes = sealed;

  if (check_again == CheckAgain::yes) {
    grow(s.again, body.size() + payload.size());
    const MutableByteView opened = s.again.span().first(body.size());
    bool same = s.aead->open(record.info.ordinal, associated, sealed, opened);
    if (same && record.info.flags == kRecordCompressed) {
      const MutableByteView plain = s.again.span().subspan(body.size(), payload.size());
      same = ZSTD_decompressDCtx(s.decompressor.get(), plain.data(), plain.size(), opened.data(), opened.size()) ==
                 payload.size() &&
             equal(plain, payload);
    } else {
      same = same && equal(opened, payload);
    }
    if (!same)
      throw Error(ErrorCode::failed, "a sealed record did not open again to what it was made from")
          .with_hint("the machine's memory or processor is failing: test it before the next backup");
  }
  return record;
}

struct RecordDecoder::State {
  Binding binding;
  const DomainKeys* domain = nullptr;
  std::unique_ptr<SegmentOpener> opener;
  std::unique_ptr<ZSTD_DCtx, FreeDecompressor> decompressor{ZSTD_createDCtx()};
  PageBuffer plain;
  struct Opened {
    SegmentId id;
    crypto::Aead aead;
    ChunkNamer namer;
  };
  std::vector<Opened> recent;
  std::vector<crypto::Sha256> hashes;

  Opened& open(const SegmentHeader& segment) {
    for (Opened& opened : recent)
      if (opened.id == segment.id) return opened;
    Opened opened{segment.id, crypto::Aead(binding.suite, opener->open(segment)),
                  ChunkNamer(domain->epoch(segment.epoch).id_key)};
    if (recent.size() >= kRecentSegments) recent.erase(recent.begin());
    recent.push_back(std::move(opened));
    return recent.back();
  }
};

RecordDecoder::RecordDecoder(const Binding& binding, const DomainKeys& domain) : state_(std::make_unique<State>()) {
  state_->binding = binding;
  state_->domain = &domain;
  state_->opener = std::make_unique<SegmentOpener>(state_->binding, domain);
}
RecordDecoder::RecordDecoder(RecordDecoder&&) noexcept = default;
RecordDecoder::~RecordDecoder() = default;

const std::vector<crypto::Sha256>& RecordDecoder::hashes() const { return state_->hashes; }

ByteView RecordDecoder::decode(const SegmentHeader& segment, const RecordInfo& record, MutableByteView stored,
                               Hashes hashes) {
  State& s = *state_;
  const auto damaged = [](const char* why) -> Error { return {ErrorCode::damaged, why}; };
  if (stored.size() < crypto::kTagSize) throw damaged("a record is cut off");
  // Whoever sealed it may lie about the rest.
  if (record.plain_length > kRecordLimit) throw damaged("a record of an impossible length");
  std::uint64_t length = 0;
  for (const ChunkRef& chunk : record.chunks) length += chunk.length;
  if (length != record.plain_length) throw damaged("the chunks of a record do not make up its length");
  const MutableByteView body = stored.first(stored.size() - crypto::kTagSize);
  State::Opened& opened = s.open(segment);
  if (!opened.aead.open(record.ordinal, record_associated(s.binding, segment.id, record), stored, body))
    throw damaged("a record was altered");
  ByteView payload = body;
  if (record.flags == kRecordCompressed) {
    grow(s.plain, record.plain_length);
    if (ZSTD_decompressDCtx(s.decompressor.get(), s.plain.data(), record.plain_length, body.data(), body.size()) !=
        record.plain_length)
      throw damaged("a record does not decompress to its length");
    payload = ByteView(s.plain.data(), record.plain_length);
  }
  if (payload.size() != record.plain_length) throw damaged("a record is not of its length");
  if (hashes == Hashes::check) {
    s.hashes.clear();
    std::size_t at = 0;
    for (const ChunkRef& chunk : record.chunks) {
      s.hashes.push_back(crypto::sha256(payload.subspan(at, chunk.length)));
      if (opened.namer.name(static_cast<ChunkType>(record.type), s.hashes.back()) != chunk.id)
        throw damaged("a chunk is not what its id says");
      at += chunk.length;
    }
  }
  return payload;
}

}  // namespace qcbak::repository
