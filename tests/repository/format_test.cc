// Every object of docs/format.md: what is encoded parses back, and what was altered, moved or mixed is refused.
#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "backup/repository/chunk_reader.h"
#include "base/error.h"
#include "tests/repository/world.h"

namespace qcbak::repository {
namespace {

using testing::IsEmpty;
using testing::SizeIs;
using namespace tests;

template <class Body>
ErrorCode code_of(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::failed;
}
#define EXPECT_REFUSED(statement) EXPECT_EQ(code_of([&] { statement; }), ErrorCode::damaged)

// ---- Config ----

TEST(ConfigFormat, RoundTrip) {
  SeededRandom random(1);
  for (const crypto::Suite suite : {crypto::Suite::aes_256_gcm, crypto::Suite::xchacha20_poly1305}) {
    Config config = new_config(suite, {-5}, random);
    config.optional_flags = {"a", "b"};
    const Config read = parse_config(encode_config(config));
    EXPECT_EQ(read.id, config.id);
    EXPECT_EQ(read.suite, suite);
    EXPECT_EQ(read.created, config.created);
    EXPECT_EQ(read.mandatory_flags, std::vector<std::string>{"collect-1"});
    EXPECT_EQ(read.optional_flags, config.optional_flags);
  }
}

TEST(ConfigFormat, AnOldProgramRefusesMandatoryFlagsItDoesNotKnow) {
  SeededRandom random(1);
  Config config = new_config(crypto::Suite::aes_256_gcm, {}, random);
  config.mandatory_flags.push_back("from-the-future");
  EXPECT_EQ(code_of([&] { parse_config(encode_config(config)); }), ErrorCode::unsupported);
  // And touches nothing of the repository: neither reading nor writing begins.
  World world(1);
  world.medium().plant(kConfigPath, encode_config(config));
  const simulated::SimulatedStorage storage(world.medium());
  EXPECT_EQ(code_of([&] { Repository(storage, {}); }), ErrorCode::unsupported);
}

TEST(ConfigFormat, EveryBitMatters) {
  World world(1);
  const simulated::SimulatedStorage storage(world.medium());
  const Bytes config = *storage.get(kConfigPath, kConfigLimit);
  for (std::size_t bit = 0; bit < 8 * config.size(); bit += 3) {
    const auto before = world.medium().copy();
    world.medium().flip_bit(kConfigPath, bit);
    EXPECT_THROW(open_test_repository(storage, Access::read), Error) << bit;
    world.medium().restore(*before);
  }
}

// ---- Keys ----

TEST(KeyFormat, RoundTripOfEveryKind) {
  SeededRandom random(1);
  const auto config_hash = random.id<crypto::Sha256>();
  const auto domain = random.id<DomainId>();
  const auto issuer = crypto::SignSeed::random(random);
  SlotObject slot;
  slot.custodian = random.id<CustodianId>();
  slot.name = "security unit";
  slot.box = random.id<crypto::BoxPublic>();
  slot.root_check = random.id<crypto::Sha256>();
  SlotObject shared = slot;
  slot.protection = RecipientProtection{"a safe"};
  shared.protection = SharesProtection{3, 5, {}};
  const std::vector<KeyContent> contents{
      DomainObject{"default", {1}, random.id<crypto::SignPublic>(), {1U << 10, 14, 1U << 20, 77}},
      slot,
      shared,
      EpochObject{3, {2}, random.id<crypto::BoxPublic>(), random.id<crypto::Sha256>()},
      GrantObject{3, random.id<CustodianId>(), random_content(random, 200)},
      WriterObject{random.id<crypto::SignPublic>(), "daemon", {3}},
      DrillObject{random.id<crypto::BoxPublic>(), "drills", {4}}};
  for (const KeyContent& content : contents) {
    const Bytes stored = encode_key_object(config_hash, domain, content, issuer);
    const KeyObject read = parse_key_object(config_hash, stored);
    EXPECT_EQ(read.domain, domain);
    EXPECT_EQ(read.issuer, crypto::sign_public(issuer));
    EXPECT_EQ(read.content.index(), content.index());
    EXPECT_EQ(encode_key_object(config_hash, domain, read.content, issuer), stored);
    EXPECT_REFUSED(parse_key_object(random.id<crypto::Sha256>(), stored));  // another repository's
    for (std::size_t at = 0; at < stored.size(); at += 7) {
      Bytes altered = stored;
      altered[at] ^= std::byte{4};
      EXPECT_REFUSED(parse_key_object(config_hash, altered));
      EXPECT_REFUSED(parse_key_object(config_hash, ByteView(stored).first(at)));
    }
  }
}

TEST(KeyFormat, OnlyWhoMayIssuesKeys) {
  SeededRandom random(1);
  const auto domain = random.id<DomainId>();
  const auto root = random.id<crypto::SignPublic>(), writer = random.id<crypto::SignPublic>(),
             stranger = random.id<crypto::SignPublic>();
  KeySet keys;
  const auto add = [&](const KeyContent& content, const crypto::SignPublic& issuer) {
    keys.add(random.id<ObjectName>(), {domain, content, issuer});
  };
  DomainObject domain_object;
  domain_object.root = root;
  EXPECT_REFUSED(add(domain_object, stranger));
  add(domain_object, root);
  EXPECT_REFUSED(add(domain_object, root));  // a domain has one
  add(WriterObject{writer, "w", {}}, root);
  EXPECT_REFUSED(add(WriterObject{stranger, "w", {}}, writer));
  EXPECT_REFUSED(add(SlotObject{}, writer));
  EXPECT_REFUSED(add(EpochObject{1, {}, {}, {}}, stranger));
  add(EpochObject{1, {}, {}, {}}, writer);
  EXPECT_TRUE(keys.may_sign_log(domain, writer));
  EXPECT_FALSE(keys.may_sign_log(domain, stranger));
  EXPECT_FALSE(keys.may_sign_log(random.id<DomainId>(), root));
}

TEST(KeyFormat, CredentialsRoundTripAndEveryCharacterMatters) {
  World world(1);
  const simulated::SimulatedStorage storage(world.medium());
  for (const CredentialKind kind : {CredentialKind::write, CredentialKind::read}) {
    const crypto::SecretBytes file = test_credential(storage, kind);
    const Credential read = parse_credential(file.view());
    EXPECT_EQ(read.kind, kind);
    EXPECT_EQ(read.domains.front().can_read(), kind == CredentialKind::read);
    for (std::size_t at = 0; at < file.size(); ++at) {
      Bytes altered = to_bytes(file.view());
      altered[at] ^= std::byte{1};
      // A newline may stand for another end of the last line.
      if (at + 1 == file.size()) continue;
      EXPECT_EQ(code_of([&] { parse_credential(altered); }), ErrorCode::wrong_key) << at;
    }
  }
}

// ---- Sealing with the map key ----

TEST(MapSealing, IsBoundToEveryThingItNames) {
  SeededRandom random(1);
  const Binding binding{crypto::Suite::aes_256_gcm, random.id<crypto::Sha256>(), random.id<DomainId>()};
  const MapKey key = MapKey::random(random);
  const Bytes plaintext = random_content(random, 100);
  const Bytes sealed = seal_with_map_key(binding, 7, key, "index", as_bytes("context"), plaintext, random);
  EXPECT_EQ(sealed_epoch(sealed), 7U);
  EXPECT_EQ(open_with_map_key(binding, key, "index", as_bytes("context"), sealed), plaintext);

  Binding other = binding;
  other.config_hash = random.id<crypto::Sha256>();
  EXPECT_REFUSED(open_with_map_key(other, key, "index", as_bytes("context"), sealed));
  other = binding;
  other.domain = random.id<DomainId>();
  EXPECT_REFUSED(open_with_map_key(other, key, "index", as_bytes("context"), sealed));
  other = binding;
  other.suite = crypto::Suite::xchacha20_poly1305;
  EXPECT_REFUSED(open_with_map_key(other, key, "index", as_bytes("context"), sealed));
  EXPECT_REFUSED(open_with_map_key(binding, MapKey::random(random), "index", as_bytes("context"), sealed));
  EXPECT_REFUSED(open_with_map_key(binding, key, "directory", as_bytes("context"), sealed));
  EXPECT_REFUSED(open_with_map_key(binding, key, "index", as_bytes("contexT"), sealed));
  // What moves from purpose to context.
  EXPECT_REFUSED(open_with_map_key(binding, key, "indexc", as_bytes("ontext"), sealed));
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    Bytes altered = sealed;
    altered[at] ^= std::byte{1};
    EXPECT_REFUSED(open_with_map_key(binding, key, "index", as_bytes("context"), altered));
  }
}

// ---- Segments and records ----

class RecordFormat : public testing::Test {
 protected:
  RecordFormat() : process_(world_, Access::read) {}
  const DomainKeys& domain() const { return process_.context.domain; }
  ChunkRef ref(ChunkType type, ByteView content) {
    return {ChunkNamer(domain().current_epoch().id_key).name(type, crypto::sha256(content)),
            static_cast<std::uint32_t>(content.size())};
  }
  struct Stored {
    SegmentHeader segment;
    RecordInfo info;
    Bytes bytes;
  };
  // Two chunks in each, so that they can be swapped.
  Stored record(OpenSegment& segment, ChunkType type, bool compressible) {
    const Bytes one = compressible ? Bytes(3000, std::byte{7}) : random_content(random(), 3000);
    const Bytes two = random_content(random(), 500);
    Bytes payload = one;
    append(payload, two);
    RecordEncoder encoder(binding_, 3);
    const SealedRecord sealed =
        encoder.encode(segment, type, {ref(type, one), ref(type, two)}, payload, RecordEncoder::CheckAgain::yes);
    return {segment.segment.header, sealed.info, to_bytes(sealed.bytes)};
  }
  bool opens(Stored stored) {
    RecordDecoder decoder(binding_, domain());
    try {
      decoder.decode(stored.segment, stored.info, stored.bytes, RecordDecoder::Hashes::check);
      return true;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::damaged);
      return false;
    }
  }
  SeededRandom& random() { return world_.random(); }

  World world_{1};
  World::Process process_;
  Binding binding_ = process_.repository->binding(domain().id);
};

TEST_F(RecordFormat, RoundTripOfEveryType) {
  OpenSegment data, map;
  data.segment = new_data_segment(binding_, new_run_key(domain(), random()), random());
  map.segment = new_map_segment(binding_, domain().current_epoch(), random());
  for (const bool compressible : {false, true}) {
    for (const ChunkType type : {ChunkType::data, ChunkType::tree, ChunkType::reference}) {
      const Stored stored = record(type == ChunkType::reference ? map : data, type, compressible);
      EXPECT_EQ(stored.info.flags, compressible ? kRecordCompressed : 0);
      EXPECT_TRUE(opens(stored));
      const SegmentHeader parsed = SegmentHeader::parse(stored.segment.encode());
      EXPECT_EQ(parsed.encode(), stored.segment.encode());
    }
  }
  EXPECT_EQ(data.next_ordinal, 4U);
}

TEST_F(RecordFormat, NoTwoFieldsCanBeSwapped) {
  const RunKey run = new_run_key(domain(), random());
  OpenSegment one, other;
  one.segment = new_data_segment(binding_, run, random());
  other.segment = new_data_segment(binding_, run, random());
  const Stored a = record(one, ChunkType::data, false), b = record(one, ChunkType::data, true),
               c = record(other, ChunkType::tree, true);
  using Swap = void (*)(Stored&, Stored&);
  const Swap swaps[] = {
      [](Stored& x, Stored& y) { std::swap(x.segment, y.segment); },
      [](Stored& x, Stored& y) { std::swap(x.segment.id, y.segment.id); },
      [](Stored& x, Stored& y) { std::swap(x.segment.salt, y.segment.salt); },
      [](Stored& x, Stored& y) { std::swap(x.segment.commitment, y.segment.commitment); },
      [](Stored& x, Stored& y) { std::swap(x.info.type, y.info.type); },
      [](Stored& x, Stored& y) { std::swap(x.info.flags, y.info.flags); },
      [](Stored& x, Stored& y) { std::swap(x.info.ordinal, y.info.ordinal); },
      [](Stored& x, Stored& y) { std::swap(x.info.plain_length, y.info.plain_length); },
      [](Stored& x, Stored& y) { std::swap(x.info.chunks, y.info.chunks); },
      [](Stored& x, Stored& y) { std::swap(x.info.chunks[0].id, y.info.chunks[0].id); },
      [](Stored& x, Stored& y) { std::swap(x.bytes, y.bytes); },
  };
  // Each pair of different records; a swap of equal fields changes nothing, and is left out.
  const std::pair<const Stored*, const Stored*> pairs[] = {{&a, &b}, {&a, &c}, {&b, &c}};
  int tried = 0;
  const auto fields = [](const Stored& s) {
    return std::tuple(s.segment.encode(), s.info.type, s.info.flags, s.info.ordinal, s.info.plain_length,
                      s.info.chunks.size(), s.info.chunks[0].id, s.bytes);
  };
  for (const auto& [first, second] : pairs) {
    for (const Swap swap : swaps) {
      Stored x = *first, y = *second;
      swap(x, y);
      if (fields(x) == fields(*first)) continue;
      EXPECT_FALSE(opens(x));
      EXPECT_FALSE(opens(y));
      ++tried;
    }
  }
  EXPECT_GE(tried, 20);
  // Within a record.
  Stored within = a;
  std::swap(within.info.chunks[0], within.info.chunks[1]);
  EXPECT_FALSE(opens(within));
  within = a;
  --within.info.chunks[0].length;
  ++within.info.chunks[1].length;
  EXPECT_FALSE(opens(within));
  // And where it belongs.
  const Binding binding = binding_;
  binding_.config_hash = random().id<crypto::Sha256>();
  EXPECT_FALSE(opens(a));
  binding_ = binding;
  binding_.domain = random().id<DomainId>();
  EXPECT_FALSE(opens(a));
}

// tarsnap 1.0.22: a refactoring dropped the counter, and a stream was used twice. No two records of a run, of its
// abandoned segments and of what collections copied share key and number, unless they are the same record.
TEST(Nonces, AreUsedOnce) {
  World world(1);
  World::Process process(world);
  const WriteContext& context = process.context;
  {
    PackWriter packs(context);
    std::set<SegmentId> segments;
    for (int i = 0; i < 5; ++i) {
      ChunkWriter writer(packs, ChunkType::data, 3);
      for (int j = 0; j < 3; ++j) {
        const Bytes content = random_content(world.random(), 1000);
        writer.add(ChunkNamer(context.domain.current_epoch().id_key).name(ChunkType::data, crypto::sha256(content)),
                   content);
        writer.flush();
      }
      const auto segment = packs.segment(PackWriter::Stream::content, ChunkType::data);
      segments.insert(segment->segment.header.id);
      packs.abandon(PackWriter::Stream::content, segment);
    }
    EXPECT_THAT(segments, SizeIs(5));
    packs.flush();
  }
  Files files = world.files_of(6, 9000);
  const SnapshotId first = world.backup(files);
  for (int i = 0; i < 4; ++i) {
    files.erase(files.begin());
    files["new" + std::to_string(i)] = random_content(world.random(), 9000);
    world.backup(files);
  }
  world.forget(first);
  CollectOptions eager = with_grace();
  eager.waste = 0;
  world.collect(eager);

  std::map<std::tuple<SegmentId, Salt, std::uint32_t>, Bytes> ledger;
  std::set<Salt> map_salts;
  std::size_t map_messages = 0;
  std::map<Salt, SegmentId> salts;
  const auto add_map = [&](ByteView sealed) {
    cbor::Reader reader(sealed);
    reader.array_of(3);
    reader.uint();
    map_salts.insert(Salt(reader.bytes_of(Salt::kSize)));
    ++map_messages;
  };
  std::size_t records = 0;
  for (const std::string& path : world.names("packs/")) {
    const Bytes pack = *process.storage.get(path, kPackLimit);
    const auto header = parse_pack_header(ByteView(pack).first(kPackHeaderSize));
    ASSERT_TRUE(header);
    cbor::Reader table_reader(ByteView(pack).subspan(header->table_a, header->table_length));
    table_reader.array_of(2);
    table_reader.skip();
    add_map(table_reader.skip());
    const PackTable table = read_pack_table(pack, process.repository->binding(context.domain.id), context.domain);
    for (const PackRecord& record : table.records) {
      const SegmentHeader& segment = table.segments[record.segment];
      EXPECT_EQ(salts.try_emplace(segment.salt, segment.id).first->second, segment.id);
      const Bytes sealed = to_bytes(ByteView(pack).subspan(record.offset, record.stored_length));
      const auto [at, added] = ledger.try_emplace({segment.id, segment.salt, record.info.ordinal}, sealed);
      EXPECT_EQ(at->second, sealed) << "one number for two records";
      ++records;
    }
  }
  EXPECT_GT(records, ledger.size()) << "the collection was to copy some";
  for (const std::string& path : world.names("indexes/"))
    add_map(ByteView(*process.storage.get(path, kIndexLimit)).subspan(8 + DomainId::kSize));
  for (const std::string& path : world.names("snapshots/"))
    add_map(parse_snapshot(*process.storage.get(path, kSnapshotLimit)).header);
  for (const std::string& path : world.names("log/")) {
    const LogEntry entry =
        parse_log_entry(process.repository->config_hash(), *process.storage.get(path, kLogEntryLimit));
    if (!entry.sealed.empty()) add_map(entry.sealed);
  }
  EXPECT_EQ(map_salts.size(), map_messages);
}

// ---- Packs ----

TEST(PackFormat, IsReadFromEitherTable) {
  World world(1);
  Files files = world.files_of(5);
  const SnapshotId id = world.backup(files);
  const World::Process process(world, Access::read);
  const Binding binding = process.repository->binding(process.context.domain.id);
  for (const std::string& path : world.names("packs/")) {
    const auto name = *name_from_path(path);
    const Bytes pack = *process.storage.get(path, kPackLimit);
    EXPECT_EQ(name_of(pack), name);
    const auto header = *parse_pack_header(ByteView(pack).first(kPackHeaderSize));
    EXPECT_EQ(header.length, pack.size());
    EXPECT_EQ(padme(pack.size()), pack.size());
    const auto whole = world.medium().copy();
    const auto readable = [&] {
      try {
        return read_pack_table(process.storage, name, binding, process.context.domain).records.size() > 0;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::damaged);
        return false;
      }
    };
    EXPECT_TRUE(readable());
    const std::uint64_t at_start[] = {0, header.table_a + header.table_length / 2};
    const std::uint64_t at_end[] = {pack.size() - 1, header.table_b + header.table_length / 2};
    for (const std::uint64_t one : at_start) {
      world.medium().flip_bit(path, 8 * one);
      EXPECT_TRUE(readable());
      EXPECT_EQ(read_snapshot(*open_test_repository(process.storage, Access::read), id), files);
      for (const std::uint64_t other : at_end) {
        const auto half = world.medium().copy();
        world.medium().flip_bit(path, 8 * other);
        EXPECT_FALSE(readable());
        world.medium().restore(*half);
      }
      world.medium().restore(*whole);
    }
    for (std::uint64_t at = header.table_a; at < header.table_a + header.table_length; at += 2) {
      world.medium().flip_bit(path, 8 * at);
      EXPECT_TRUE(readable()) << at;
      world.medium().restore(*whole);
    }
    for (const std::uint64_t one : at_end) {
      world.medium().flip_bit(path, 8 * one);
      EXPECT_TRUE(readable());
      world.medium().restore(*whole);
    }
    world.medium().truncate(path, pack.size() - 1);
    EXPECT_FALSE(readable());
    world.medium().restore(*whole);
  }
}

TEST(PackFormat, ATableBelongsToItsSegmentsAndItsDomain) {
  World world(1);
  world.backup(world.files_of(2));
  const World::Process process(world, Access::read);
  const Binding binding = process.repository->binding(process.context.domain.id);
  std::vector<Bytes> segments, directories;
  std::vector<PackHeader> headers;
  for (const std::string& path : world.names("packs/")) {
    const Bytes pack = *process.storage.get(path, kPackLimit);
    headers.push_back(*parse_pack_header(ByteView(pack).first(kPackHeaderSize)));
    cbor::Reader reader(ByteView(pack).subspan(headers.back().table_a, headers.back().table_length));
    reader.array_of(2);
    segments.push_back(to_bytes(reader.skip()));
    directories.push_back(to_bytes(reader.skip()));
  }
  for (const std::size_t s : {0U, 1U}) {
    for (const std::size_t d : {0U, 1U}) {
      Bytes table;
      cbor::Writer(table).array(2).raw(segments[s]).raw(directories[d]);
      if (s == d)
        EXPECT_NO_THROW(parse_pack_table(binding, process.context.domain, headers[s], table));
      else
        EXPECT_REFUSED(parse_pack_table(binding, process.context.domain, headers[s], table));
    }
  }
}

// Several threads open the records of a pack in its buffer.
TEST(PackFormat, RecordsDoNotOverlap) {
  World world(1);
  for (const int files : {1, 2}) world.backup(world.files_of(files));
  const World::Process process(world, Access::read);
  const Binding binding = process.repository->binding(process.context.domain.id);
  const EpochKeys& epoch = process.context.domain.current_epoch();
  // Two records of one pack, their offsets set by the test.
  Bytes segments;
  cbor::Writer(segments).array(1).raw(new_map_segment(binding, epoch, world.random()).header.encode());
  constexpr std::uint32_t kStored = 32;
  const auto opens = [&](std::uint32_t first, std::uint32_t second) {
    Bytes directory;
    append_le<std::uint32_t>(directory, 2);
    for (const std::uint32_t offset : {first, second}) {
      append_le<std::uint16_t>(directory, 0);
      directory.push_back(std::byte{1});
      directory.push_back(std::byte{0});
      append_le<std::uint32_t>(directory, 0);
      append_le<std::uint32_t>(directory, offset);
      append_le<std::uint32_t>(directory, kStored);
      append_le<std::uint32_t>(directory, kStored - 16);
      append_le<std::uint32_t>(directory, 1);
      directory.insert(directory.end(), ChunkId::kSize, std::byte{7});
      append_le<std::uint32_t>(directory, kStored - 16);
    }
    Bytes table;
    cbor::Writer(table).array(2).raw(segments).raw(seal_with_map_key(
        binding, epoch.number, epoch.map_key, "directory", crypto::sha256(segments).view(), directory, world.random()));
    PackHeader header;
    header.domain = process.context.domain.id;
    header.epoch = epoch.number;
    header.table_a = 1000;
    header.table_length = static_cast<std::uint32_t>(table.size());
    parse_pack_table(binding, process.context.domain, header, table);
  };
  EXPECT_NO_THROW(opens(64, 64 + kStored));
  EXPECT_NO_THROW(opens(100, 900));  // gaps are allowed
  EXPECT_REFUSED(opens(64, 64));
  EXPECT_REFUSED(opens(64, 64 + kStored - 1));
  EXPECT_REFUSED(opens(900, 100));
  EXPECT_REFUSED(opens(63, 200));
  EXPECT_REFUSED(opens(64, 1000 - kStored + 1));
}

// ---- Index ----

TEST(IndexFormat, RoundTripAndLookup) {
  SeededRandom random(1);
  std::vector<IndexedPack> packs;
  for (std::uint32_t i = 0; i < 10; ++i) packs.push_back({random.id<ObjectName>(), i});
  std::vector<IndexEntry> entries;
  for (std::uint32_t i = 0; i < 5000; ++i)
    entries.push_back({random.id<ChunkId>(), static_cast<std::uint32_t>(random.below(10)), i * 100, i, i});
  // A chunk in two packs, and twice in one: the first place counts.
  entries.push_back(entries[5]);
  entries.back().pack = (entries[5].pack + 1) % 10;
  entries.push_back(entries[7]);
  entries.back().offset += 50;
  const IndexSegment segment = IndexSegment::parse(encode_index(packs, entries));
  EXPECT_EQ(segment.entry_count(), 5001U);
  for (const IndexEntry& entry : entries) {
    const IndexEntry found = segment.entry(segment.lower_bound(entry.id));
    EXPECT_EQ(found.id, entry.id);
    if (entry.id == entries[7].id) {
      EXPECT_EQ(found.offset, entries[7].offset);
    }
  }
  std::shuffle(entries.begin(), entries.end(), std::mt19937(1));
  EXPECT_EQ(segment.entry_count(), IndexSegment::parse(encode_index(packs, entries)).entry_count());
}

TEST(IndexFormat, IsSealedToItsDomain) {
  World world(1);
  world.backup(world.files_of(1));
  const World::Process process(world);
  Binding binding = process.repository->binding(process.context.domain.id);
  const Bytes stored = *process.storage.get(world.names("indexes/").front(), kIndexLimit);
  EXPECT_EQ(index_domain(stored), process.context.domain.id);
  EXPECT_FALSE(open_index(binding, process.context.domain, stored).empty());
  for (std::size_t at = 0; at < stored.size(); at += 5) {
    Bytes altered = stored;
    altered[at] ^= std::byte{1};
    EXPECT_THROW(open_index(binding, process.context.domain, altered), Error);
  }
  for (std::size_t length = 0; length < stored.size(); length += 11)
    EXPECT_REFUSED(open_index(binding, process.context.domain, ByteView(stored).first(length)));
  EXPECT_REFUSED(IndexSegment::parse(Bytes(3)));
}

// ---- Snapshots ----

class SnapshotFormat : public testing::Test {
 protected:
  SnapshotFormat() : process_(world_, Access::read) {}
  std::pair<SnapshotHeader, SnapshotBody> make() {
    SeededRandom& random = world_.random();
    SnapshotHeader header;
    header.salt = random.id<Salt>();
    header.time = {12};
    header.end = {13};
    header.host = "máy-chủ";
    header.paths = {to_bytes(as_bytes("/etc")), to_bytes(as_bytes("/\xff\xfe"))};
    header.labels = {{"a", "1"}, {"b", ""}};
    header.totals = {1, 2, 3, 4, 5, 6};
    header.reference_root = random.id<ChunkId>();
    header.program = "qcbak";
    header.findings = 1;
    header.id = snapshot_id(process_.repository->config().id, domain().id, header);
    SnapshotBody body;
    body.id = header.id;
    body.root = to_bytes(as_bytes("\x80"));
    body.users = {{0, to_bytes(as_bytes("root"))}};
    body.groups = {{65534, to_bytes(as_bytes("nogroup"))}};
    body.findings = {{"/etc/\xff", "vanished"}};
    return {header, body};
  }
  Bytes encode(const SnapshotHeader& header, const SnapshotBody& body, std::vector<ObjectName> packs) {
    return encode_snapshot(binding_, domain().current_epoch(),
                           new_data_segment(binding_, new_run_key(domain(), world_.random()), world_.random()), packs,
                           header, body, world_.random());
  }
  const DomainKeys& domain() { return process_.context.domain; }
  World world_{1};
  World::Process process_;
  Binding binding_ = process_.repository->binding(process_.context.domain.id);
};

TEST_F(SnapshotFormat, RoundTrip) {
  const auto [header, body] = make();
  std::vector<ObjectName> packs{world_.random().id<ObjectName>(), world_.random().id<ObjectName>()};
  std::sort(packs.begin(), packs.end());
  const StoredSnapshot stored = parse_snapshot(encode(header, body, packs));
  EXPECT_EQ(stored.packs, packs);
  const SnapshotHeader read = open_snapshot_header(binding_, domain(), process_.repository->config().id, stored);
  EXPECT_EQ(read.id, header.id);
  EXPECT_EQ(read.host, header.host);
  EXPECT_EQ(read.paths, header.paths);
  EXPECT_EQ(read.labels, header.labels);
  EXPECT_EQ(read.reference_root, header.reference_root);
  EXPECT_EQ(read.totals.bytes_stored, 6U);
  EXPECT_EQ(read.end, header.end);
  SegmentOpener opener(binding_, domain());
  const SnapshotBody read_body = open_snapshot_body(binding_, opener, stored);
  EXPECT_EQ(read_body.id, body.id);
  EXPECT_EQ(read_body.root, body.root);
  EXPECT_EQ(read_body.users, body.users);
  EXPECT_EQ(read_body.groups, body.groups);
  EXPECT_EQ(read_body.findings.front().path, body.findings.front().path);
  std::reverse(packs.begin(), packs.end());
  EXPECT_REFUSED(parse_snapshot(encode(header, body, packs)));
}

TEST_F(SnapshotFormat, PartsOfTwoSnapshotsDoNotMix) {
  const auto [header_a, body_a] = make();
  const auto [header_b, body_b] = make();
  const StoredSnapshot a = parse_snapshot(encode(header_a, body_a, {world_.random().id<ObjectName>()}));
  const StoredSnapshot b = parse_snapshot(encode(header_b, body_b, {world_.random().id<ObjectName>()}));
  const auto open = [&](const StoredSnapshot& stored) {
    const SnapshotHeader header = open_snapshot_header(binding_, domain(), process_.repository->config().id, stored);
    SegmentOpener opener(binding_, domain());
    if (open_snapshot_body(binding_, opener, stored).id != header.id) throw Error(ErrorCode::damaged, "mixed");
  };
  for (unsigned mix = 0; mix < 16; ++mix) {
    StoredSnapshot stored = a;
    if ((mix & 1) != 0) stored.packs = b.packs;
    if ((mix & 2) != 0) stored.header = b.header;
    if ((mix & 4) != 0) {
      stored.segment = b.segment;
      stored.encoded_segment = b.encoded_segment;
    }
    if ((mix & 8) != 0) stored.body = b.body;
    if (mix == 0 || mix == 15)
      EXPECT_NO_THROW(open(stored));
    else
      EXPECT_REFUSED(open(stored));
  }
  // The body's record cannot be taken out of the header's reach either.
  StoredSnapshot stored = a;
  stored.body = b.body;
  SegmentOpener opener(binding_, domain());
  EXPECT_REFUSED(open_snapshot_body(binding_, opener, stored));
}

TEST_F(SnapshotFormat, AnObjectOfAnotherSnapshotIsNoticed) {
  world_.backup(world_.files_of(1));
  world_.backup(world_.files_of(1));
  const auto objects = world_.names("snapshots/");
  world_.medium().swap(objects[0], objects[1]);
  const auto repository = open_test_repository(process_.storage, Access::read);
  std::vector<Repository::Damage> damage;
  EXPECT_THAT(repository->snapshots(&damage), IsEmpty());
  EXPECT_THAT(damage, SizeIs(2));
}

// ---- Trees ----

// Nodes in memory, as a repository would keep them.
struct Nodes {
  std::map<ChunkId, Bytes> chunks;
  std::set<ChunkId> references;
  StoreChunk store = [this](ChunkType type, Bytes plaintext) {
    EXPECT_LE(plaintext.size(), kChunkLimit);
    const ChunkId id(crypto::sha256(plaintext).view());
    if (type == ChunkType::reference) references.insert(id);
    chunks[id] = std::move(plaintext);
    return id;
  };
  LoadChunk load = [this](ChunkType, const ChunkId& id) { return chunks.at(id); };
};

TEST(TreeFormat, ADirectoryOfAHundredThousandNames) {
  constexpr std::size_t kNames = 100'000;
  SeededRandom random(1);
  std::set<std::string> names;
  while (names.size() < kNames)
    names.insert("file-" + std::to_string(random.below(10'000'000)) + std::string(random.below(40), 'x'));
  const auto build = [&](Nodes& nodes, const std::set<std::string>& from) {
    DirectoryWriter writer(nodes.store);
    std::uint64_t number = 0;
    for (const std::string& name : from) {
      Entry entry;
      entry.metadata.mtime_s = static_cast<std::int64_t>(crypto::sha256(as_bytes(name)).value[0]);
      entry.sha256 = crypto::sha256({});
      writer.add(name, entry.metadata, encode_details(entry), {}, std::nullopt);
      ++number;
    }
    return writer.finish();
  };
  Nodes nodes;
  const NodeIds root = build(nodes, names);
  auto expected = names.begin();
  for_each_entry(nodes.load, root.tree, [&](Entry&& entry) { EXPECT_EQ(entry.name, *expected++); });
  EXPECT_EQ(expected, names.end());
  for (const char* missing : {"", "a", "file-", "zzz"}) EXPECT_FALSE(find_entry(nodes.load, root.tree, missing));
  int looked = 0;
  for (auto at = names.begin(); at != names.end();
       std::advance(at, std::min<std::ptrdiff_t>(997, std::distance(at, names.end())))) {
    const auto entry = find_entry(nodes.load, root.tree, *at);
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->name, *at);
    ++looked;
  }
  EXPECT_GE(looked, 100);

  // The reference tree mirrors it node by node.
  std::size_t walked = 0;
  std::vector<ChunkId> waiting{root.reference};
  std::set<ChunkId> trees;
  while (!waiting.empty()) {
    const ReferenceNode node = parse_reference(nodes.chunks.at(waiting.back()));
    waiting.pop_back();
    trees.insert(node.tree);
    ++walked;
    waiting.insert(waiting.end(), node.children.begin(), node.children.end());
  }
  EXPECT_EQ(walked, nodes.references.size());
  EXPECT_EQ(trees.size() + nodes.references.size(), nodes.chunks.size());

  // One name more changes few nodes.
  const std::size_t before = nodes.chunks.size();
  std::set<std::string> more = names;
  more.insert("file-5000000-in-the-middle");
  build(nodes, more);
  EXPECT_LE(nodes.chunks.size() - before, 10U);
}

TEST(TreeFormat, EmptyAndOrder) {
  Nodes nodes;
  const NodeIds empty = DirectoryWriter(nodes.store).finish();
  for_each_entry(nodes.load, empty.tree, [](Entry&&) { FAIL(); });
  Bytes node;
  Entry entry;
  entry.sha256 = crypto::sha256({});
  const Bytes details = encode_details(entry);
  for (const auto& [one, two] : {std::pair("b", "a"), std::pair("a", "a"), std::pair("ab", "a")}) {
    node.clear();
    cbor::Writer(node)
        .array(2)
        .uint(0)
        .array(2)
        .raw(encode_entry(one, {}, details))
        .raw(encode_entry(two, {}, details));
    EXPECT_REFUSED(parse_node(node));
  }
  for (const std::string& name :
       {std::string(""), std::string("."), std::string(".."), std::string("a/b"), std::string("a\0b", 3)}) {
    node.clear();
    cbor::Writer(node).array(2).uint(0).array(1).raw(encode_entry(name, {}, details));
    EXPECT_REFUSED(parse_node(node));
  }
}

TEST(TreeFormat, ContentNodes) {
  SeededRandom random(1);
  for (const std::size_t count : {33UL, 1024UL, 1025UL, 5000UL, 1'100'000UL}) {
    Nodes nodes;
    std::vector<Part> parts;
    std::uint64_t size = 0;
    for (std::size_t i = 0; i < count; ++i) {
      Part part;
      if (!random.one_in(5)) part.chunk = ChunkId(crypto::sha256(as_bytes(std::to_string(i))).view());
      part.length = part.chunk ? 1 + random.below(kChunkLimit) : std::uint64_t(1) << 33;
      size += part.length;
      parts.push_back(part);
    }
    Entry file;
    file.metadata.size_bytes = size;
    const NodeIds ids = write_content(nodes.store, parts);
    file.content_node = ids.tree;
    EXPECT_EQ(all_parts(nodes.load, file), parts);
    --file.metadata.size_bytes;
    EXPECT_REFUSED(all_parts(nodes.load, file));
    std::size_t named = 0;
    for (const ChunkId& reference : nodes.references) named += parse_reference(nodes.chunks.at(reference)).data.size();
    EXPECT_EQ(named, static_cast<std::size_t>(
                         std::count_if(parts.begin(), parts.end(), [](const Part& p) { return p.chunk.has_value(); })));
  }
}

TEST(TreeFormat, EveryTypeOfEntryRoundTrips) {
  SeededRandom random(1);
  std::vector<Entry> entries;
  for (std::uint8_t type = 1; type <= 7; ++type) {
    Entry entry;
    entry.name = "\xff-" + std::to_string(type);
    Metadata& metadata = entry.metadata;
    metadata.type = static_cast<EntryType>(type);
    metadata.mode = 07777;
    metadata.uid = UINT32_MAX;
    metadata.mtime_s = -1;
    metadata.mtime_ns = 999'999'999;
    metadata.flags = 0x10;
    metadata.attributes = {{to_bytes(as_bytes("security.capability")), random_content(random, 20)},
                           {to_bytes(as_bytes("user.x")), {}}};
    if (metadata.type != EntryType::directory) {
      metadata.link_count = 2;
      metadata.link_device = 3;
      metadata.link_inode = UINT64_MAX;
    }
    switch (metadata.type) {
      case EntryType::file:
        entry.parts = {{random.id<ChunkId>(), 5}, {std::nullopt, 7}};
        metadata.size_bytes = 12;
        entry.sha256 = random.id<crypto::Sha256>();
        break;
      case EntryType::directory: entry.directory = random.id<ChunkId>(); break;
      case EntryType::symlink: metadata.link_target = to_bytes(as_bytes("../\xff")); break;
      case EntryType::char_device:
      case EntryType::block_device: metadata.device = (std::uint64_t(8) << 32) | 1; break;
      default: break;
    }
    Bytes node;
    cbor::Writer(node).array(2).uint(0).array(1).raw(encode_entry(entry.name, metadata, encode_details(entry)));
    const Entry read = parse_node(node).entries.front();
    EXPECT_EQ(read.name, entry.name);
    EXPECT_EQ(read.metadata, metadata);
    EXPECT_EQ(read.parts, entry.parts);
    EXPECT_EQ(read.sha256, entry.sha256);
    EXPECT_EQ(read.directory, entry.directory);
    // Details of one type under another.
    for (std::uint8_t other = 1; other <= 7; ++other) {
      const bool alike = type >= 4 && other >= 4;
      if (other == type || alike) continue;
      Metadata disguised = metadata;
      disguised.type = static_cast<EntryType>(other);
      node.clear();
      cbor::Writer(node).array(2).uint(0).array(1).raw(encode_entry(entry.name, disguised, encode_details(entry)));
      EXPECT_REFUSED(parse_node(node)) << int(type) << " as " << int(other);
    }
  }
}

// ---- Log ----

TEST(LogFormat, RoundTripOfEveryKind) {
  World world(1);
  const World::Process process(world);
  SeededRandom& random = world.random();
  const Binding binding = process.repository->binding(process.context.domain.id);
  const auto id = random.id<SnapshotId>();
  const std::vector<LogEvent> events{KeyEvent{{random.id<ObjectName>()}, {random.id<ObjectName>()}, "why"},
                                     Commit{random.id<ObjectName>(), id, 3},
                                     Tombstone{{id, random.id<SnapshotId>()}, "policy"},
                                     Relabel{id, {{"k", "v"}}},
                                     Hold{id, "court"},
                                     Release{id, "over"},
                                     RetentionLock{id, {77}},
                                     Condemnation{{random.id<ObjectName>()}},
                                     Collection{{}},
                                     Checkpoint{{5, random.id<crypto::Sha256>()}},
                                     Audit{"{}"}};
  const LogHead head{41, random.id<crypto::Sha256>()};
  std::vector<LogEntry> entries;
  for (const LogEvent& event : events) {
    const Bytes stored = encode_log_entry(binding, head, {9}, event, process.context.domain, random);
    LogEntry entry = parse_log_entry(binding.config_hash, stored);
    EXPECT_EQ(entry.number, 42U);
    EXPECT_EQ(entry.previous, head.hash);
    EXPECT_EQ(entry.event.index(), event.index());
    entries.push_back(entry);
    open_log_details(binding, process.context.domain, entry);
    if (const auto* hold = std::get_if<Hold>(&entry.event)) {
      EXPECT_EQ(hold->reason, "court");
    }
    if (const auto* relabel = std::get_if<Relabel>(&entry.event)) {
      EXPECT_EQ(relabel->labels, (Labels{{"k", "v"}}));
    }
    if (const auto* tombstone = std::get_if<Tombstone>(&entry.event)) {
      EXPECT_THAT(tombstone->snapshots, SizeIs(2));
    }
    EXPECT_REFUSED(parse_log_entry(random.id<crypto::Sha256>(), stored));
    for (std::size_t at = 0; at < stored.size(); at += 3) {
      Bytes altered = stored;
      altered[at] ^= std::byte{1};
      EXPECT_REFUSED(parse_log_entry(binding.config_hash, altered));
    }
  }
  // Sealed details belong to their number.
  LogEntry moved = entries[4];
  moved.number = 43;
  EXPECT_REFUSED(open_log_details(binding, process.context.domain, moved));
}

TEST(LogFormat, AnEntryThatDoesNotFollowIsRefused) {
  World world(1);
  for (int i = 0; i < 3; ++i) world.backup(world.files_of(1, 100));
  const auto log = world.names("log/");
  const simulated::SimulatedStorage storage(world.medium());
  const auto whole = world.medium().copy();
  world.medium().swap(log[1], log[2]);
  EXPECT_REFUSED(open_test_repository(storage, Access::read));
  world.medium().restore(*whole);
  world.medium().lose(log[0]);
  EXPECT_REFUSED(open_test_repository(storage, Access::read));
  world.medium().restore(*whole);
  world.medium().plant(log_path(log.size() + 1), *storage.get(log.back(), kLogEntryLimit));
  EXPECT_REFUSED(open_test_repository(storage, Access::read));
}

TEST(LogFormat, HoldsAndLocksWithstandTombstones) {
  World world(1);
  const SnapshotId id = world.backup(world.files_of(1, 100));
  World::Process process(world);
  const auto append = [&](const LogEvent& event) { append_log(process.context, [&] { return event; }); };
  const auto lives = [&] { return process.repository->log().snapshots.at(id).tombstone_number == 0; };
  append(Hold{id, "court"});
  append(Tombstone{{id}, ""});
  EXPECT_TRUE(lives());
  append(Release{id, ""});
  append(RetentionLock{id, {world.clock().now().ns + kDayNs}});
  append(RetentionLock{id, {world.clock().now().ns}});  // never shortened
  world.clock().advance(kDayNs - 1);
  append(Tombstone{{id}, ""});
  EXPECT_TRUE(lives());
  world.clock().advance(1);
  append(Tombstone{{id}, ""});
  EXPECT_FALSE(lives());
}

TEST(LogFormat, WritersTakeNumbersInTurn) {
  World world(1);
  World::Process one(world), two(world);
  const std::uint64_t first = append_log(one.context, [] { return Audit{"1"}; });
  EXPECT_EQ(append_log(two.context, [] { return Audit{"2"}; }), first + 1);
  // Between reading the head and putting, somebody is faster.
  int calls = 0;
  EXPECT_EQ(append_log(one.context,
                       [&] {
                         if (++calls == 1) append_log(two.context, [] { return Audit{"3"}; });
                         return Audit{"4"};
                       }),
            first + 3);
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace qcbak::repository
