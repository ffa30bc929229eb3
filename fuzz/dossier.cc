// Dossiers of wipes: whatever is read can be judged, shown and written again.
#include "base/error.h"
#include "evidence/certificate_page.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  const std::string_view text = as_text(std::as_bytes(std::span(data, size)));
  try {
    const evidence::Dossier dossier = evidence::parse_dossier(text);
    check(evidence::encode(dossier) == text, "a dossier survives being written");
    const auto findings = evidence::check(dossier, nullptr, Time{2'000'000'000'000'000'000});
    evidence::certificate_page(dossier, findings);
  } catch (const Error&) {
  }
  return 0;
}
