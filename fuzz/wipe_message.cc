// What the processes of a wipe tell each other: what is taken must be told again in the same bytes.
#include "cli/wipe_message.h"
#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  const ByteView input = std::as_bytes(std::span(data, size));
  try {
    check(equal(cli::encode(cli::parse_wipe_report(input)), input), "one report has one encoding");
  } catch (const Error&) {
    // Refused: what most inputs deserve.
  }
  try {
    check(equal(cli::encode(cli::parse_wipe_order(input)), input), "one order has one encoding");
  } catch (const Error&) {
    // Refused likewise.
  }
  return 0;
}
