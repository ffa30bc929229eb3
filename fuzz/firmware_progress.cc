// What a job by firmware keeps: one that is taken must be told again in the same bytes.
#include "base/error.h"
#include "wipe/firmware_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  const ByteView input = std::as_bytes(std::span(data, size));
  try {
    check(equal(wipe::firmware_progress_bytes(wipe::parse_firmware_progress(input)), input),
          "one progress has one encoding");
  } catch (const Error&) {
    // Refused: what most inputs deserve.
  }
  return 0;
}
