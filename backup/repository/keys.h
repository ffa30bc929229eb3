// Key objects, custodians, and what an unlocked domain can do. docs/format.md "Keys".
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "backup/repository/format.h"
#include "base/clock.h"
#include "crypto/asymmetric.h"
#include "crypto/password.h"

namespace qcbak::repository {

// Parameters of the domain's chunker: docs/format.md "Chunks".
struct Chunking {
  std::uint32_t least_bytes = 256U << 10;
  std::uint32_t average_log2 = 20;
  std::uint32_t most_bytes = 4U << 20;
  std::uint64_t seed = 0;
};

struct DomainObject {
  std::string name;
  Time created;
  crypto::SignPublic root;
  Chunking chunking;
};

struct PasswordProtection {
  crypto::PasswordParameters parameters;
  Bytes sealed_seed;
};
struct SharesProtection {
  std::uint32_t threshold = 0;
  std::uint32_t count = 0;
  FixedId<struct ShareSetTag, 16> set;
};
struct RecipientProtection {
  std::string hint;
};
struct SlotObject {
  CustodianId custodian;
  std::string name;
  Time created;
  crypto::BoxPublic box;
  crypto::SignPublic sign;
  std::variant<PasswordProtection, SharesProtection, RecipientProtection> protection;
};

struct EpochObject {
  std::uint32_t number = 0;
  Time created;
  crypto::BoxPublic box;
  crypto::Sha256 map_check;
};
struct GrantObject {
  std::uint32_t epoch = 0;
  CustodianId custodian;
  Bytes sealed_secrets;
};
struct WriterObject {
  crypto::SignPublic sign;
  std::string name;
  Time created;
};
struct DrillObject {
  crypto::BoxPublic box;
  std::string name;
  Time created;
};

using KeyContent = std::variant<DomainObject, SlotObject, EpochObject, GrantObject, WriterObject, DrillObject>;

struct KeyObject {
  DomainId domain;
  KeyContent content;
  crypto::SignPublic issuer;
};

// The stored bytes, signed by `issuer`.
Bytes encode_key_object(const crypto::Sha256& config_hash, const DomainId& domain, const KeyContent& content,
                        const crypto::SignSeed& issuer);
// Checks form and signature; whether the issuer may issue it is KeySet's to say. Error(damaged).
KeyObject parse_key_object(const crypto::Sha256& config_hash, ByteView stored);

// The key objects that count at one point of the log.
class KeySet {
 public:
  // Error(damaged) when the issuer may not issue it.
  void add(const ObjectName& name, KeyObject object);
  void remove(const ObjectName& name) { objects_.erase(name); }

  const std::map<ObjectName, KeyObject>& objects() const { return objects_; }
  bool may_sign_log(const DomainId& domain, const crypto::SignPublic& signer) const;
  const DomainObject* domain(const DomainId& id) const;
  // Every object of one kind of one domain.
  template <class Kind>
  std::vector<std::pair<ObjectName, const Kind*>> all(const DomainId& domain) const {
    std::vector<std::pair<ObjectName, const Kind*>> found;
    for (const auto& [name, object] : objects_)
      if (object.domain == domain)
        if (const Kind* content = std::get_if<Kind>(&object.content)) found.emplace_back(name, content);
    return found;
  }
  std::vector<DomainId> domains() const;

 private:
  bool is_custodian(const DomainId& domain, const crypto::SignPublic& signer) const;
  std::map<ObjectName, KeyObject> objects_;
};

using CustodianSeed = crypto::SecretKey<struct CustodianSeedTag>;

// A custodian's own pair of pairs, from the seed.
struct CustodianKeys {
  explicit CustodianKeys(const CustodianSeed& seed);
  crypto::BoxSecret box;
  crypto::SignSeed sign;
};

PasswordProtection protect_with_password(const Binding& binding, const SlotObject& slot, const CustodianSeed& seed,
                                         ByteView password, Random& random);
// Nothing: the password does not open this slot. Costs about half a second.
std::optional<CustodianSeed> open_with_password(const Binding& binding, const SlotObject& slot, ByteView password);

struct EpochKeys {
  std::uint32_t number = 0;
  MapKey map_key;
  crypto::BoxPublic box;
  std::optional<crypto::BoxSecret> secret;  // with a read credential
};

// What a credential holds of one domain, and the parameters from its public key objects.
struct DomainKeys {
  DomainId id;
  std::string name;
  crypto::SignPublic root;
  IdKey id_key;
  crypto::HmacSha256 id_hmac;
  crypto::SignSeed signer;
  std::vector<EpochKeys> epochs;  // ascending numbers, never empty
  Chunking chunking;
  std::vector<crypto::BoxPublic> drill_recipients;

  DomainKeys(const DomainId& domain, ByteView id_key_bytes, crypto::SignSeed signer_seed)
      : id(domain), id_key(id_key_bytes), id_hmac(id_key_bytes), signer(std::move(signer_seed)) {}

  bool can_read() const;  // every epoch's secret is here
  const EpochKeys& current_epoch() const { return epochs.back(); }
  const EpochKeys& epoch(std::uint32_t number) const;  // Error(wrong_key) when it is missing
  ChunkId chunk_id(ChunkType type, const crypto::Sha256& plaintext_hash) const;
};

crypto::Sha256 map_check(const MapKey& map_key);

Bytes seal_grant(const crypto::BoxPublic& custodian, const crypto::SignPublic& root, const IdKey& id_key,
                 const EpochKeys& epoch);
struct GrantSecrets {
  crypto::SignPublic root;
  IdKey id_key;
  MapKey map_key;
  crypto::BoxSecret epoch_secret;
};
// Error(damaged) when it was not sealed to this custodian.
GrantSecrets open_grant(const GrantObject& grant, const crypto::BoxPublic& custodian, const crypto::BoxSecret& secret);

// An exported credential.
enum class CredentialKind : std::uint8_t { write = 1, read = 2 };
struct LogHead {
  std::uint64_t number = 0;
  crypto::Sha256 hash;
};
struct Credential {
  CredentialKind kind = CredentialKind::write;
  crypto::Sha256 config_hash;
  std::vector<DomainKeys> domains;
  LogHead log_head;
};
crypto::SecretBytes encode_credential(CredentialKind kind, const crypto::Sha256& config_hash,
                                      const std::vector<DomainKeys>& domains, const LogHead& head);
// Error(wrong_key) for anything that is not a credential file.
Credential parse_credential(ByteView file);

}  // namespace qcbak::repository
