#include "backup/repository/segment.h"

#include "base/error.h"

namespace qcbak::repository {
namespace {

constexpr std::size_t kRecipientsLimit = 64;

// Segment key ‖ commitment.
crypto::SecretBytes derive(const Binding& binding, const SegmentHeader& header, ByteView data_key) {
  Bytes info =
      to_bytes(as_bytes(header.kind == SegmentKind::data ? "qcbak1 segment" : "qcbak1 map segment"));
  append(info, binding.config_hash.view());
  append(info, binding.domain.view());
  append(info, header.id.view());
  return crypto::hkdf_sha256(data_key, header.salt.view(), info, 64);
}

Segment make_segment(const Binding& binding, SegmentHeader header, ByteView data_key, Random& random) {
  header.id = random.id<SegmentId>();
  header.salt = random.id<Salt>();
  const crypto::SecretBytes derived = derive(binding, header, data_key);
  header.commitment = crypto::Sha256(derived.view().subspan(32));
  return {std::move(header), crypto::AeadKey(derived.view().first(32))};
}

}  // namespace

Bytes SegmentHeader::encode() const {
  Bytes out;
  cbor::Writer writer(out);
  writer.array(6).bytes(id.view()).uint(static_cast<std::uint64_t>(kind)).uint(epoch).bytes(salt.view());
  writer.bytes(commitment.view()).array(keys.size());
  for (const auto& [recipient, box] : keys) writer.array(2).bytes(recipient.view()).bytes(box);
  return out;
}

SegmentHeader SegmentHeader::parse(ByteView encoded) {
  cbor::Reader reader(encoded);
  SegmentHeader header;
  reader.array_of(6);
  header.id = SegmentId(reader.bytes_of(SegmentId::kSize));
  const std::uint64_t kind = reader.uint();
  if (kind != 1 && kind != 2) throw Error(ErrorCode::damaged, "a segment of an unknown kind");
  header.kind = static_cast<SegmentKind>(kind);
  header.epoch = static_cast<std::uint32_t>(reader.uint_at_most(UINT32_MAX));
  header.salt = Salt(reader.bytes_of(Salt::kSize));
  header.commitment = crypto::Sha256(reader.bytes_of(crypto::Sha256::kSize));
  const std::uint64_t count = reader.array();
  if (count > kRecipientsLimit) throw Error(ErrorCode::damaged, "a segment with too many recipients");
  for (std::uint64_t i = 0; i < count; ++i) {
    reader.array_of(2);
    const crypto::BoxPublic recipient(reader.bytes_of(crypto::BoxPublic::kSize));
    header.keys.emplace_back(recipient, to_bytes(reader.bytes_of(DataKey::kSize + crypto::kBoxOverhead)));
  }
  reader.finish();
  return header;
}

RunKey new_run_key(const DomainKeys& domain, Random& random) {
  RunKey run{DataKey::random(random), domain.current_epoch().number, {}};
  run.boxes.emplace_back(domain.current_epoch().box, crypto::box_seal(domain.current_epoch().box, run.key.view()));
  for (const crypto::BoxPublic& drill : domain.drill_recipients)
    run.boxes.emplace_back(drill, crypto::box_seal(drill, run.key.view()));
  return run;
}

Segment new_data_segment(const Binding& binding, const RunKey& run_key, Random& random) {
  SegmentHeader header;
  header.kind = SegmentKind::data;
  header.epoch = run_key.epoch;
  header.keys = run_key.boxes;
  return make_segment(binding, std::move(header), run_key.key.view(), random);
}

Segment new_map_segment(const Binding& binding, const EpochKeys& epoch, Random& random) {
  SegmentHeader header;
  header.kind = SegmentKind::map;
  header.epoch = epoch.number;
  return make_segment(binding, std::move(header), epoch.map_key.view(), random);
}

crypto::AeadKey SegmentOpener::open(const SegmentHeader& header) {
  const EpochKeys& epoch = domain_.epoch(header.epoch);
  crypto::SecretBytes derived;
  if (header.kind == SegmentKind::map) {
    derived = derive(binding_, header, epoch.map_key.view());
  } else {
    if (!epoch.secret)
      throw Error(ErrorCode::wrong_key, "reading content of domain \"" + domain_.name + "\" needs a reading key")
          .with_hint("use the password or a read credential instead of the write credential");
    const Bytes* box = nullptr;
    for (const auto& [recipient, candidate] : header.keys)
      if (recipient == epoch.box) box = &candidate;
    if (box == nullptr) throw Error(ErrorCode::wrong_key, "a segment is not sealed to this domain's key");
    if (*box != last_box_) {
      const auto opened = crypto::box_open(epoch.box, *epoch.secret, *box);
      if (!opened) throw Error(ErrorCode::damaged, "the data key of a segment was altered");
      last_key_ = DataKey(opened->view());
      last_box_ = *box;
    }
    derived = derive(binding_, header, last_key_.view());
  }
  if (!crypto::equal_in_constant_time(derived.view().subspan(32), header.commitment.view()))
    throw Error(ErrorCode::damaged, "the key of a segment does not match its commitment");
  return crypto::AeadKey(derived.view().first(32));
}

Bytes record_associated(const Binding& binding, const SegmentId& segment, const RecordInfo& record) {
  Bytes associated;
  associated.reserve(128 + record.chunks.size() * 36);
  append(associated, as_bytes("qcbak1 record"));
  append(associated, binding.config_hash.view());
  append(associated, binding.domain.view());
  append(associated, segment.view());
  append_le<std::uint32_t>(associated, record.ordinal);
  append_le<std::uint8_t>(associated, record.type);
  append_le<std::uint8_t>(associated, record.flags);
  append_le<std::uint32_t>(associated, record.plain_length);
  append_le<std::uint32_t>(associated, static_cast<std::uint32_t>(record.chunks.size()));
  for (const ChunkRef& chunk : record.chunks) {
    append(associated, chunk.id.view());
    append_le<std::uint32_t>(associated, chunk.length);
  }
  return associated;
}

}  // namespace qcbak::repository
