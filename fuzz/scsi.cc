// What a SCSI disk answers: sense data of both formats, and the report of a command it has.
#include "wipe/scsi.h"
#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  const ByteView input = std::as_bytes(std::span(data, size));
  const std::optional<wipe::Sense> sense = wipe::parse_sense(input);
  check(sense.has_value() || !wipe::parse_scsi_sanitize_status(input), "what is no sense says nothing");
  for (unsigned type = 0; type < 16; ++type)
    if (const auto descriptor = wipe::sense_descriptor(input, static_cast<std::uint8_t>(type)))
      check(descriptor->size() >= 2 && !sense->is_fixed, "a descriptor is whole, and of sense data that have some");
  wipe::CommandResult result;
  result.status = 2;
  result.sense = to_bytes(input);
  wipe::scsi_reply(result);
  wipe::parse_supported(input);
  return 0;
}
