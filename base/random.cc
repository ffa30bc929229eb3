#include "base/random.h"

#include <sys/random.h>

#include <cerrno>

#include "base/error.h"

namespace qcbak {

void SystemRandom::fill(MutableByteView into) {
  while (!into.empty()) {
    const ssize_t n = getrandom(into.data(), into.size(), 0);
    if (n < 0) {
      if (errno == EINTR) continue;
      throw_errno("read", "the system's random numbers");
    }
    into = into.subspan(static_cast<std::size_t>(n));
  }
}

}  // namespace qcbak
