// A site's own plan of wiping, in TOML.
#include "config/wipe_plan.h"
#include "base/bytes.h"
#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  try {
    const config::WipePlan plan = config::parse_wipe_plan(as_text(std::as_bytes(std::span(data, size))), "plan.toml");
    check(!plan.name.empty() && plan.steps.size() <= config::kWipePlanStepLimit, "a plan has a name, and a limit");
  } catch (const Error&) {
    // Refused: what most inputs deserve.
  }
  return 0;
}
