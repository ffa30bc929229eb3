// Runs the inputs of a corpus through a fuzz target where there is no libFuzzer: one run of each file.
#include <cstdint>
#include <cstdio>
#include <filesystem>

#include "base/unique_fd.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int count, char** arguments) {
  constexpr std::size_t kLimitBytes = 64 << 20;
  int runs = 0;
  for (int i = 1; i < count; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(arguments[i])) {
      if (!entry.is_regular_file()) continue;
      const qcbak::Bytes input = qcbak::read_file(entry.path().string(), kLimitBytes);
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
      ++runs;
    }
  }
  std::printf("%d inputs\n", runs);
  return runs > 0 ? 0 : 1;
}
