// The last stage of a backup: turns the walk's events into tree and reference nodes, bottom up.
#pragma once

#include <set>

#include "backup/content_storer.h"
#include "backup/file_cache.h"
#include "backup/pipeline.h"
#include "backup/repository/snapshot.h"
#include "backup/repository/writer.h"

namespace qcbak {

class TreeBuilder {
 public:
  TreeBuilder(repository::PackWriter& packs, ChunkFinder& finder, FileCache& cache, int compression_level);

  void handle(pipeline::TreeEvent event);
  // After the last event: stores what is left. The root's node ids and entry.
  void finish();
  const Bytes& root() const { return root_; }
  const repository::ChunkId& reference_root() const { return reference_root_; }
  const repository::Totals& totals() const { return totals_; }
  // Follows from the entries given and all that is below them. After finish().
  const crypto::Sha256& state() const { return state_; }
  std::uint64_t metadata_added() const { return metadata_added_; }
  const std::set<std::uint32_t>& users() const { return users_; }
  const std::set<std::uint32_t>& groups() const { return groups_; }

 private:
  void add_entry(pipeline::TreeEvent event);
  void end_directory(const pipeline::TreeEvent& event);
  void count(const repository::Metadata& metadata);
  void add_to_parent(const std::string& name, const repository::Metadata& metadata, const Bytes& details, ByteView data_ids,
                     const std::optional<repository::ChunkId>& child);
  void note_state(const std::string& name, ByteView encoded);

  ChunkFinder& finder_;
  FileCache& cache_;
  repository::ChunkWriter trees_;
  repository::ChunkWriter references_;
  repository::StoreChunk store_;
  struct Directory {
    repository::DirectoryWriter writer;
    pipeline::TreeEvent::Place place;
  };
  std::vector<Directory> open_;
  crypto::Sha256Stream state_hash_;
  crypto::Sha256 state_;
  Bytes root_;
  repository::ChunkId reference_root_;
  repository::Totals totals_;
  std::uint64_t metadata_added_ = 0;
  std::set<std::uint32_t> users_;
  std::set<std::uint32_t> groups_;
};

}  // namespace qcbak
