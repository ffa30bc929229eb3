// Key objects: as stored, and the payload behind a signature that holds.
#include "backup/repository/keys.h"

#include "fuzz/keys_at_hand.h"

namespace qcbak {
namespace {

void parse(ByteView stored) {
  fuzz::may_be_refused([&] {
    const crypto::Sha256& config_hash = fuzz::binding().config_hash;
    const repository::KeyObject object = repository::parse_key_object(config_hash, stored);
    if (object.issuer != fuzz::domain().root) return;
    const Bytes again =
        repository::encode_key_object(config_hash, object.domain, object.content, fuzz::domain().signer);
    check(equal(again, stored), "one key object has one encoding");
  });
}

}  // namespace
}  // namespace qcbak

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  ByteView input = std::as_bytes(std::span(data, size));
  if (fuzz::take_choice(input, 2) == 1) {
    parse(input);
    return 0;
  }
  Bytes message = to_bytes(as_bytes("qcbak1 key object"));
  message.push_back(std::byte{0});
  append(message, fuzz::binding().config_hash.view());
  append(message, input);
  const crypto::Signature signature = crypto::sign(fuzz::domain().signer, message);
  Bytes stored;
  cbor::Writer(stored).array(3).bytes(input).bytes(fuzz::domain().root.view()).bytes(signature.view());
  parse(stored);
  return 0;
}
