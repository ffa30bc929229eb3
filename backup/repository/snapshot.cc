#include "backup/repository/snapshot.h"

#include "base/error.h"

namespace qcbak::repository {
namespace {

constexpr std::string_view kMagic = "qcbaksn1";

RecordInfo body_record(std::size_t length) {
  RecordInfo record;
  record.type = kBodyRecordType;
  record.plain_length = static_cast<std::uint32_t>(length);
  return record;
}

Bytes header_context(ByteView packs, ByteView segment, ByteView body) {
  Bytes context;
  for (const ByteView part : {packs, segment, body}) append(context, crypto::sha256(part).view());
  return context;
}

void write_names(cbor::Writer& writer, const std::vector<std::pair<std::uint32_t, Bytes>>& names) {
  writer.array(names.size());
  for (const auto& [id, name] : names) writer.array(2).uint(id).bytes(name);
}

std::vector<std::pair<std::uint32_t, Bytes>> read_names(cbor::Reader& reader) {
  std::vector<std::pair<std::uint32_t, Bytes>> names;
  const std::uint64_t count = reader.array();
  for (std::uint64_t i = 0; i < count; ++i) {
    reader.array_of(2);
    const auto id = static_cast<std::uint32_t>(reader.uint_at_most(UINT32_MAX));
    names.emplace_back(id, to_bytes(reader.bytes()));
  }
  return names;
}

void require_fields(unsigned seen, unsigned expected) {
  if (seen != expected) throw Error(ErrorCode::damaged, "an incomplete snapshot");
}

}  // namespace

void write_labels(cbor::Writer& writer, const Labels& labels) {
  writer.array(labels.size());
  for (const auto& [key, value] : labels) writer.array(2).text(key).text(value);
}

Labels read_labels(cbor::Reader& reader) {
  Labels labels;
  const std::uint64_t count = reader.array();
  for (std::uint64_t i = 0; i < count; ++i) {
    reader.array_of(2);
    std::string key(reader.text());
    if (i > 0 && key <= labels.back().first) throw Error(ErrorCode::damaged, "labels out of order");
    labels.emplace_back(std::move(key), std::string(reader.text()));
  }
  return labels;
}

SnapshotId snapshot_id(const RepositoryId& repository, const DomainId& domain, const SnapshotHeader& header) {
  Bytes identity;
  cbor::Writer writer(identity);
  writer.array(4).integer(header.time.ns).text(header.host).text(header.source).array(header.paths.size());
  for (const Bytes& path : header.paths) writer.bytes(path);
  crypto::Sha256Stream hash;
  hash.update(as_bytes("qcbak1 snapshot")).update(header.salt.view()).update(repository.view());
  hash.update(domain.view()).update(identity);
  return SnapshotId(hash.finish().view());
}

Bytes encode_snapshot(const Binding& binding, const EpochKeys& epoch, const Segment& segment,
                      const std::vector<ObjectName>& packs, const SnapshotHeader& header, const SnapshotBody& body,
                      Random& random) {
  Bytes body_plain;
  {
    cbor::Writer writer(body_plain);
    writer.map(5).uint(1).bytes(body.id.view()).uint(2).bytes(body.root.view()).uint(3);
    write_names(writer, body.users);
    writer.uint(4);
    write_names(writer, body.groups);
    writer.uint(5).array(body.findings.size());
    for (const Finding& finding : body.findings) writer.array(2).bytes(as_bytes(finding.path)).text(finding.what);
  }
  Bytes sealed_body(body_plain.size() + crypto::kTagSize);
  crypto::Aead(binding.suite, segment.key)
      .seal(0, record_associated(binding, segment.header.id, body_record(body_plain.size())), body_plain, sealed_body);

  Bytes header_plain;
  {
    cbor::Writer writer(header_plain);
    writer.map(12).uint(1).bytes(header.id.view()).uint(2).bytes(header.salt.view()).uint(3).integer(header.time.ns);
    writer.uint(4).text(header.host).uint(5).text(header.source).uint(6).array(header.paths.size());
    for (const Bytes& path : header.paths) writer.bytes(path);
    writer.uint(7);
    write_labels(writer, header.labels);
    const Totals& totals = header.totals;
    writer.uint(8).array(6).uint(totals.files).uint(totals.directories).uint(totals.others).uint(totals.bytes);
    writer.uint(totals.bytes_added).uint(totals.bytes_stored).uint(9).bytes(header.reference_root.view());
    writer.uint(10).text(header.program).uint(11).uint(header.findings).uint(12).integer(header.end.ns);
  }
  Bytes pack_names;
  for (const ObjectName& pack : packs) append(pack_names, pack.view());
  const Bytes encoded_segment = segment.header.encode();

  Bytes out;
  cbor::Writer writer(out);
  writer.array(6).text(kMagic).bytes(binding.domain.view()).bytes(pack_names);
  writer.raw(seal_with_map_key(binding, epoch.number, epoch.map_key, "header",
                               header_context(pack_names, encoded_segment, sealed_body), header_plain, random));
  writer.raw(encoded_segment).bytes(sealed_body);
  return out;
}

StoredSnapshot parse_snapshot(ByteView bytes) {
  StoredSnapshot stored;
  cbor::Reader reader(bytes);
  reader.array_of(6);
  if (reader.text() != kMagic) throw Error(ErrorCode::damaged, "this is not a snapshot");
  stored.domain = DomainId(reader.bytes_of(DomainId::kSize));
  ByteView packs = reader.bytes();
  if (packs.size() % ObjectName::kSize != 0) throw Error(ErrorCode::damaged, "a snapshot's pack list is cut off");
  for (; !packs.empty(); packs = packs.subspan(ObjectName::kSize)) {
    const ObjectName name(packs.first(ObjectName::kSize));
    if (!stored.packs.empty() && name <= stored.packs.back())
      throw Error(ErrorCode::damaged, "a snapshot's pack list is out of order");
    stored.packs.push_back(name);
  }
  stored.header = to_bytes(reader.skip());
  stored.encoded_segment = to_bytes(reader.skip());
  stored.segment = SegmentHeader::parse(stored.encoded_segment);
  stored.body = to_bytes(reader.bytes());
  reader.finish();
  if (stored.body.size() < crypto::kTagSize) throw Error(ErrorCode::damaged, "a snapshot's body is cut off");
  return stored;
}

SnapshotHeader parse_snapshot_header(ByteView plaintext) {
  SnapshotHeader header;
  cbor::Reader reader(plaintext);
  unsigned seen = 0;
  for (cbor::MapReader map(reader); map.next(); ++seen) {
    switch (map.key()) {
      case 1: header.id = SnapshotId(reader.bytes_of(SnapshotId::kSize)); break;
      case 2: header.salt = Salt(reader.bytes_of(Salt::kSize)); break;
      case 3: header.time.ns = reader.integer(); break;
      case 4: header.host = std::string(reader.text()); break;
      case 5: header.source = std::string(reader.text()); break;
      case 6: {
        const std::uint64_t count = reader.array();
        for (std::uint64_t i = 0; i < count; ++i) header.paths.push_back(to_bytes(reader.bytes()));
        break;
      }
      case 7: header.labels = read_labels(reader); break;
      case 8: {
        reader.array_of(6);
        Totals& totals = header.totals;
        for (std::uint64_t* total : {&totals.files, &totals.directories, &totals.others, &totals.bytes,
                                     &totals.bytes_added, &totals.bytes_stored})
          *total = reader.uint();
        break;
      }
      case 9: header.reference_root = ChunkId(reader.bytes_of(ChunkId::kSize)); break;
      case 10: header.program = std::string(reader.text()); break;
      case 11: header.findings = reader.uint(); break;
      case 12: header.end.ns = reader.integer(); break;
      default: map.unknown();
    }
  }
  reader.finish();
  require_fields(seen, 12);
  return header;
}

SnapshotBody parse_snapshot_body(ByteView plaintext) {
  SnapshotBody body;
  cbor::Reader reader(plaintext);
  unsigned seen = 0;
  for (cbor::MapReader map(reader); map.next(); ++seen) {
    switch (map.key()) {
      case 1: body.id = SnapshotId(reader.bytes_of(SnapshotId::kSize)); break;
      case 2: body.root = ChunkId(reader.bytes_of(ChunkId::kSize)); break;
      case 3: body.users = read_names(reader); break;
      case 4: body.groups = read_names(reader); break;
      case 5: {
        const std::uint64_t count = reader.array();
        for (std::uint64_t i = 0; i < count; ++i) {
          reader.array_of(2);
          std::string path = to_string(reader.bytes());
          body.findings.push_back({std::move(path), std::string(reader.text())});
        }
        break;
      }
      default: map.unknown();
    }
  }
  reader.finish();
  require_fields(seen, 5);
  return body;
}

SnapshotHeader open_snapshot_header(const Binding& binding, const DomainKeys& domain, const RepositoryId& repository,
                                    const StoredSnapshot& stored) {
  Bytes packs;
  for (const ObjectName& pack : stored.packs) append(packs, pack.view());
  const Bytes plaintext =
      open_with_map_key(binding, domain.epoch(sealed_epoch(stored.header)).map_key, "header",
                        header_context(packs, stored.encoded_segment, stored.body), stored.header);
  SnapshotHeader header = parse_snapshot_header(plaintext);
  if (snapshot_id(repository, stored.domain, header) != header.id)
    throw Error(ErrorCode::damaged, "a snapshot's id does not follow from its header");
  return header;
}

SnapshotBody open_snapshot_body(const Binding& binding, SegmentOpener& opener, const StoredSnapshot& stored) {
  const std::size_t length = stored.body.size() - crypto::kTagSize;
  Bytes plaintext(length);
  crypto::Aead aead(binding.suite, opener.open(stored.segment));
  if (!aead.open(0, record_associated(binding, stored.segment.id, body_record(length)), stored.body, plaintext))
    throw Error(ErrorCode::damaged, "a snapshot's body was altered");
  return parse_snapshot_body(plaintext);
}

}  // namespace qcbak::repository
