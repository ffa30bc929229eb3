// qcbak.toml, and the calendar expressions in it.
#include "config/config.h"

#include "fuzz/keys_at_hand.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  const std::string_view text = as_text(std::as_bytes(std::span(data, size)));
  fuzz::may_be_refused([&] { config::parse(text, "qcbak.toml"); });
  fuzz::may_be_refused([&] {
    const config::Calendar calendar = config::Calendar::parse(text);
    constexpr Time kAfter{1'795'000'000'000'000'000};  // in November 2026
    const auto next = calendar.next(kAfter);
    check(!next || *next > kAfter, "a next time is later");
  });
  return 0;
}
