#include "wipe/cooling.h"

namespace qcbak::wipe {

void Cooling::rest_if_hot() {
  auto state = state_.lock();
  if (clock_.monotonic_ns() < state->next_look_ns) return;
  const std::optional<std::uint64_t> now_c = look(*state);
  if (!now_c || *now_c <= options_.hot_above_c || clock_.monotonic_ns() < state->next_rest_ns) return;
  ++state->heat->rests;
  tell_(*now_c);
  rest(*state);
}

std::optional<std::uint64_t> Cooling::look(State& state) const {
  const std::optional<std::uint64_t> now_c = sensor_();
  if (now_c) state.heat = sum(state.heat, Heat{0, *now_c});
  state.next_look_ns = clock_.monotonic_ns() + options_.between_looks_ns;
  return now_c;
}

void Cooling::rest(State& state) const {
  const std::int64_t until_ns = clock_.monotonic_ns() + options_.longest_rest_ns;
  while (wait_(options_.between_looks_ns)) {
    const std::optional<std::uint64_t> now_c = look(state);
    if (!now_c || *now_c + options_.cooler_by_c <= options_.hot_above_c) return;
    if (clock_.monotonic_ns() < until_ns) continue;
    // What surrounds it is as hot: it would rest for ever.
    state.next_rest_ns = clock_.monotonic_ns() + options_.longest_rest_ns;
    return;
  }
}

}  // namespace qcbak::wipe
