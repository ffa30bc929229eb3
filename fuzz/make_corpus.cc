// make_corpus DIR: writes one good input of each form that the fuzz targets take to DIR/TARGET/. From these the fuzzer
// learns the forms; fuzz/corpus holds them, and what it found.
#include <cstdio>
#include <filesystem>

#include "backup/repository/config.h"
#include "backup/repository/index.h"
#include "backup/repository/log.h"
#include "backup/repository/record.h"
#include "backup/repository/tree.h"
#include "base/unique_fd.h"
#include "fuzz/keys_at_hand.h"

namespace qcbak::fuzz {
namespace {

using namespace repository;

std::string corpus;

void put(const std::string& name, ByteView input) { write_file_durably(corpus + "/" + name, input); }
void put(const std::string& name, unsigned choice, ByteView input) {
  Bytes all{static_cast<std::byte>(choice)};
  append(all, input);
  put(name, all);
}

constexpr Time kTime{1'780'000'000'000'000'000};

// The payload of a stored `[payload, …]`.
Bytes payload_of(ByteView stored, std::uint64_t items) {
  cbor::Reader reader(stored);
  reader.array_of(items);
  return to_bytes(reader.bytes());
}

void make_config() {
  CountingRandom random;
  Config config = new_config(crypto::Suite::aes_256_gcm, kTime, random);
  put("config/plain", encode_config(config));
  config.suite = crypto::Suite::xchacha20_poly1305;
  config.optional_flags = {"a", "b"};
  put("config/flags", encode_config(config));
}

void make_keys() {
  SlotObject slot;
  slot.custodian = id_of<CustodianId>(8);
  slot.name = "custodian";
  slot.box = id_of<crypto::BoxPublic>(9);
  slot.sign = id_of<crypto::SignPublic>(10);
  PasswordProtection password;
  CountingRandom random;
  password.parameters = crypto::new_password_parameters(random);
  password.sealed_seed.resize(CustodianSeed::kSize + crypto::kTagSize);
  SlotObject with_password = slot, with_shares = slot, with_recipient = slot;
  with_password.protection = password;
  with_shares.protection = SharesProtection{2, 3, {}};
  with_recipient.protection = RecipientProtection{"safe"};
  const DomainObject domain_object{"default", kTime, domain().root, {}};
  const std::pair<const char*, KeyContent> objects[] = {
      {"domain", domain_object},
      {"slot-password", with_password},
      {"slot-shares", with_shares},
      {"slot-recipient", with_recipient},
      {"epoch", EpochObject{1, kTime, domain().current_epoch().box, {}}},
      {"grant", GrantObject{1, slot.custodian, Bytes(200)}},
      {"writer", WriterObject{domain().root, "writer", kTime}},
      {"drill", DrillObject{domain().current_epoch().box, "drill", kTime}},
  };
  for (const auto& [name, content] : objects) {
    const Bytes stored = encode_key_object(binding().config_hash, domain().id, content, domain().signer);
    put(std::string("keys/") + name, 0, payload_of(stored, 3));
    if (name == std::string_view("epoch")) put("keys/stored", 1, stored);
  }
}

std::vector<DomainKeys> only_domain(CredentialKind kind) {
  std::vector<DomainKeys> domains;
  DomainKeys& copy = domains.emplace_back(domain().id, crypto::SignSeed(domain().signer.view()));
  copy.name = domain().name;
  copy.root = domain().root;
  const EpochKeys& from = domain().current_epoch();
  EpochKeys& to = copy.epochs.emplace_back();
  to.number = from.number;
  to.map_key = from.map_key.copy();
  to.id_key = from.id_key.copy();
  to.box = from.box;
  if (kind == CredentialKind::read) to.secret = from.secret->copy();
  return domains;
}

void make_credential() {
  for (const CredentialKind kind : {CredentialKind::write, CredentialKind::read}) {
    const auto file = encode_credential(kind, binding().config_hash, only_domain(kind), {7, id_of<crypto::Sha256>(9)});
    std::string hex;
    std::string_view text = as_text(file.view());
    for (std::size_t line = 0, end = 0; (end = text.find('\n')) != text.npos; text.remove_prefix(end + 1), ++line)
      if (line > 0) hex += text.substr(0, end);
    const std::string body = hex.substr(0, hex.size() - 2 * crypto::Sha256::kSize);
    const bool read = kind == CredentialKind::read;
    Bytes bytes = from_hex(body);
    put(read ? "credential/read" : "credential/write", read ? 1 : 0, bytes);
    if (read) continue;
    put("credential/stored", 2, file.view());
    constexpr std::size_t kKindAt = 2;
    bytes[kKindAt] = std::byte{2};
    put("credential/read-without-secret", 1, bytes);
  }
}

std::vector<std::pair<crypto::BoxPublic, Bytes>> some_boxes() {
  return {{domain().current_epoch().box, Bytes(DataKey::kSize + crypto::kBoxOverhead)}};
}

Segment map_segment() {
  CountingRandom random;
  return new_map_segment(binding(), domain().current_epoch(), random);
}

void make_segment() {
  put("segment/map", map_segment().header.encode());
  SegmentHeader data;
  data.epoch = 1;
  data.keys = some_boxes();
  put("segment/data", data.encode());
  // One that opens: its box is as random as boxes are, so it is another at each making.
  CountingRandom random;
  put("segment/opens", new_data_segment(binding(), new_run_key(domain(), random), random).header.encode());
}

// Three small chunks in a record that compression shrinks, and one in a record that it does not.
struct SomeRecords {
  OpenSegment segment{map_segment()};
  RecordEncoder encoder{binding(), 3};
  std::vector<std::pair<RecordInfo, Bytes>> records;

  SomeRecords() {
    const ChunkNamer namer(domain().current_epoch().id_key);
    const auto add = [&](const std::vector<Bytes>& contents) {
      Bytes payload;
      std::vector<ChunkRef> chunks;
      for (const Bytes& content : contents) {
        chunks.push_back(
            {namer.name(ChunkType::reference, crypto::sha256(content)), static_cast<std::uint32_t>(content.size())});
        append(payload, content);
      }
      const SealedRecord sealed =
          encoder.encode(segment, ChunkType::reference, chunks, payload, RecordEncoder::CheckAgain::no);
      records.emplace_back(sealed.info, to_bytes(sealed.bytes));
    };
    add({Bytes(300, std::byte{'a'}), Bytes(200, std::byte{'b'}), Bytes(100, std::byte{'c'})});
    Bytes noise;
    for (int i = 0; i < 2; ++i) append(noise, crypto::sha256(Bytes(1, static_cast<std::byte>(i))).view());
    add({noise});
  }
};

FinishedPack some_pack() {
  SomeRecords some;
  PackBuilder builder;
  for (auto& [info, bytes] : some.records) builder.add(some.segment.segment.header, info, bytes);
  CountingRandom random;
  return builder.finish(binding(), domain().current_epoch(), random);
}

void make_pack() {
  const FinishedPack pack = some_pack();
  const PackHeader header = parse_pack_header(pack.bytes().first(kPackHeaderSize)).value();
  const ByteView table = pack.bytes().subspan(header.table_a, header.table_length);
  put("pack/header", 0, pack.bytes().first(kPackHeaderSize));
  cbor::Reader reader(table);
  reader.array_of(2);
  const ByteView segments = reader.skip();
  put("pack/directory", 1,
      open_with_map_key(binding(), domain().current_epoch().map_key, "directory", crypto::sha256(segments).view(),
                        reader.skip()));
  put("pack/table", 2, table);
  put("pack/whole", 3, pack.bytes());
}

void make_record() {
  SomeRecords some;
  RecordDecoder decoder(binding(), domain());
  const char* const names[] = {"record/compressed", "record/plain"};
  for (std::size_t i = 0; i < some.records.size(); ++i) {
    auto& [info, sealed] = some.records[i];
    Bytes opened(sealed.size() - crypto::kTagSize);
    const SegmentHeader& header = some.segment.segment.header;
    check(crypto::Aead(binding().suite, some.segment.segment.key)
              .open(info.ordinal, record_associated(binding(), header.id, info), sealed, opened),
          "a record opens with the key it was sealed with");
    Bytes input;
    append_le<std::uint8_t>(input, info.type);
    append_le<std::uint8_t>(input, info.flags);
    append_le<std::uint32_t>(input, info.plain_length);
    append_le<std::uint8_t>(input, static_cast<std::uint8_t>(info.chunks.size()));
    for (const ChunkRef& chunk : info.chunks) append_le<std::uint32_t>(input, chunk.length);
    append(input, opened);
    put(names[i], input);
  }
}

void make_index() {
  const std::vector<IndexedPack> packs = {{id_of<ObjectName>(1), 5000}, {id_of<ObjectName>(2), 6000}};
  std::vector<IndexEntry> entries;
  for (unsigned i = 0; i < 20; ++i) entries.push_back({id_of<ChunkId>(12 * (i / 2)), i % 2, 64 + i, 100, 84});
  const Bytes plaintext = encode_index(packs, entries);
  put("index/plain", 0, plaintext);
  put("index/empty", 0, encode_index({}, {}));
  CountingRandom random;
  put("index/stored", 1, seal_index(binding(), domain().current_epoch(), plaintext, random));
}

Metadata metadata_of(EntryType type) {
  Metadata metadata;
  metadata.type = type;
  metadata.mode = 0750;
  metadata.uid = 1000;
  metadata.gid = 100;
  metadata.mtime_s = -5;
  metadata.mtime_ns = 999'999'999;
  return metadata;
}

std::vector<Entry> some_entries() {
  std::vector<Entry> entries;
  const auto add = [&](const std::string& name, EntryType type) -> Entry& {
    Entry& entry = entries.emplace_back();
    entry.name = name;
    entry.metadata = metadata_of(type);
    if (type == EntryType::file) entry.sha256 = id_of<crypto::Sha256>(0);
    return entry;
  };
  add("block", EntryType::block_device).metadata.device = std::uint64_t(8) << 32 | 1;
  add("directory", EntryType::directory).directory = id_of<ChunkId>(1);
  add("empty", EntryType::file).metadata.flags = 0x10;
  add("fifo", EntryType::fifo);
  {
    Entry& file = add("file", EntryType::file);
    file.metadata.size_bytes = 3000;
    file.parts = {{id_of<ChunkId>(2), 1000}, {std::nullopt, 1500}, {id_of<ChunkId>(3), 500}};
    file.metadata.link_count = 2;
    file.metadata.link_device = 5;
    file.metadata.link_inode = 77;
    file.metadata.attributes = {{to_bytes(as_bytes("security.capability")), Bytes(20)},
                                {to_bytes(as_bytes("user.k")), to_bytes(as_bytes("v"))}};
  }
  {
    Entry& file = add("large", EntryType::file);
    file.metadata.size_bytes = 1ULL << 40;
    file.content_node = id_of<ChunkId>(4);
  }
  add("link", EntryType::symlink).metadata.link_target = to_bytes(as_bytes("../elsewhere"));
  add("socket", EntryType::socket);
  return entries;
}

Bytes encode_leaf(const std::vector<Entry>& entries) {
  Bytes out;
  cbor::Writer writer(out);
  writer.array(2).uint(0).array(entries.size());
  for (const Entry& entry : entries) writer.raw(encode_entry(entry.name, entry.metadata, encode_details(entry)));
  return out;
}

void make_tree() {
  put("tree/leaf", 0, encode_leaf(some_entries()));
  put("tree/empty", 0, encode_leaf({}));
  Bytes branch;
  cbor::Writer(branch)
      .array(2)
      .uint(1)
      .array(2)
      .array(3)
      .bytes(as_bytes("a"))
      .bytes(id_of<ChunkId>(1).view())
      .uint(10)
      .array(3)
      .bytes(as_bytes("b"))
      .bytes(id_of<ChunkId>(2).view())
      .uint(1000);
  put("tree/branch", 0, branch);
  Bytes parts;
  cbor::Writer(parts).array(2).uint(2).array(4).bytes(id_of<ChunkId>(1).view()).uint(1000).null().uint(1U << 30);
  put("tree/content", 0, parts);
  Bytes content_branch;
  cbor::Writer(content_branch).array(2).uint(3).array(1).array(2).bytes(id_of<ChunkId>(1).view()).uint(1U << 30);
  put("tree/content-branch", 0, content_branch);
  put("tree/reference", 1, encode_reference(id_of<ChunkId>(1), Bytes(2 * ChunkId::kSize), Bytes(3 * ChunkId::kSize)));
  Entry root;
  root.metadata = metadata_of(EntryType::directory);
  root.directory = id_of<ChunkId>(1);
  put("tree/root", 2, encode_root(root.metadata, encode_details(root)));
}

void make_snapshot() {
  CountingRandom random;
  SnapshotHeader header;
  header.salt = random.id<Salt>();
  header.time = kTime;
  header.host = "host";
  header.paths = {to_bytes(as_bytes("/etc")), to_bytes(as_bytes("/home"))};
  header.labels = {{"job", "nightly"}, {"tier", "gold"}};
  header.totals = {1, 2, 3, 4, 5, 6};
  header.reference_root = id_of<ChunkId>(1);
  header.program = "qcbak";
  header.end = {kTime.ns + 1};
  header.id = snapshot_id(id_of<RepositoryId>(7), domain().id, header);
  SnapshotBody body;
  body.id = header.id;
  Entry root;
  root.metadata = metadata_of(EntryType::directory);
  root.directory = id_of<ChunkId>(1);
  body.root = encode_root(root.metadata, encode_details(root));
  body.users = {{0, to_bytes(as_bytes("root"))}};
  body.groups = {{0, to_bytes(as_bytes("root"))}, {100, to_bytes(as_bytes("users"))}};
  body.findings = {{"/etc/shadow", "permission denied"}};
  const Segment segment = map_segment();
  const Bytes stored = encode_snapshot(binding(), domain().current_epoch(), segment,
                                       {id_of<ObjectName>(1), id_of<ObjectName>(2)}, header, body, random);
  put("snapshot/stored", 0, stored);
  const StoredSnapshot parsed = parse_snapshot(stored);
  Bytes packs, context;
  for (const ObjectName& pack : parsed.packs) append(packs, pack.view());
  for (const ByteView part : {ByteView(packs), ByteView(parsed.encoded_segment), ByteView(parsed.body)})
    append(context, crypto::sha256(part).view());
  put("snapshot/header", 1,
      open_with_map_key(binding(), domain().current_epoch().map_key, "header", context, parsed.header));
  RecordInfo record;
  record.type = kBodyRecordType;
  record.plain_length = static_cast<std::uint32_t>(parsed.body.size() - crypto::kTagSize);
  Bytes opened(record.plain_length);
  check(crypto::Aead(binding().suite, segment.key)
            .open(0, record_associated(binding(), segment.header.id, record), parsed.body, opened),
        "a body opens with the key it was sealed with");
  put("snapshot/body", 2, opened);
}

void make_log() {
  const SnapshotId snapshot = id_of<SnapshotId>(3);
  const LogEvent events[] = {
      KeyEvent{{id_of<ObjectName>(1), id_of<ObjectName>(2)}, {id_of<ObjectName>(3)}, "init"},
      Commit{id_of<ObjectName>(1), snapshot, 4},
      Tombstone{{snapshot}, "too old"},
      Relabel{snapshot, {{"a", "b"}, {"c", "d"}}},
      Hold{snapshot, "audit"},
      Release{snapshot, "done"},
      RetentionLock{snapshot, kTime},
      Condemnation{{id_of<ObjectName>(1)}},
      Collection{{id_of<ObjectName>(1)}},
      Checkpoint{{7, id_of<crypto::Sha256>(8)}},
      Audit{"{}"},
  };
  const char* const names[] = {"key-event", "commit",       "tombstone",  "label",      "hold", "release",
                               "lock",      "condemnation", "collection", "checkpoint", "audit"};
  unsigned kind = 0;
  for (const LogEvent& event : events) {
    CountingRandom random;
    const Bytes stored = encode_log_entry(binding(), {0, binding().config_hash}, kTime, event, domain(), random);
    const std::string name = names[kind];
    put("log/" + name, 1, payload_of(stored, 2));
    if (kind == 0) put("log/stored", 0, stored);
    const LogEntry entry = parse_log_entry(binding().config_hash, stored);
    if (!entry.sealed.empty()) {
      Bytes context;
      append_le<std::uint64_t>(context, entry.number);
      Bytes input{static_cast<std::byte>(kind)};
      append(input, open_with_map_key(binding(), domain().current_epoch().map_key, "log", context, entry.sealed));
      put("log/" + name + "-details", 2, input);
    }
    ++kind;
  }
}

}  // namespace
}  // namespace qcbak::fuzz

int main(int count, char** arguments) {
  using namespace qcbak::fuzz;
  if (count != 2) {
    std::fprintf(stderr, "Usage: make_corpus DIR\n");
    return 2;
  }
  corpus = arguments[1];
  for (const char* target :
       {"config", "credential", "index", "keys", "log", "pack", "record", "segment", "snapshot", "tree"})
    std::filesystem::create_directories(corpus + "/" + target);
  make_config();
  make_credential();
  make_index();
  make_keys();
  make_log();
  make_pack();
  make_record();
  make_segment();
  make_snapshot();
  make_tree();
  return 0;
}
