// Randomness as a dependency: the system's for keys, a seeded one in tests.
#pragma once

#include "base/bytes.h"

namespace qcbak {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(MutableByteView into) = 0;  // thread-safe

  template <class Id>
  Id id() {
    Id result;
    fill(result.value);
    return result;
  }
};

// getrandom(2).
class SystemRandom final : public Random {
 public:
  void fill(MutableByteView into) override;
};

}  // namespace qcbak
