// Which records of which packs are needed: the mark of a collection. docs/format.md "Collecting".
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "backup/repository/chunk_reader.h"
#include "backup/repository/repository.h"

namespace qcbak::repository {

struct PackUsage {
  ObjectName name;
  std::uint32_t length = 0;
  std::uint64_t record_bytes = 0;  // of the records that an index or the pack's directory names
  std::uint64_t needed_bytes = 0;  // of those that are needed from here
  bool condemned = false;
};

// Made from the repository's index as it is now. Packs that the storage does not list are left out: what only they hold
// is missing. Beside the index it takes 12 bytes a chunk, and two bits.
class Usage {
 public:
  struct Root {
    std::string what;  // for messages: which snapshot
    ChunkId reference;
    // A snapshot that was forgotten meanwhile still counts, as far as it can be walked.
    enum class Walk { required, as_far_as_possible } walk = Walk::required;
  };
  // Error(damaged) when a required root cannot be walked to its end, or something it needs is in no pack.
  Usage(const Repository& repository, const DomainKeys& domain, const std::vector<Root>& roots, std::stop_token stop);

  const std::vector<PackUsage>& packs() const { return packs_; }
  const PackUsage* find(const ObjectName& pack) const;
  std::uint64_t chunks_needed() const { return chunks_needed_; }
  // Offsets of the records needed from a pack, ascending.
  std::vector<std::uint32_t> needed_records(const ObjectName& pack) const;
  // Whether a record that the pack's own directory names holds a needed chunk of which no other place, needed too, was
  // seen to be a good copy. An index that is wrong about a chunk must not cost the chunk.
  bool must_stay(const ObjectName& pack, const PackRecord& record);

 private:
  static constexpr std::uint32_t kAbsent = UINT32_MAX;
  struct Source {
    IndexSegment segment;
    std::size_t first = 0;             // number of its first entry; all entries are numbered through
    std::vector<std::uint32_t> packs;  // its places in packs_, or kAbsent
  };
  struct Place {
    std::size_t number = 0;
    std::uint32_t pack = 0;
    std::uint32_t offset = 0;
  };
  struct Record {
    std::uint32_t pack = 0;
    std::uint32_t offset = 0;
    std::uint32_t length_and_flags = 0;
    std::uint32_t length() const { return length_and_flags & ~(kNeeded | kOneOfSeveral); }
    bool needed() const { return (length_and_flags & kNeeded) != 0; }
  };
  // A record is shorter than 2^24 bytes.
  static constexpr std::uint32_t kNeeded = 1U << 31;
  static constexpr std::uint32_t kOneOfSeveral = 1U << 30;  // has a needed chunk that lies elsewhere too

  void load();
  std::vector<Place> places(const ChunkId& id) const;
  bool mark(const ChunkId& id);  // false: it was marked before. Error(damaged) when it is nowhere
  void walk(ChunkReader& reader, const ChunkId& root);
  void gather_records();
  void choose_among_copies();
  bool is_good_copy(const ChunkId& id, const Place& place);
  Record& record(std::uint32_t pack, std::uint32_t offset);
  std::vector<Record>::const_iterator first_record(std::uint32_t pack) const;

  static constexpr std::size_t kTablesOpen = 16;
  const Repository& repository_;
  const DomainKeys& domain_;
  Binding binding_;
  std::stop_token stop_;
  std::map<std::uint32_t, bool> whole_;  // packs whose bytes were compared with their name
  std::map<std::uint32_t, PackTable> tables_;

  std::vector<Source> sources_;
  std::vector<PackUsage> packs_;
  std::map<ObjectName, std::uint32_t> numbers_;
  std::vector<bool> marked_;          // by number: the first place of each needed chunk
  std::vector<bool> one_of_several_;  // every place of a needed chunk that has several
  std::vector<ChunkId> with_copies_;
  std::vector<Record> records_;  // ascending by pack and offset
  std::uint64_t chunks_needed_ = 0;
};

}  // namespace qcbak::repository
