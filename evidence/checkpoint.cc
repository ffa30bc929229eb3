#include "evidence/checkpoint.h"

#include "evidence/key_history.h"

namespace qcbak::evidence {
namespace {

using namespace repository;

constexpr std::size_t kObjects = 64;  // custodians of custodians

std::string unsigned_text(const CheckpointDocument& checkpoint) {
  Json objects = Json::array();
  for (const Bytes& object : checkpoint.objects) objects.push_back(to_base64(object));
  return unsigned_part({{"format", kCheckpointFormat},
                        {"repository", checkpoint.repository.hex()},
                        {"config", checkpoint.config_hash.hex()},
                        {"entry", checkpoint.head.number},
                        {"hash", checkpoint.head.hash.hex()},
                        {"time", checkpoint.time},
                        {"made", checkpoint.made},
                        {"domain", checkpoint.domain.hex()},
                        {"signer", checkpoint.signer.hex()},
                        {"objects", std::move(objects)}});
}

SignedText signed_text(const CheckpointDocument& checkpoint) {
  return {kCheckpointFormat, checkpoint.config_hash, crypto::sha256(as_bytes(unsigned_text(checkpoint)))};
}

CheckpointDocument parse(std::string_view line) {
  const Json json = parse_object(line);
  CheckpointDocument checkpoint;
  checkpoint.repository = hex_member<RepositoryId>(json, "repository");
  checkpoint.config_hash = hex_member<crypto::Sha256>(json, "config");
  checkpoint.head = {number_member(json, "entry"), hex_member<crypto::Sha256>(json, "hash")};
  checkpoint.time = text_member(json, "time");
  checkpoint.made = text_member(json, "made");
  checkpoint.domain = hex_member<DomainId>(json, "domain");
  checkpoint.signer = hex_member<crypto::SignPublic>(json, "signer");
  const auto objects = json.find("objects");
  if (objects == json.end() || !objects->is_array() || objects->size() > kObjects)
    throw Error(ErrorCode::damaged, "its key objects are not to be read");
  for (const Json& object : *objects)
    checkpoint.objects.push_back(from_base64(object.is_string() ? object.get<std::string>() : "-"));
  checkpoint.signature = crypto::Signature(base64_member(json, "signature", crypto::Signature::kSize));
  if (checkpoint_line(checkpoint) != line) throw Error(ErrorCode::damaged, "it is not as it was written");
  return checkpoint;
}

void require_certified(const CheckpointDocument& checkpoint, const Roots& roots) {
  KeySet keys;
  for (const Bytes& stored : checkpoint.objects) {
    KeyObject object = parse_key_object(checkpoint.config_hash, stored);
    keys.add(name_of(stored), std::move(object));
  }
  const DomainObject* domain = keys.domain(checkpoint.domain);
  if (domain == nullptr || !keys.may_sign_log(checkpoint.domain, checkpoint.signer))
    throw Error(ErrorCode::damaged, "it was signed by somebody who may not");
  if (!roots.contains(domain->root))
    throw Error(ErrorCode::damaged,
                "the root of its domain, " + domain->root.hex() + ", is not among the public keys given");
}

}  // namespace

CheckpointDocument make_checkpoint(const Repository& repository, const DomainKeys& signer, Time now) {
  CheckpointDocument checkpoint;
  checkpoint.repository = repository.config().id;
  checkpoint.config_hash = repository.config_hash();
  checkpoint.head = repository.log().head;
  checkpoint.time = utc_text(repository.log().last_time);
  checkpoint.made = utc_text(now);
  checkpoint.domain = signer.id;
  checkpoint.signer = crypto::sign_public(signer.signer);
  for (PastKeyObject& past : key_objects_of_signer(key_history(repository), signer.id, checkpoint.signer))
    checkpoint.objects.push_back(std::move(past.stored));
  checkpoint.signature = sign_text(signer.signer, signed_text(checkpoint));
  return checkpoint;
}

std::string checkpoint_line(const CheckpointDocument& checkpoint) {
  return unsigned_text(checkpoint) + signature_part(checkpoint.signature);
}

CheckpointDocument check_checkpoint(std::string_view line, const Roots& roots) {
  CheckpointDocument checkpoint = parse(line);
  if (!signature_holds(checkpoint.signer, signed_text(checkpoint), checkpoint.signature))
    throw Error(ErrorCode::damaged, "its signature does not hold");
  require_certified(checkpoint, roots);
  return checkpoint;
}

}  // namespace qcbak::evidence
