#include "wipe/watched_device.h"

namespace qcbak::wipe {

Activity WatchedDevice::activity() const {
  const std::int64_t now_ns = clock_.monotonic_ns();
  auto state = state_.lock();
  Activity activity = state->total;
  activity.under_way = static_cast<std::uint32_t>(state->begun.size());
  if (!state->begun.empty()) activity.oldest_ns = now_ns - state->begun.front();
  return activity;
}

WatchedDevice::Begun::iterator WatchedDevice::note_begin() {
  const std::int64_t now_ns = clock_.monotonic_ns();
  auto state = state_.lock();
  if (state->begun.empty()) state->mark_ns = now_ns;
  return state->begun.insert(state->begun.end(), now_ns);
}

void WatchedDevice::note_end(Begun::iterator begun, const Transfer& transfer) {
  const std::int64_t now_ns = clock_.monotonic_ns();
  auto state = state_.lock();
  state->begun.erase(begun);
  state->total.moved_bytes += transfer.done_bytes;
  state->total.errors += transfer.error != 0 ? 1 : 0;
  if (transfer.done_bytes > 0) state->total.busy_ns += now_ns - state->mark_ns;
  state->mark_ns = now_ns;
}

template <class Request>
auto WatchedDevice::noted(Request&& request) {
  const Begun::iterator begun = note_begin();
  try {
    const Transfer transfer = request();
    note_end(begun, transfer);
    return transfer;
  } catch (...) {
    note_end(begun, {});
    throw;
  }
}

Transfer WatchedDevice::read(std::uint64_t offset, MutableByteView into) {
  return noted([&] { return device_.read(offset, into); });
}

Transfer WatchedDevice::write(std::uint64_t offset, ByteView from) {
  return noted([&] { return device_.write(offset, from); });
}

void WatchedDevice::flush() {
  during([&] { device_.flush(); });
}

void WatchedDevice::during(const std::function<void()>& other) {
  noted([&] {
    other();
    return Transfer{};
  });
}

}  // namespace qcbak::wipe
