// Collecting what no snapshot needs. docs/format.md "Collecting". Works with a write credential.
#pragma once

#include <stop_token>

#include "backup/repository/writer.h"

namespace qcbak::repository {

struct CollectOptions {
  enum class Act { collect, only_report } act = Act::collect;
  // A pack is rewritten when at least this share of its record bytes is unneeded. All-unneeded packs always go.
  double waste = 0.25;
  // How long a condemned pack stays before it is removed: 0 where the caller excludes every other writer.
  std::int64_t grace_ns = 0;
};

struct CollectResult {
  std::uint64_t packs_before = 0;
  std::uint64_t packs_rewritten = 0;  // what was needed of them lies in new packs
  std::uint64_t packs_condemned = 0;
  std::uint64_t packs_removed = 0;
  std::uint64_t bytes_freed = 0;  // length of the packs removed, less what was written
  std::uint64_t chunks_needed = 0;
  std::uint64_t snapshot_objects_removed = 0;  // of forgotten snapshots and of runs that never committed
  std::vector<ObjectName> packs_damaged;       // left as they are, though something in them is unneeded
  enum class Space { enough, too_little } space = Space::enough;  // too little: some packs were not rewritten

  // With that of another domain.
  CollectResult& operator+=(const CollectResult& other);
};

// Error(damaged) and nothing is removed, when any living snapshot's reference tree cannot be walked to its end, or a
// chunk that one needs is in no pack. Packs of which nothing is needed go even when the storage is full.
// Every step can be interrupted and done again.
CollectResult collect(const WriteContext& context, const CollectOptions& options, std::stop_token stop);

// Merges the index objects of a domain when there are many small ones, and takes packs that are gone out of them. A
// merged one is put only after it was shown to equal its inputs, which then are removed. Does nothing where there is no
// space for it.
void merge_indexes(const WriteContext& context);

}  // namespace qcbak::repository
