#include "tests/repository/test_repository.h"

#include <set>
#include <variant>

#include "backup/repository/chunk_reader.h"
#include "base/error.h"

namespace qcbak::tests {

using namespace repository;

CustodianSeed test_seed() {
  Bytes seed(CustodianSeed::kSize, std::byte{0x5a});
  return CustodianSeed(seed);
}

namespace {

crypto::SignSeed writer_seed() {
  const Bytes seed(crypto::SignSeed::kSize, std::byte{0xa5});
  return crypto::SignSeed(seed);
}

}  // namespace

void create_test_repository(storage::Storage& storage, const Clock& clock, Random& random,
                            const TestRepositoryOptions& options) {
  const Time now = clock.now();
  const Bytes config_bytes = encode_config(new_config(options.suite, now, random));
  const crypto::Sha256 config_hash = crypto::sha256(config_bytes);
  const CustodianSeed seed = test_seed();
  const CustodianKeys custodian(seed);
  LogHead head{0, config_hash};
  for (const std::string& domain_name : options.domains) {
    const Binding binding{options.suite, config_hash, random.id<DomainId>()};
    DomainObject domain;
    domain.name = domain_name;
    domain.created = now;
    domain.root = crypto::sign_public(custodian.sign);
    domain.chunking.seed = 1;

    SlotObject slot;
    slot.custodian = random.id<CustodianId>();
    slot.name = "custodian";
    slot.created = now;
    slot.box = crypto::box_public(custodian.box);
    slot.sign = domain.root;
    slot.protection = RecipientProtection{"tests"};
    slot.root_check = root_check(binding, seed, domain.root);

    EpochKeys keys;
    keys.number = 1;
    keys.map_key = MapKey::random(random);
    keys.id_key = IdKey::random(random);
    keys.secret = crypto::BoxSecret::random(random);
    keys.box = crypto::box_public(*keys.secret);
    const EpochObject epoch{1, now, keys.box, map_check(keys.map_key)};
    const GrantObject grant{1, slot.custodian, seal_grant(slot.box, domain.root, keys)};
    const WriterObject writer{crypto::sign_public(writer_seed()), "writer", now};

    KeyEvent event;
    event.reason = "init";
    for (const KeyContent& content :
         {KeyContent(domain), KeyContent(slot), KeyContent(epoch), KeyContent(grant), KeyContent(writer)}) {
      const Bytes object = encode_key_object(config_hash, binding.domain, content, custodian.sign);
      const ObjectName name = name_of(object);
      storage.put(key_path(name), object);
      event.added.push_back(name);
    }
    DomainKeys signer(binding.domain, crypto::SignSeed(custodian.sign.view()));
    signer.epochs.push_back(std::move(keys));
    const Bytes entry = encode_log_entry(binding, head, now, event, signer, random);
    storage.put(log_path(head.number + 1), entry);
    head = {head.number + 1, crypto::sha256(entry)};
  }
  storage.put(kConfigPath, config_bytes);
}

crypto::SecretBytes test_credential(const storage::ReadStorage& storage, CredentialKind kind) {
  Repository repository(storage, {});
  repository.unlock_with_seed(test_seed());
  std::vector<DomainKeys> domains;
  for (const DomainKeys& from : repository.domains()) {
    DomainKeys& to = domains.emplace_back(from.id, writer_seed());
    to.name = from.name;
    to.root = from.root;
    for (const EpochKeys& epoch : from.epochs) {
      EpochKeys& copy = to.epochs.emplace_back();
      copy.number = epoch.number;
      copy.map_key = epoch.map_key.copy();
      copy.id_key = epoch.id_key.copy();
      copy.box = epoch.box;
      if (kind == CredentialKind::read) copy.secret = epoch.secret->copy();
    }
  }
  return encode_credential(kind, repository.config_hash(), domains, repository.log().head);
}

std::unique_ptr<Repository> open_test_repository(const storage::ReadStorage& storage, Access access,
                                                 OpenOptions options) {
  auto repository = std::make_unique<Repository>(storage, std::move(options));
  switch (access) {
    case Access::locked: break;
    case Access::read: repository->unlock_with_seed(test_seed()); break;
    case Access::write_only:
      repository->unlock_with_credential(test_credential(storage, CredentialKind::write).view());
      break;
  }
  return repository;
}

namespace {

struct Directory {
  std::map<std::string, std::variant<const Bytes*, std::unique_ptr<Directory>>> entries;
};

Directory tree_of(const Files& files) {
  Directory root;
  for (const auto& [path, content] : files) {
    Directory* at = &root;
    std::string_view rest = path;
    for (std::size_t slash = rest.find('/'); slash != std::string_view::npos; slash = rest.find('/')) {
      auto& next = at->entries[std::string(rest.substr(0, slash))];
      if (!std::holds_alternative<std::unique_ptr<Directory>>(next)) next = std::make_unique<Directory>();
      at = std::get<std::unique_ptr<Directory>>(next).get();
      rest.remove_prefix(slash + 1);
    }
    at->entries[std::string(rest)] = &content;
  }
  return root;
}

class SnapshotBuilder {
 public:
  SnapshotBuilder(const WriteContext& context, const StoreOptions& options)
      : context_(context),
        options_(options),
        packs_(context),
        namer_(context.domain.current_epoch().id_key),
        data_(packs_, ChunkType::data, kDefaultCompressionLevel),
        trees_(packs_, ChunkType::tree, kDefaultCompressionLevel),
        references_(packs_, ChunkType::reference, kDefaultCompressionLevel),
        store_([this](ChunkType type, const Bytes& plaintext) { return store(type, plaintext); }) {}

  struct Stored {
    Metadata metadata;
    Bytes details;
    Bytes data_ids;
    std::optional<ChunkId> reference;
  };

  Stored file(const Bytes& content) {
    Stored stored;
    Entry entry;
    entry.metadata.mode = 0644;
    entry.metadata.size_bytes = content.size();
    entry.sha256 = crypto::sha256(content);
    std::vector<Part> parts;
    for (std::size_t at = 0; at < content.size(); at += options_.chunk_bytes) {
      const ByteView piece = ByteView(content).subspan(at, std::min(options_.chunk_bytes, content.size() - at));
      parts.push_back({store(ChunkType::data, piece), piece.size()});
    }
    if (options_.records == StoreOptions::Records::one_a_file) data_.flush();
    ++totals_.files;
    totals_.bytes += content.size();
    if (parts.size() <= kInlineParts) {
      for (const Part& part : parts) append(stored.data_ids, part.chunk->view());
      entry.parts = std::move(parts);
    } else {
      const NodeIds node = write_content(store_, parts);
      entry.content_node = node.tree;
      stored.reference = node.reference;
    }
    stored.metadata = entry.metadata;
    stored.details = encode_details(entry);
    return stored;
  }

  Stored directory(const Directory& from) {
    DirectoryWriter writer(store_);
    for (const auto& [name, child] : from.entries) {
      const Stored stored = std::holds_alternative<const Bytes*>(child)
                                ? file(*std::get<const Bytes*>(child))
                                : directory(*std::get<std::unique_ptr<Directory>>(child));
      writer.add(name, stored.metadata, stored.details, stored.data_ids, stored.reference);
    }
    const NodeIds node = writer.finish();
    ++totals_.directories;
    Stored stored;
    Entry entry;
    entry.metadata.type = EntryType::directory;
    entry.metadata.mode = 0755;
    entry.directory = node.tree;
    stored.metadata = entry.metadata;
    stored.details = encode_details(entry);
    stored.reference = node.reference;
    return stored;
  }

  StoredFiles finish(const Directory& from) {
    const Stored root = directory(from);
    data_.flush();
    trees_.flush();
    references_.flush();
    packs_.flush();
    std::set<ObjectName> used;
    for (const ChunkId& id : ids_) {
      const auto place = context_.repository.index(context_.domain).find(id);
      check(place.has_value(), "what was stored is in the index");
      used.insert(place->pack);
    }
    StoredFiles stored;
    stored.packs = {used.begin(), used.end()};
    stored.header.time = stored.header.end = context_.clock.now();
    stored.header.host = options_.host;
    stored.header.labels = options_.labels;
    stored.header.paths = {to_bytes(as_bytes("/"))};
    stored.header.program = "tests";
    stored.header.reference_root = *root.reference;
    totals_.bytes_stored = packs_.bytes_stored();
    stored.header.totals = totals_;
    stored.body.root = encode_root(root.metadata, root.details);
    return stored;
  }

 private:
  ChunkId store(ChunkType type, ByteView plaintext) {
    const ChunkId id = namer_.name(type, crypto::sha256(plaintext));
    ids_.insert(id);
    if (context_.repository.index(context_.domain).claim(id)) {
      ChunkWriter& writer = type == ChunkType::data ? data_ : type == ChunkType::tree ? trees_ : references_;
      writer.add(id, plaintext);
      totals_.bytes_added += plaintext.size();
    }
    return id;
  }

  const WriteContext& context_;
  const StoreOptions& options_;
  PackWriter packs_;
  ChunkNamer namer_;
  ChunkWriter data_, trees_, references_;
  StoreChunk store_;
  std::set<ChunkId> ids_;
  Totals totals_;
};

void read_directory(ChunkReader& reader, const ChunkId& node, const std::string& prefix, Files& files) {
  for_each_entry(reader.loader(), node, [&](Entry&& entry) {
    const std::string path = prefix + entry.name;
    if (entry.metadata.type == EntryType::directory) {
      read_directory(reader, *entry.directory, path + "/", files);
      return;
    }
    Bytes content;
    for (const Part& part : all_parts(reader.loader(), entry))
      append(content, reader.load(ChunkType::data, *part.chunk));
    if (crypto::sha256(content) != *entry.sha256)
      throw Error(ErrorCode::damaged, "the content of " + path + " is not what was stored");
    files.emplace(path, std::move(content));
  });
}

}  // namespace

StoredFiles store_files(const WriteContext& context, const Files& files, const StoreOptions& options) {
  return SnapshotBuilder(context, options).finish(tree_of(files));
}

SnapshotId store_snapshot(const WriteContext& context, const Files& files, const StoreOptions& options) {
  StoredFiles stored = store_files(context, files, options);
  return commit_snapshot(context, std::move(stored.header), std::move(stored.body), std::move(stored.packs));
}

Files read_snapshot(const Repository& repository, const SnapshotId& id) {
  const SnapshotInfo info = repository.snapshot(id);
  const SnapshotBody body = repository.body(info);
  ChunkReader reader(repository, *repository.find_domain(info.state.domain));
  Files files;
  read_directory(reader, *parse_root(body.root).directory, "", files);
  return files;
}

Bytes random_content(SeededRandom& random, std::size_t size) {
  Bytes content(size);
  random.fill(content);
  return content;
}

}  // namespace qcbak::tests
