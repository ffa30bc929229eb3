// The config object, read before anything is known of a repository.
#include "backup/repository/config.h"

#include "fuzz/keys_at_hand.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  const ByteView input = std::as_bytes(std::span(data, size));
  fuzz::may_be_refused([&] {
    const repository::Config config = repository::parse_config(input);
    check(equal(repository::encode_config(config), input), "one config has one encoding");
  });
  return 0;
}
