// Files of public keys.
#include "crypto/public_key_file.h"

#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  try {
    const std::vector<crypto::SignPublic> keys = crypto::parse_public_keys(as_text(std::as_bytes(std::span(data, size))));
    std::string again;
    for (const crypto::SignPublic& key : keys) again += crypto::encode_public_key(key);
    check(crypto::parse_public_keys(again) == keys, "keys survive being written");
  } catch (const Error&) {
  }
  return 0;
}
