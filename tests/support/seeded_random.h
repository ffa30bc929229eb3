// Randomness and time that a test determines.
#pragma once

#include <atomic>
#include <mutex>
#include <random>

#include "base/clock.h"
#include "base/random.h"

namespace qcbak::tests {

// The same bytes for the same seed and order of calls. Never for keys that protect anything. (Sealed boxes take their
// ephemeral keys from libsodium: objects that hold some have other names in every run.)
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(MutableByteView into) override {
    const std::lock_guard lock(mutex_);
    for (std::byte& byte : into) byte = static_cast<std::byte>(engine_());
  }
  // In [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound) {
    const std::lock_guard lock(mutex_);
    return engine_() % bound;
  }
  bool one_in(std::uint64_t chances) { return below(chances) == 0; }

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;
};

inline constexpr std::int64_t kSecondNs = 1'000'000'000;
inline constexpr std::int64_t kHourNs = 3600 * kSecondNs;
inline constexpr std::int64_t kDayNs = 24 * kHourNs;

// Stands still until it is told.
class ManualClock final : public Clock {
 public:
  static constexpr Time kStart{1'780'000'000 * kSecondNs};  // in May 2026
  explicit ManualClock(Time start = kStart) : now_ns_(start.ns) {}
  Time now() const override { return {now_ns_.load()}; }
  std::int64_t monotonic_ns() const override { return monotonic_ns_.load(); }
  void advance(std::int64_t ns) {
    now_ns_ += ns;
    monotonic_ns_ += ns;
  }
  void jump_to(Time time) { now_ns_ = time.ns; }  // the wall clock alone

 private:
  std::atomic<std::int64_t> now_ns_;
  std::atomic<std::int64_t> monotonic_ns_ = 0;
};

}  // namespace qcbak::tests
