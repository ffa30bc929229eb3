// Lets a disk rest that has become hot while it is overwritten. docs/sanitisation.md "Resting".
#pragma once

#include <functional>
#include <limits>
#include <optional>

#include "base/clock.h"
#include "base/guarded.h"
#include "wipe/health.h"

namespace qcbak::wipe {

inline constexpr std::uint64_t kHotAboveLeast_c = 40;
inline constexpr std::uint64_t kHotAboveMost_c = 90;

struct CoolingOptions {
  std::uint64_t hot_above_c = 60;
  std::uint64_t cooler_by_c = 5;                             // than that limit: then it goes on
  std::int64_t between_looks_ns = 10'000'000'000;            // at the sensor
  std::int64_t longest_rest_ns = 30LL * 60 * 1'000'000'000;  // and as long no other, when one has not helped
};

class Cooling {
 public:
  using Sensor =
      std::function<std::optional<std::uint64_t>()>;  // °C; nothing where it does not tell: then nothing rests
  using Wait = std::function<bool(std::int64_t ns)>;  // false: the job is to stop
  using Tell = std::function<void(std::uint64_t temperature_c)>;  // a rest begins

  Cooling(const CoolingOptions& options, Sensor sensor, Wait wait, Tell tell, const Clock& clock)
      : options_(options), sensor_(std::move(sensor)), wait_(std::move(wait)), tell_(std::move(tell)), clock_(clock) {}

  // Called before each piece of work, by any thread; while the disk rests, all that call it wait.
  void rest_if_hot();
  // Since this was made; nothing where the sensor never told. Waits for the end of a rest.
  std::optional<Heat> heat() const { return state_.lock()->heat; }

 private:
  struct State {
    std::optional<Heat> heat;
    std::int64_t next_look_ns = std::numeric_limits<std::int64_t>::min();
    std::int64_t next_rest_ns = std::numeric_limits<std::int64_t>::min();
  };
  std::optional<std::uint64_t> look(State& state) const;
  void rest(State& state) const;

  CoolingOptions options_;
  Sensor sensor_;
  Wait wait_;
  Tell tell_;
  const Clock& clock_;
  mutable Guarded<State> state_;
};

}  // namespace qcbak::wipe
