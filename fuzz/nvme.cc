// What an NVMe disk answers: pages of Identify and the log of sanitising. The bytes as they are, and made up to each size.
#include <algorithm>

#include "base/error.h"
#include "wipe/nvme.h"

namespace qcbak {
namespace {

void parse(ByteView page) {
  wipe::parse_nvme_controller(page);
  wipe::parse_nvme_sanitize_log(page);
  if (const auto format = wipe::parse_nvme_format(page))
    check((*format & ~0x1ffU) == 0, "what a format is touches no other field of its command");
  if (const auto namespaces = wipe::parse_nvme_namespaces(page))
    check(std::ranges::is_sorted(*namespaces), "namespaces ascend");
}

Bytes made_up(ByteView input, std::size_t size) {
  Bytes page(size);
  std::copy_n(input.begin(), std::min(input.size(), size), page.begin());
  return page;
}

}  // namespace
}  // namespace qcbak

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  const ByteView input = std::as_bytes(std::span(data, size));
  parse(input);
  parse(made_up(input, wipe::kNvmePageBytes));
  parse(made_up(input, wipe::kSanitizeLogBytes));
  return 0;
}
