#include "tests/backup/small_repository.h"

#include "backup/repository/chunk_reader.h"
#include "base/error.h"

namespace qcbak::tests {

using namespace repository;

namespace {

Bytes text(const std::string& words) { return to_bytes(as_bytes(words)); }

bool is_damage(const Error& error) {
  return error.code() == ErrorCode::damaged || error.code() == ErrorCode::not_found;
}

// What of a directory can be read. A node that cannot be had takes only what is below it along.
void read_what_can_be_read(ChunkReader& reader, const ChunkId& node, const std::string& prefix, Files& files) {
  const LoadChunk load = reader.loader();
  DirectoryCursor cursor(load, node);
  for (;;) {
    try {
      const std::optional<Entry> entry = cursor.next();
      if (!entry) return;
      const std::string path = prefix + entry->name;
      if (entry->metadata.type == EntryType::directory) {
        read_what_can_be_read(reader, *entry->directory, path + "/", files);
        continue;
      }
      Bytes content;
      for (const Part& part : all_parts(load, *entry)) append(content, reader.load(ChunkType::data, *part.chunk));
      if (crypto::sha256(content) == *entry->sha256) files.emplace(path, std::move(content));
    } catch (const Error& error) {
      if (!is_damage(error)) throw;
    }
  }
}

}  // namespace

SmallRepository::SmallRepository(std::uint64_t seed) : random_(seed) {
  storage_ = std::make_unique<simulated::SimulatedStorage>(*medium_);
  create_test_repository(*storage_, clock_, random_);
  const auto store = [&](const Files& files) {
    const auto repository = open_test_repository(*storage_, Access::write_only);
    StoreOptions options;
    options.chunk_bytes = kChunkBytes;
    snapshots_.emplace(store_snapshot({*storage_, *repository, repository->domain(""), clock_, random_}, files, options),
                       files);
    clock_.advance(kHourNs);
  };
  Files files = {
      {"etc/hosts", text("127.0.0.1 localhost")},
      {"etc/ssh/key", random_content(random_, 40)},
      {"etc/ssh/known", text("host a, host b")},
      {"home/many", random_content(random_, kChunkBytes * (kInlineParts + 3))},
      {"home/empty", {}},
      {"top", text("a file at the top")},
  };
  store(files);
  files["etc/hosts"] = text("127.0.0.1 localhost, and more since");
  files["home/new"] = text("a file that is new");
  store(files);
  files.erase("home/many");
  files["home/copy"] = files["top"];
  store(files);
}

SmallRepository::Readable SmallRepository::readable(const storage::ReadStorage& storage) {
  Readable found;
  const auto repository = open_test_repository(storage, Access::read);
  for (const auto& [id, state] : repository->log().snapshots) {
    if (state.tombstone_number != 0) continue;
    Files& files = found[id];
    try {
      const SnapshotInfo info = repository->snapshot(id);
      ChunkReader reader(*repository, *repository->find_domain(state.domain));
      read_what_can_be_read(reader, *parse_root(repository->body(info).root).directory, "", files);
    } catch (const Error& error) {
      if (!is_damage(error)) throw;
    }
  }
  return found;
}

}  // namespace qcbak::tests
