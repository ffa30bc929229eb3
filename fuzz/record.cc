// Records: what a writer sealed opens, and then says of itself whatever it likes.
#include "backup/repository/record.h"

#include "fuzz/keys_at_hand.h"

namespace qcbak {
namespace {

using namespace repository;

// u8 type ‖ u8 flags ‖ u32 length before compression ‖ u8 count of chunks ‖ u32 length of each ‖ the payload.
struct Input {
  RecordInfo record;
  ByteView payload;
};
std::optional<Input> parse(ByteView bytes) {
  constexpr std::size_t kFixed = 7;
  if (bytes.size() < kFixed) return std::nullopt;
  Input input;
  input.record.type = load_le<std::uint8_t>(bytes.data());
  input.record.flags = load_le<std::uint8_t>(bytes.data() + 1);
  input.record.plain_length = load_le<std::uint32_t>(bytes.data() + 2);
  const std::size_t count = load_le<std::uint8_t>(bytes.data() + 6);
  bytes = bytes.subspan(kFixed);
  if (bytes.size() < 4 * count) return std::nullopt;
  for (std::size_t i = 0; i < count; ++i)
    input.record.chunks.push_back({ChunkId(), load_le<std::uint32_t>(bytes.data() + 4 * i)});
  input.payload = bytes.subspan(4 * count);
  return input;
}

Bytes seal(const Segment& segment, const Input& input) {
  Bytes sealed(input.payload.size() + crypto::kTagSize);
  crypto::Aead(fuzz::binding().suite, segment.key)
      .seal(input.record.ordinal, record_associated(fuzz::binding(), segment.header.id, input.record), input.payload,
            sealed);
  return sealed;
}

}  // namespace
}  // namespace qcbak

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  auto input = parse(std::as_bytes(std::span(data, size)));
  if (!input) return 0;
  static fuzz::CountingRandom random;
  static const Segment segment = new_map_segment(fuzz::binding(), fuzz::domain().current_epoch(), random);
  static RecordDecoder decoder(fuzz::binding(), fuzz::domain());
  fuzz::may_be_refused([&] {
    Bytes sealed = seal(segment, *input);
    const ByteView payload = decoder.decode(segment.header, input->record, sealed, RecordDecoder::Hashes::skip);
    check(payload.size() == input->record.plain_length, "a payload is of the length that the record gives");
    const ChunkNamer namer(fuzz::domain().current_epoch().id_key);
    std::size_t at = 0;
    for (ChunkRef& chunk : input->record.chunks) {
      const ByteView content = payload.subspan(at, std::min<std::size_t>(chunk.length, payload.size() - at));
      chunk.id = namer.name(static_cast<ChunkType>(input->record.type), crypto::sha256(content));
      at += content.size();
    }
    sealed = seal(segment, *input);
    decoder.decode(segment.header, input->record, sealed, RecordDecoder::Hashes::check);
  });
  return 0;
}
