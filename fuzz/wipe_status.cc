// What a wipe tells of itself: whatever was taken and is told again is taken as the same.
#include "cli/wipe_status_file.h"

#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  try {
    const std::string told = cli::encode(cli::parse_wipe_status(std::as_bytes(std::span(data, size))));
    check(cli::encode(cli::parse_wipe_status(as_bytes(told))) == told, "one status has one encoding");
  } catch (const Error&) {
    // Refused: what most inputs deserve.
  }
  return 0;
}
