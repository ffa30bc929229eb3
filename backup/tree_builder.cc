#include "backup/tree_builder.h"

#include "base/error.h"

namespace qcbak {

using pipeline::TreeEvent;
using repository::ChunkId;
using repository::ChunkType;
using repository::EntryType;

TreeBuilder::TreeBuilder(repository::PackWriter& packs, ChunkFinder& finder, FileCache& cache, int compression_level)
    : finder_(finder),
      cache_(cache),
      trees_(packs, ChunkType::tree, compression_level),
      references_(packs, ChunkType::reference, compression_level),
      store_([this](ChunkType type, const Bytes& plaintext) {
        const ChunkId id = finder_.name(type, crypto::sha256(plaintext));
        if (finder_.claim(id)) {
          (type == ChunkType::tree ? trees_ : references_).add(id, plaintext);
          metadata_added_ += plaintext.size();
        }
        return id;
      }) {}

void TreeBuilder::count(const repository::Metadata& metadata) {
  switch (metadata.type) {
    case EntryType::file:
      ++totals_.files;
      totals_.bytes += metadata.size_bytes;
      break;
    case EntryType::directory: ++totals_.directories; break;
    default: ++totals_.others; break;
  }
  users_.insert(metadata.uid);
  groups_.insert(metadata.gid);
}

void TreeBuilder::add_entry(TreeEvent event) {
  repository::Entry entry;
  std::vector<repository::Part> parts;
  if (const auto& job = event.job) {
    job->wait();
    // Nothing of it may get into the tree, or into the cache: parts without a chunk would be taken for holes.
    if (job->spoiled) throw Error(ErrorCode::interrupted, "stopped");
    if (job->outcome == pipeline::FileJob::Outcome::lost) return;
    parts.assign(job->parts.begin(), job->parts.end());
    entry.sha256 = job->sha256;
    if (event.cache == TreeEvent::Cache::yes && job->outcome == pipeline::FileJob::Outcome::kept) {
      const repository::Metadata& metadata = job->status.metadata;
      cache_.add(job->path, job->status, {parts, job->sha256, metadata.flags, metadata.attributes});
    }
    event.status = job->status;
  }
  entry.metadata = std::move(event.status.metadata);
  Bytes data_ids;
  std::optional<ChunkId> child;
  if (entry.metadata.type == EntryType::file) {
    if (parts.size() > repository::kInlineParts) {
      const repository::NodeIds ids = repository::write_content(store_, parts);
      entry.content_node = ids.tree;
      child = ids.reference;
    } else {
      for (const repository::Part& part : parts)
        if (part.chunk) append(data_ids, part.chunk->view());
      entry.parts = std::move(parts);
    }
  }
  count(entry.metadata);
  open_.back().add(event.name, entry.metadata, repository::encode_details(entry), data_ids, child);
}

void TreeBuilder::end_directory(const TreeEvent& event) {
  const repository::NodeIds ids = open_.back().finish();
  open_.pop_back();
  repository::Entry entry;
  entry.metadata = event.status.metadata;
  entry.directory = ids.tree;
  const Bytes details = repository::encode_details(entry);
  if (open_.empty()) {
    root_ = repository::encode_root(entry.metadata, details);
    reference_root_ = ids.reference;
    return;
  }
  count(entry.metadata);
  open_.back().add(event.name, entry.metadata, details, {}, ids.reference);
}

void TreeBuilder::handle(TreeEvent event) {
  switch (event.kind) {
    case TreeEvent::Kind::begin_directory: open_.emplace_back(store_); break;
    case TreeEvent::Kind::end_directory: end_directory(event); break;
    case TreeEvent::Kind::entry: add_entry(std::move(event)); break;
  }
}

void TreeBuilder::finish() {
  check(open_.empty() && !root_.empty(), "every directory that was begun was ended");
  trees_.flush();
  references_.flush();
}

}  // namespace qcbak
