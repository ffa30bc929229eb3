// A disk whose requests are noted, for whoever watches that it still answers.
#pragma once

#include <functional>
#include <list>

#include "base/clock.h"
#include "base/guarded.h"
#include "wipe/block_device.h"

namespace qcbak::wipe {

// What the disk has done since it was opened. Commands of its firmware are not in it: those who send them have their own limits.
struct Activity {
  std::uint64_t moved_bytes = 0;  // written or read
  std::uint64_t errors = 0;       // requests that ended in a fault
  std::int64_t busy_ns = 0;       // spent on what was moved: neither resting, nor retrying, nor flushing
  std::uint32_t under_way = 0;    // requests now
  std::int64_t oldest_ns = 0;     // for how long the oldest of them has been
  friend bool operator==(const Activity&, const Activity&) = default;
};

// As the device it wraps, which outlives it; safe from several threads.
class WatchedDevice final : public BlockDevice {
 public:
  WatchedDevice(BlockDevice& device, const Clock& clock)
      : device_(device), clock_(clock), identity_(device.identity()) {}

  Activity activity() const;

  // Something else that has to come back as a request does, and moves nothing.
  void during(const std::function<void()>& other);

  std::string name() const override { return device_.name(); }
  // As it was when this was made: later nobody may look into the system's files any more (wipe/sandbox.h). It is of the disk
  // that is open, and an open disk stays the one it is.
  Identity identity() const override { return identity_; }
  Geometry geometry() const override { return device_.geometry(); }
  Usage usage() const override { return device_.usage(); }
  Transfer read(std::uint64_t offset, MutableByteView into) override;
  Transfer write(std::uint64_t offset, ByteView from) override;
  void flush() override;
  int discard() override { return device_.discard(); }
  CommandChannel* commands() override { return device_.commands(); }

 private:
  using Begun = std::list<std::int64_t>;  // when each request under way began, the oldest first
  struct State {
    Activity total;  // under_way and oldest_ns are told by `begun`
    Begun begun;
    std::int64_t mark_ns = 0;  // when the last request came back, or the first of several began
  };
  template <class Request>
  auto noted(Request&& request);
  Begun::iterator note_begin();
  void note_end(Begun::iterator begun, const Transfer& transfer);

  BlockDevice& device_;
  const Clock& clock_;
  Identity identity_;
  mutable Guarded<State> state_;
};

}  // namespace qcbak::wipe
