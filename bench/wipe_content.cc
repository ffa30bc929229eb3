// How fast the content of a pass is made, and compared with what was read, on one core: docs/performance.md.
#include <benchmark/benchmark.h>

#include "base/error.h"
#include "wipe/pass_content.h"

namespace {

using namespace qcbak;

constexpr std::size_t kChunkBytes = 6U << 20;

wipe::PassContent content_of(const char* plan, std::size_t index) {
  return wipe::PassContent(wipe::shipped_plan(plan), index, wipe::JobSecret());
}

void make(benchmark::State& state, wipe::PassContent content) {
  PageBuffer buffer(kChunkBytes);
  std::uint64_t offset = 0;
  for (auto _ : state) {
    content.fill(offset, buffer.span());
    benchmark::DoNotOptimize(buffer.data());
    offset += kChunkBytes;
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(offset));
}

void compare(benchmark::State& state, wipe::PassContent content) {
  PageBuffer buffer(kChunkBytes);
  content.fill(0, buffer.span());
  std::int64_t bytes = 0;
  for (auto _ : state) {
    check(content.matches(0, buffer.span()), "the content is what it is");
    bytes += kChunkBytes;
  }
  state.SetBytesProcessed(bytes);
}

void make_random(benchmark::State& state) { make(state, content_of("schneier", 2)); }
void make_pattern(benchmark::State& state) { make(state, content_of("gutmann", 6)); }
void compare_random(benchmark::State& state) { compare(state, content_of("schneier", 2)); }
void compare_pattern(benchmark::State& state) { compare(state, content_of("gutmann", 6)); }
BENCHMARK(make_random);
BENCHMARK(make_pattern);
BENCHMARK(compare_random);
BENCHMARK(compare_pattern);

}  // namespace

BENCHMARK_MAIN();
