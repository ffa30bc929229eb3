#include "backup/repository/keys.h"

#include <algorithm>

#include "base/error.h"

namespace qcbak::repository {
namespace {

constexpr std::size_t kNameLimit = 256;

enum class Kind : std::uint8_t { domain = 1, slot = 2, epoch = 3, grant = 4, writer = 5, drill = 6 };

Bytes signed_message(const crypto::Sha256& config_hash, ByteView payload) {
  Bytes message = to_bytes(as_bytes("qcbak1 key object"));
  message.push_back(std::byte{0});
  append(message, config_hash.view());
  append(message, payload);
  return message;
}

Bytes slot_associated(const Binding& binding, const SlotObject& slot) {
  Bytes associated = to_bytes(as_bytes("qcbak1 slot"));
  append(associated, binding.config_hash.view());
  append(associated, binding.domain.view());
  append(associated, slot.custodian.view());
  append(associated, slot.box.view());
  append(associated, slot.sign.view());
  return associated;
}

struct PayloadWriter {
  cbor::Writer writer;
  ByteView domain;

  void begin(std::uint64_t keys, Kind kind) {
    writer.map(keys).uint(1).uint(static_cast<std::uint64_t>(kind)).uint(2).bytes(domain);
  }

  void operator()(const DomainObject& object) {
    begin(6, Kind::domain);
    writer.uint(3).text(object.name).uint(4).integer(object.created.ns).uint(5).bytes(object.root.view());
    writer.uint(6).array(4).uint(object.chunking.least_bytes).uint(object.chunking.average_log2);
    writer.uint(object.chunking.most_bytes).uint(object.chunking.seed);
  }
  void operator()(const SlotObject& object) {
    begin(10, Kind::slot);
    writer.uint(3).bytes(object.custodian.view()).uint(4).text(object.name).uint(5).integer(object.created.ns);
    writer.uint(6).bytes(object.box.view()).uint(7).bytes(object.sign.view());
    writer.uint(8).uint(object.protection.index() + 1).uint(9);
    if (const auto* password = std::get_if<PasswordProtection>(&object.protection)) {
      writer.array(4).bytes(password->parameters.salt.view()).uint(password->parameters.passes);
      writer.uint(password->parameters.memory_kib).bytes(password->sealed_seed);
    } else if (const auto* shares = std::get_if<SharesProtection>(&object.protection)) {
      writer.array(3).uint(shares->threshold).uint(shares->count).bytes(shares->set.view());
    } else {
      writer.array(1).text(std::get<RecipientProtection>(object.protection).hint);
    }
    writer.uint(10).bytes(object.root_check.view());
  }
  void operator()(const EpochObject& object) {
    begin(6, Kind::epoch);
    writer.uint(3).uint(object.number).uint(4).integer(object.created.ns).uint(5).bytes(object.box.view());
    writer.uint(6).bytes(object.map_check.view());
  }
  void operator()(const GrantObject& object) {
    begin(5, Kind::grant);
    writer.uint(3).uint(object.epoch).uint(4).bytes(object.custodian.view()).uint(5).bytes(object.sealed_secrets);
  }
  void operator()(const WriterObject& object) {
    begin(5, Kind::writer);
    writer.uint(3).bytes(object.sign.view()).uint(4).text(object.name).uint(5).integer(object.created.ns);
  }
  void operator()(const DrillObject& object) {
    begin(5, Kind::drill);
    writer.uint(3).bytes(object.box.view()).uint(4).text(object.name).uint(5).integer(object.created.ns);
  }
};

// Reads the value that must come with the next key of a map whose keys are all present and known.
class Fields {
 public:
  explicit Fields(cbor::Reader& reader) : reader_(reader), map_(reader) {}
  cbor::Reader& field(std::uint64_t key) {
    if (!map_.next() || map_.key() != key) throw Error(ErrorCode::damaged, "a key object lacks a field");
    return reader_;
  }
  template <class Id>
  Id id(std::uint64_t key) {
    return Id(field(key).bytes_of(Id::kSize));
  }
  std::string name(std::uint64_t key) {
    const std::string_view text = field(key).text();
    if (text.empty() || text.size() > kNameLimit) throw Error(ErrorCode::damaged, "a key object has no proper name");
    return std::string(text);
  }
  Time time(std::uint64_t key) { return {field(key).integer()}; }
  std::uint32_t number(std::uint64_t key) { return static_cast<std::uint32_t>(field(key).uint_at_most(UINT32_MAX)); }
  void finish() {
    if (map_.next()) map_.unknown();
    reader_.finish();
  }

 private:
  cbor::Reader& reader_;
  cbor::MapReader map_;
};

Chunking read_chunking(cbor::Reader& reader) {
  reader.array_of(4);
  Chunking chunking;
  chunking.least_bytes = static_cast<std::uint32_t>(reader.uint_at_most(kChunkLimit));
  chunking.average_log2 = static_cast<std::uint32_t>(reader.uint_at_most(22));
  chunking.most_bytes = static_cast<std::uint32_t>(reader.uint_at_most(kChunkLimit));
  chunking.seed = reader.uint();
  if (chunking.average_log2 < 12 || chunking.least_bytes < 64 || chunking.least_bytes > 1U << chunking.average_log2 ||
      chunking.most_bytes < 1U << chunking.average_log2)
    throw Error(ErrorCode::damaged, "impossible parameters of the chunker");
  return chunking;
}

decltype(SlotObject::protection) read_protection(std::uint64_t kind, cbor::Reader& reader) {
  switch (kind) {
    case 1: {
      PasswordProtection protection;
      reader.array_of(4);
      protection.parameters.salt = decltype(protection.parameters.salt)(reader.bytes_of(16));
      protection.parameters.passes = static_cast<std::uint32_t>(reader.uint_at_most(UINT32_MAX));
      protection.parameters.memory_kib = static_cast<std::uint32_t>(reader.uint_at_most(UINT32_MAX));
      crypto::check_password_parameters(protection.parameters);
      protection.sealed_seed = to_bytes(reader.bytes_of(CustodianSeed::kSize + crypto::kTagSize));
      return protection;
    }
    case 2: {
      SharesProtection protection;
      reader.array_of(3);
      protection.threshold = static_cast<std::uint32_t>(reader.uint_at_most(255));
      protection.count = static_cast<std::uint32_t>(reader.uint_at_most(255));
      protection.set = decltype(protection.set)(reader.bytes_of(16));
      if (protection.threshold < 1 || protection.threshold > protection.count)
        throw Error(ErrorCode::damaged, "an impossible number of key shares");
      return protection;
    }
    case 3: {
      reader.array_of(1);
      return RecipientProtection{std::string(reader.text())};
    }
    default: throw Error(ErrorCode::damaged, "a custodian's slot of an unknown kind");
  }
}

KeyContent read_content(Kind kind, Fields& fields) {
  switch (kind) {
    case Kind::domain: {
      DomainObject object;
      object.name = fields.name(3);
      object.created = fields.time(4);
      object.root = fields.id<crypto::SignPublic>(5);
      object.chunking = read_chunking(fields.field(6));
      return object;
    }
    case Kind::slot: {
      SlotObject object;
      object.custodian = fields.id<CustodianId>(3);
      object.name = fields.name(4);
      object.created = fields.time(5);
      object.box = fields.id<crypto::BoxPublic>(6);
      object.sign = fields.id<crypto::SignPublic>(7);
      const std::uint64_t protection = fields.field(8).uint();
      object.protection = read_protection(protection, fields.field(9));
      object.root_check = fields.id<crypto::Sha256>(10);
      return object;
    }
    case Kind::epoch: {
      EpochObject object;
      object.number = fields.number(3);
      object.created = fields.time(4);
      object.box = fields.id<crypto::BoxPublic>(5);
      object.map_check = fields.id<crypto::Sha256>(6);
      if (object.number == 0) throw Error(ErrorCode::damaged, "epochs are numbered from 1");
      return object;
    }
    case Kind::grant: {
      GrantObject object;
      object.epoch = fields.number(3);
      object.custodian = fields.id<CustodianId>(4);
      object.sealed_secrets = to_bytes(fields.field(5).bytes());
      return object;
    }
    case Kind::writer: {
      WriterObject object;
      object.sign = fields.id<crypto::SignPublic>(3);
      object.name = fields.name(4);
      object.created = fields.time(5);
      return object;
    }
    case Kind::drill: {
      DrillObject object;
      object.box = fields.id<crypto::BoxPublic>(3);
      object.name = fields.name(4);
      object.created = fields.time(5);
      return object;
    }
  }
  throw Error(ErrorCode::damaged, "a key object of an unknown kind");
}

constexpr std::string_view kWriteHeading = "qcbak write credential 1";
constexpr std::string_view kReadHeading = "qcbak read credential 1";
constexpr std::size_t kHexLine = 64;

[[noreturn]] void not_a_credential() {
  throw Error(ErrorCode::wrong_key, "the credential file is not one that qcbak wrote, or is damaged")
      .with_hint("export it again with: qcbak key credential");
}

}  // namespace

Bytes encode_key_object(const crypto::Sha256& config_hash, const DomainId& domain, const KeyContent& content,
                        const crypto::SignSeed& issuer) {
  Bytes payload;
  std::visit(PayloadWriter{cbor::Writer(payload), domain.view()}, content);
  const crypto::Signature signature = crypto::sign(issuer, signed_message(config_hash, payload));
  Bytes out;
  cbor::Writer(out).array(3).bytes(payload).bytes(crypto::sign_public(issuer).view()).bytes(signature.view());
  return out;
}

KeyObject parse_key_object(const crypto::Sha256& config_hash, ByteView stored) {
  cbor::Reader outer(stored);
  outer.array_of(3);
  const ByteView payload = outer.bytes();
  KeyObject object;
  object.issuer = crypto::SignPublic(outer.bytes_of(crypto::SignPublic::kSize));
  const crypto::Signature signature(outer.bytes_of(crypto::Signature::kSize));
  outer.finish();
  if (!crypto::verify(object.issuer, signed_message(config_hash, payload), signature))
    throw Error(ErrorCode::damaged, "the signature of a key object does not hold");
  cbor::Reader reader(payload);
  Fields fields(reader);
  const std::uint64_t kind = fields.field(1).uint();
  if (kind < 1 || kind > 6) throw Error(ErrorCode::damaged, "a key object of an unknown kind");
  object.domain = fields.id<DomainId>(2);
  object.content = read_content(static_cast<Kind>(kind), fields);
  fields.finish();
  return object;
}

void KeySet::add(const ObjectName& name, KeyObject object) {
  bool allowed = false;
  if (const auto* domain_object = std::get_if<DomainObject>(&object.content)) {
    allowed = domain(object.domain) == nullptr && domain_object->root == object.issuer;
  } else if (const DomainObject* its_domain = domain(object.domain)) {
    const bool by_writer_too = std::holds_alternative<EpochObject>(object.content) ||
                               std::holds_alternative<GrantObject>(object.content);
    allowed = object.issuer == its_domain->root || is_custodian(object.domain, object.issuer) ||
              (by_writer_too && may_sign_log(object.domain, object.issuer));
  }
  if (!allowed) throw Error(ErrorCode::damaged, "key object " + name.hex() + " was issued by somebody who may not");
  objects_.insert_or_assign(name, std::move(object));
}

bool KeySet::is_custodian(const DomainId& domain_id, const crypto::SignPublic& signer) const {
  for (const auto& [name, slot] : all<SlotObject>(domain_id))
    if (slot->sign == signer) return true;
  return false;
}

bool KeySet::may_sign_log(const DomainId& domain_id, const crypto::SignPublic& signer) const {
  const DomainObject* its_domain = domain(domain_id);
  if (its_domain == nullptr) return false;
  if (its_domain->root == signer || is_custodian(domain_id, signer)) return true;
  for (const auto& [name, writer] : all<WriterObject>(domain_id))
    if (writer->sign == signer) return true;
  return false;
}

const DomainObject* KeySet::domain(const DomainId& id) const {
  for (const auto& [name, object] : objects_)
    if (object.domain == id)
      if (const auto* found = std::get_if<DomainObject>(&object.content)) return found;
  return nullptr;
}

std::vector<DomainId> KeySet::domains() const {
  std::vector<DomainId> ids;
  for (const auto& [name, object] : objects_)
    if (std::holds_alternative<DomainObject>(object.content)) ids.push_back(object.domain);
  std::sort(ids.begin(), ids.end());
  return ids;
}

CustodianKeys::CustodianKeys(const CustodianSeed& seed)
    : box(crypto::hkdf_sha256(seed.view(), {}, as_bytes("qcbak1 custodian box"), 32).view()),
      sign(crypto::hkdf_sha256(seed.view(), {}, as_bytes("qcbak1 custodian sign"), 32).view()) {}

PasswordProtection protect_with_password(const Binding& binding, const SlotObject& slot, const CustodianSeed& seed,
                                         ByteView password, Random& random) {
  PasswordProtection protection;
  protection.parameters = crypto::new_password_parameters(random);
  protection.sealed_seed.resize(CustodianSeed::kSize + crypto::kTagSize);
  crypto::Aead(binding.suite, crypto::key_from_password(password, protection.parameters))
      .seal(0, slot_associated(binding, slot), seed.view(), protection.sealed_seed);
  return protection;
}

std::optional<CustodianSeed> open_with_password(const Binding& binding, const SlotObject& slot, ByteView password) {
  const auto* protection = std::get_if<PasswordProtection>(&slot.protection);
  if (protection == nullptr) return std::nullopt;
  CustodianSeed seed;
  crypto::Aead aead(binding.suite, crypto::key_from_password(password, protection->parameters));
  if (!aead.open(0, slot_associated(binding, slot), protection->sealed_seed, seed.mutable_view())) return std::nullopt;
  return seed;
}

bool DomainKeys::can_read() const {
  return std::all_of(epochs.begin(), epochs.end(), [](const EpochKeys& epoch) { return epoch.secret.has_value(); });
}

const EpochKeys& DomainKeys::epoch(std::uint32_t number) const {
  for (const EpochKeys& epoch : epochs)
    if (epoch.number == number) return epoch;
  throw Error(ErrorCode::wrong_key, "this key does not open epoch " + std::to_string(number) + " of domain \"" + name +
                                        "\"");
}

ChunkId ChunkNamer::name(ChunkType type, const crypto::Sha256& plaintext_hash) const {
  const std::byte type_byte{static_cast<std::uint8_t>(type)};
  return ChunkId(hmac_.mac(ByteView(&type_byte, 1), plaintext_hash.view()).view());
}

crypto::Sha256 root_check(const Binding& binding, const CustodianSeed& seed, const crypto::SignPublic& root) {
  const crypto::SecretBytes key = crypto::hkdf_sha256(seed.view(), {}, as_bytes("qcbak1 custodian root"), 32);
  Bytes message = to_bytes(as_bytes("qcbak1 root"));
  message.push_back(std::byte{0});
  append(message, binding.config_hash.view());
  append(message, binding.domain.view());
  append(message, root.view());
  return crypto::HmacSha256(key.view()).mac(message);
}

crypto::Sha256 map_check(const MapKey& map_key) {
  return crypto::Sha256(crypto::hkdf_sha256(map_key.view(), {}, as_bytes("qcbak1 map check"), 32).view());
}

Bytes seal_grant(const crypto::BoxPublic& custodian, const crypto::SignPublic& root, const EpochKeys& epoch) {
  check(epoch.secret.has_value(), "a grant gives what its maker has");
  Bytes secrets;
  secrets.reserve(256);
  cbor::Writer writer(secrets);
  writer.map(4).uint(1).bytes(root.view()).uint(2).bytes(epoch.id_key.view()).uint(3).bytes(epoch.map_key.view());
  writer.uint(4).bytes(epoch.secret->view());
  Bytes sealed = crypto::box_seal(custodian, secrets);
  crypto::wipe(secrets);
  return sealed;
}

GrantSecrets open_grant(const GrantObject& grant, const crypto::BoxPublic& custodian, const crypto::BoxSecret& secret) {
  const std::optional<crypto::SecretBytes> opened = crypto::box_open(custodian, secret, grant.sealed_secrets);
  if (!opened) throw Error(ErrorCode::damaged, "a grant of keys was altered");
  cbor::Reader reader(opened->view());
  Fields fields(reader);
  const auto secret32 = [&](std::uint64_t key) { return fields.field(key).bytes_of(32); };
  const crypto::SignPublic root(secret32(1));
  IdKey id_key(secret32(2));
  MapKey map_key(secret32(3));
  crypto::BoxSecret epoch_secret(secret32(4));
  fields.finish();
  return {root, std::move(id_key), std::move(map_key), std::move(epoch_secret)};
}

crypto::SecretBytes encode_credential(CredentialKind kind, const crypto::Sha256& config_hash,
                                      const std::vector<DomainKeys>& domains, const LogHead& head) {
  Bytes body;
  body.reserve(4096 * (1 + domains.size()));
  cbor::Writer writer(body);
  writer.map(4).uint(1).uint(static_cast<std::uint64_t>(kind)).uint(2).bytes(config_hash.view());
  writer.uint(3).array(domains.size());
  for (const DomainKeys& domain : domains) {
    writer.map(5).uint(1).bytes(domain.id.view()).uint(2).text(domain.name).uint(3).bytes(domain.root.view());
    writer.uint(4).bytes(domain.signer.view()).uint(5).array(domain.epochs.size());
    for (const EpochKeys& epoch : domain.epochs) {
      writer.array(5).uint(epoch.number).bytes(epoch.map_key.view()).bytes(epoch.id_key.view());
      writer.bytes(epoch.box.view());
      if (kind == CredentialKind::read) {
        check(epoch.secret.has_value(), "a read credential is made by somebody who can read");
        writer.bytes(epoch.secret->view());
      } else {
        writer.null();
      }
    }
  }
  writer.uint(4).array(2).uint(head.number).bytes(head.hash.view());

  std::string text(kind == CredentialKind::write ? kWriteHeading : kReadHeading);
  text += '\n';
  std::string hex = to_hex(body);
  for (std::size_t at = 0; at < hex.size(); at += kHexLine) text += hex.substr(at, kHexLine) + "\n";
  text += crypto::sha256(body).hex() + "\n";
  crypto::SecretBytes file(as_bytes(text));
  crypto::wipe(body);
  crypto::wipe(std::as_writable_bytes(std::span(hex)));
  crypto::wipe(std::as_writable_bytes(std::span(text)));
  return file;
}

Credential parse_credential(ByteView file) {
  std::string_view text = as_text(file);
  std::string hex;
  std::optional<CredentialKind> kind;
  std::string_view last;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!kind) {
      if (line == kWriteHeading) kind = CredentialKind::write;
      else if (line == kReadHeading) kind = CredentialKind::read;
      else not_a_credential();
      continue;
    }
    hex += last;
    last = line;
  }
  if (!kind) not_a_credential();
  try {
    Bytes body = from_hex(hex);
    if (crypto::sha256(body).hex() != last) not_a_credential();
    Credential credential;
    cbor::Reader reader(body);
    Fields fields(reader);
    credential.kind = *kind;
    if (fields.field(1).uint() != static_cast<std::uint64_t>(*kind)) not_a_credential();
    credential.config_hash = fields.id<crypto::Sha256>(2);
    const std::uint64_t domain_count = fields.field(3).array();
    for (std::uint64_t i = 0; i < domain_count; ++i) {
      cbor::MapReader map(reader);
      const auto need = [&](std::uint64_t key) {
        if (!map.next() || map.key() != key) not_a_credential();
      };
      need(1);
      const DomainId id(reader.bytes_of(DomainId::kSize));
      need(2);
      const std::string name(reader.text());
      need(3);
      const crypto::SignPublic root(reader.bytes_of(crypto::SignPublic::kSize));
      need(4);
      DomainKeys domain(id, crypto::SignSeed(reader.bytes_of(crypto::SignSeed::kSize)));
      domain.name = name;
      domain.root = root;
      need(5);
      const std::uint64_t epoch_count = reader.array();
      for (std::uint64_t e = 0; e < epoch_count; ++e) {
        reader.array_of(5);
        EpochKeys epoch;
        epoch.number = static_cast<std::uint32_t>(reader.uint_at_most(UINT32_MAX));
        epoch.map_key = MapKey(reader.bytes_of(MapKey::kSize));
        epoch.id_key = IdKey(reader.bytes_of(IdKey::kSize));
        epoch.box = crypto::BoxPublic(reader.bytes_of(crypto::BoxPublic::kSize));
        if (*kind == CredentialKind::write) reader.null();
        else epoch.secret = crypto::BoxSecret(reader.bytes_of(crypto::BoxSecret::kSize));
        domain.epochs.push_back(std::move(epoch));
      }
      if (domain.epochs.empty() || map.next()) not_a_credential();
      credential.domains.push_back(std::move(domain));
    }
    fields.field(4).array_of(2);
    credential.log_head.number = reader.uint();
    credential.log_head.hash = crypto::Sha256(reader.bytes_of(crypto::Sha256::kSize));
    fields.finish();
    crypto::wipe(body);
    crypto::wipe(std::as_writable_bytes(std::span(hex)));
    return credential;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::wrong_key) throw;
    not_a_credential();
  }
}

}  // namespace qcbak::repository
