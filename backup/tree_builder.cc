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

// What is given is an entry of a directory above, or the root itself.
void TreeBuilder::note_state(const std::string& name, ByteView encoded) {
  Bytes sizes;
  append_le<std::uint64_t>(sizes, name.size());
  append_le<std::uint64_t>(sizes, encoded.size());
  state_hash_.update(sizes);
  state_hash_.update(as_bytes(name));
  state_hash_.update(encoded);
}

void TreeBuilder::add_to_parent(const std::string& name, const repository::Metadata& metadata, const Bytes& details,
                                ByteView data_ids, const std::optional<ChunkId>& child) {
  count(metadata);
  if (open_.back().place == TreeEvent::Place::above) note_state(name, repository::encode_root(metadata, details));
  open_.back().writer.add(name, metadata, details, data_ids, child);
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
  add_to_parent(event.name, entry.metadata, repository::encode_details(entry), data_ids, child);
}

void TreeBuilder::end_directory(const TreeEvent& event) {
  const repository::NodeIds ids = open_.back().writer.finish();
  const TreeEvent::Place place = open_.back().place;
  open_.pop_back();
  repository::Entry entry;
  entry.metadata = event.status.metadata;
  entry.directory = ids.tree;
  const Bytes details = repository::encode_details(entry);
  if (open_.empty()) {
    root_ = repository::encode_root(entry.metadata, details);
    reference_root_ = ids.reference;
    if (place == TreeEvent::Place::within) note_state("", root_);
    return;
  }
  if (place == TreeEvent::Place::within) {
    add_to_parent(event.name, entry.metadata, details, {}, ids.reference);
    return;
  }
  count(entry.metadata);
  open_.back().writer.add(event.name, entry.metadata, details, {}, ids.reference);
}

void TreeBuilder::handle(TreeEvent event) {
  switch (event.kind) {
    case TreeEvent::Kind::begin_directory: open_.push_back({repository::DirectoryWriter(store_), event.place}); break;
    case TreeEvent::Kind::end_directory: end_directory(event); break;
    case TreeEvent::Kind::entry: add_entry(std::move(event)); break;
  }
}

void TreeBuilder::finish() {
  check(open_.empty() && !root_.empty(), "every directory that was begun was ended");
  state_ = state_hash_.finish();
  trees_.flush();
  references_.flush();
}

}  // namespace qcbak
