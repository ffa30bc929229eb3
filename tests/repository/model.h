// A random life of a repository, from a seed: backups that share files, runs that go on while others collect, forgetting,
// collecting with and without grace, merging; now and then power is lost, a call fails or the disk is full. After each
// accident, and now and then otherwise, everything that was acknowledged is read back.
#pragma once

#include <cstdint>

namespace qcbak::tests {

// Fails the running test with the seed and the step.
void live_a_life(std::uint64_t seed, int steps);

}  // namespace qcbak::tests
