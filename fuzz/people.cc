// The file of a signing key, and what people sign.
#include "control/statement.h"
#include "crypto/signing_key.h"
#include "fuzz/keys_at_hand.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  const ByteView bytes = std::as_bytes(std::span(data, size));
  fuzz::may_be_refused([&] { crypto::SigningKeyFile{bytes}; });
  fuzz::may_be_refused([&] {
    check(control::encode(control::parse_statement(as_text(bytes))) == as_text(bytes), "a statement has one form");
  });
  return 0;
}
