// Reading single chunks through the index: tree nodes, reference nodes, pieces of a file.
#pragma once

#include <list>
#include <map>
#include <memory>

#include "backup/repository/record.h"
#include "backup/repository/repository.h"
#include "backup/repository/tree.h"

namespace qcbak::repository {

// One pack's table, and its records. Not thread-safe.
class PackReader {
 public:
  PackReader(const storage::ReadStorage& storage, const ObjectName& name, const Binding& binding,
             const DomainKeys& domain);
  const ObjectName& name() const { return name_; }
  const PackTable& table() const { return table_; }
  const PackRecord* record_at(std::uint32_t offset) const;
  // The stored bytes into `into`, at least stored_length long. Error(damaged) when the pack is cut off.
  void fetch(const PackRecord& record, MutableByteView into) const;

 private:
  const storage::ReadStorage& storage_;
  ObjectName name_;
  PackTable table_;
};

// Keeps what it decoded last, since neighbours in a tree lie in one record. Not thread-safe.
class ChunkReader {
 public:
  ChunkReader(const Repository& repository, const DomainKeys& domain);
  // Looks into `index` alone, whatever the repository's own says. It outlives the reader.
  ChunkReader(const Repository& repository, const DomainKeys& domain, const Index& index);
  // The plaintext, its id checked. When a copy is damaged or its pack was collected meanwhile, other copies are tried.
  // Error(damaged) naming pack and chunk when none is good, Error(wrong_key) with a write credential.
  Bytes load(ChunkType type, const ChunkId& id);
  LoadChunk loader() {
    return [this](ChunkType type, const ChunkId& id) { return load(type, id); };
  }

 private:
  struct Decoded {
    ObjectName pack;
    std::uint32_t offset = 0;
    std::vector<ChunkRef> chunks;
    Bytes payload;
  };
  static constexpr std::size_t kDecodedBytes = 8U << 20;
  static constexpr std::size_t kPacksOpen = 32;
  static constexpr unsigned kFruitlessReloads = 4;  // of the index, before what is missing is held to be missing
  const PackReader& pack(const ObjectName& name);
  Bytes load_from(ChunkType type, const ChunkId& id, const ChunkPlace& place);

  const Repository& repository_;
  const DomainKeys& domain_;
  const Index* index_ = nullptr;
  Binding binding_;
  RecordDecoder decoder_;
  std::map<ObjectName, std::unique_ptr<PackReader>> packs_;
  std::list<Decoded> decoded_;
  std::size_t decoded_bytes_ = 0;
  unsigned fruitless_reloads_ = 0;
};

// Walks the reference tree below `root`; each node once, in all calls that share `seen`.
void walk_references(ChunkReader& reader, const ChunkId& root,
                     std::unordered_set<ChunkId, IdHash<ChunkId>>& seen,
                     const std::function<void(const ChunkId& reference, const ReferenceNode& node)>& visit);

}  // namespace qcbak::repository
