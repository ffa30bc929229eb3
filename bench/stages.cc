// The stages of a backup, each by itself, on one core, over the content of a tree (the first argument, /usr/share/doc
// where there is none): from their sum follows what a run can reach at best. docs/performance.md.
#include <benchmark/benchmark.h>
#include <fcntl.h>

#include <cstdlib>
#include <filesystem>

#include "backup/repository/index.h"
#include "backup/repository/record.h"
#include "backup/source/capture.h"
#include "backup/source/chunker.h"
#include "base/error.h"

namespace {

using namespace qcbak;

constexpr std::size_t kSampleBytes = 256U << 20;
constexpr std::size_t kIndexEntries = 1U << 20;

std::string tree = "/usr/share/doc";

// The files of the tree one after the other, page-aligned, up to kSampleBytes.
ByteView sample() {
  static PageBuffer buffer(kSampleBytes);
  static const std::size_t size = [] {
    std::size_t used = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(
             tree, std::filesystem::directory_options::skip_permission_denied)) {
      if (!entry.is_regular_file() || entry.is_symlink()) continue;
      const UniqueFd fd(::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
      if (fd) used += read_full(fd.get(), buffer.span().subspan(used), entry.path().string());
      if (used == kSampleBytes) break;
    }
    return used;
  }();
  return ByteView(buffer.data(), size);
}

std::vector<ByteView> chunks() {
  const source::Chunker chunker({});
  std::vector<ByteView> cut;
  for (ByteView rest = sample(); !rest.empty();) {
    cut.push_back(rest.first(chunker.cut(rest)));
    rest = rest.subspan(cut.back().size());
  }
  return cut;
}

enum class Files { look_at, open };

std::uint64_t walk(int directory, const std::string& path, Files files) {
  std::uint64_t entries = 0;
  for (const std::string& name : source::list_directory(directory, path)) {
    auto status = source::status_at(directory, name.c_str(), path);
    ++entries;
    if (status && status->metadata.type == repository::EntryType::directory)
      entries += walk(source::open_directory_at(directory, name.c_str(), path).get(), path, files);
    if (files == Files::open && status && status->metadata.type == repository::EntryType::file) {
      const UniqueFd fd = source::open_file_at(directory, name.c_str(), path);
      source::Status before = source::status_of(fd.get(), path);
      source::capture_details(fd.get(), path, before.metadata);
      benchmark::DoNotOptimize(source::status_of(fd.get(), path));
    }
  }
  return entries;
}

// What each entry costs beside its content.
void walk_tree(benchmark::State& state) {
  const Files files = state.range(0) != 0 ? Files::open : Files::look_at;
  std::uint64_t entries = 0;
  for (auto _ : state) entries += walk(UniqueFd(::open(tree.c_str(), O_RDONLY | O_DIRECTORY)).get(), tree, files);
  state.SetItemsProcessed(static_cast<std::int64_t>(entries));
}

template <class Body>
void over_chunks(benchmark::State& state, Body&& body) {
  const std::vector<ByteView> all = chunks();
  std::int64_t bytes = 0;
  for (auto _ : state)
    for (const ByteView chunk : all) {
      body(chunk);
      bytes += static_cast<std::int64_t>(chunk.size());
    }
  state.SetBytesProcessed(bytes);
}

void chunk(benchmark::State& state) {
  const source::Chunker chunker({});
  over_chunks(state, [&](ByteView content) { benchmark::DoNotOptimize(chunker.cut(content)); });
}

void hash(benchmark::State& state) {
  over_chunks(state, [&](ByteView content) { benchmark::DoNotOptimize(crypto::sha256(content)); });
}

// Compressing at the level given (0: what is sealed is stored as it is), sealing, and opening again where asked.
void encode(benchmark::State& state) {
  SystemRandom random;
  const repository::Binding binding;
  repository::EpochKeys epoch;
  epoch.number = 1;
  repository::OpenSegment segment{repository::new_map_segment(binding, epoch, random), {}};
  repository::RecordEncoder encoder(binding, static_cast<int>(state.range(0)));
  const auto again = state.range(1) != 0 ? repository::RecordEncoder::CheckAgain::yes : repository::RecordEncoder::CheckAgain::no;
  std::uint64_t stored = 0, plain = 0;
  over_chunks(state, [&](ByteView content) {
    const auto record = encoder.encode(segment, repository::ChunkType::data,
                                       {{repository::ChunkId(), static_cast<std::uint32_t>(content.size())}}, content, again);
    stored += record.bytes.size();
    plain += content.size();
  });
  state.counters["stored"] = static_cast<double>(stored) / static_cast<double>(std::max<std::uint64_t>(plain, 1));
}

void seal(benchmark::State& state) {
  crypto::Aead aead(static_cast<crypto::Suite>(state.range(0)), crypto::AeadKey());
  PageBuffer out((8U << 20) + crypto::kTagSize);
  std::uint64_t number = 0;
  over_chunks(state, [&](ByteView content) {
    aead.seal(number++, {}, content, out.span().first(content.size() + crypto::kTagSize));
  });
}

void look_up(benchmark::State& state) {
  SystemRandom random;
  std::vector<repository::IndexEntry> entries(kIndexEntries);
  for (auto& entry : entries) entry.id = random.id<repository::ChunkId>();
  const repository::ObjectName pack = random.id<repository::ObjectName>();
  repository::Index index;
  index.add_segment(repository::IndexSegment::parse(repository::encode_index({{pack, 0}}, entries)), {pack});
  std::size_t at = 0;
  for (auto _ : state) benchmark::DoNotOptimize(index.find(entries[at++ % entries.size()].id));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

BENCHMARK(walk_tree)->ArgName("open")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);
BENCHMARK(chunk)->Unit(benchmark::kMillisecond);
BENCHMARK(hash)->Unit(benchmark::kMillisecond);
BENCHMARK(seal)->ArgName("suite")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond);
BENCHMARK(encode)->ArgNames({"level", "again"})->ArgsProduct({{1, 2, 3}, {0, 1}})->Unit(benchmark::kMillisecond);
BENCHMARK(look_up);

}  // namespace

int main(int count, char** arguments) {
  benchmark::Initialize(&count, arguments);
  if (count > 1) tree = arguments[1];
  qcbak::crypto::initialize();
  benchmark::RunSpecifiedBenchmarks();
}
