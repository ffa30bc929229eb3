// What disks answer of their health, and what the journal keeps of it.
#include "wipe/health.h"
#include "base/error.h"

namespace qcbak {
namespace {

// Within its limits, it comes back from the bytes it is kept in.
void check_kept(const wipe::Health& health) {
  check(wipe::parse_health(wipe::health_bytes(health)) == health, "what a disk told is kept whole");
}

}  // namespace
}  // namespace qcbak

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  const ByteView input = std::as_bytes(std::span(data, size));
  for (const auto parse :
       {wipe::parse_nvme_health, wipe::parse_ata_attributes, wipe::parse_scsi_temperature, wipe::parse_scsi_exceptions})
    check_kept(parse(input));
  wipe::CommandResult result;
  result.status = 2;
  result.sense = to_bytes(input);
  check_kept(wipe::parse_ata_prediction(result));
  wipe::parse_sensor(as_text(input));
  try {
    check(equal(wipe::health_bytes(wipe::parse_health(input)), input), "one health has one encoding");
  } catch (const Error&) {
    // Refused: what most inputs deserve.
  }
  return 0;
}
