// Log exports and checkpoint documents: as found, and after a header that is right.
#include <cstring>

#include "backup/repository/config.h"
#include "evidence/checkpoint.h"
#include "evidence/log_export.h"
#include "fuzz/keys_at_hand.h"

namespace qcbak {
namespace {

void check_export(std::string_view text) {
  evidence::LineReader lines([text](MutableByteView into) mutable {
    const std::size_t count = std::min(into.size(), text.size());
    if (count > 0) std::memcpy(into.data(), text.data(), count);
    text.remove_prefix(count);
    return count;
  });
  const auto first = lines.next(evidence::kFirstLineLimit);
  if (!first) return;
  const std::string header(*first);
  const evidence::Roots roots{fuzz::domain().root};
  if (evidence::document_kind(evidence::parse_object(header)) == evidence::DocumentKind::checkpoint)
    evidence::check_checkpoint(header, roots);
  else
    evidence::check_log_export(header, lines, roots, {});
}

std::string good_header() {
  fuzz::CountingRandom random;
  return evidence::header_line(repository::encode_config(
             repository::new_config(crypto::Suite::aes_256_gcm, Time{1'780'000'000'000'000'000}, random))) +
         "\n";
}

}  // namespace
}  // namespace qcbak

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  ByteView input = std::as_bytes(std::span(data, size));
  const unsigned choice = fuzz::take_choice(input, 2);
  fuzz::may_be_refused([&] { check_export(choice == 0 ? to_string(input) : good_header() + to_string(input)); });
  return 0;
}
