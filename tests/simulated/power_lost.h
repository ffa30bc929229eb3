// How a simulated process dies.
#pragma once

#include <exception>

namespace qcbak::simulated {

// The process is dead. Not an Error, so that code handling failures cannot survive its own death.
class PowerLost final : public std::exception {
 public:
  const char* what() const noexcept override { return "the simulated process is dead"; }
};

}  // namespace qcbak::simulated
