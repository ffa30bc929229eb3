// Credential files: as found, and the body behind a heading and a check sum that are right.
#include "backup/repository/keys.h"
#include "fuzz/keys_at_hand.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  ByteView input = std::as_bytes(std::span(data, size));
  const unsigned choice = fuzz::take_choice(input, 3);
  if (choice == 2) {
    fuzz::may_be_refused([&] { repository::parse_credential(input); });
    return 0;
  }
  std::string file = choice == 0 ? "qcbak write credential 1\n" : "qcbak read credential 1\n";
  const std::string hex = to_hex(input);
  for (std::size_t at = 0; at < hex.size(); at += 64) file += hex.substr(at, 64) + "\n";
  file += crypto::sha256(input).hex() + "\n";
  fuzz::may_be_refused([&] {
    const repository::Credential read = repository::parse_credential(as_bytes(file));
    const crypto::SecretBytes again =
        repository::encode_credential(read.kind, read.config_hash, read.domains, read.log_head);
    check(equal(again.view(), as_bytes(file)), "one credential has one encoding");
  });
  return 0;
}
