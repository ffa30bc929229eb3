// How far a long run is, for whoever shows it. Called from several threads, often: implementations only add up.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/guarded.h"

namespace qcbak {

struct Progress {
  std::atomic<std::uint64_t> total_bytes = 0;  // 0: not known yet
  std::atomic<std::uint64_t> total_files = 0;
  std::atomic<std::uint64_t> done_bytes = 0;
  std::atomic<std::uint64_t> done_files = 0;
  std::atomic<std::uint64_t> problems = 0;
  Guarded<std::string> current;  // what is in work: a path, a pack
};

}  // namespace qcbak
