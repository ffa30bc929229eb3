// Looking at whole packs: their bytes against their names, both copies of their tables, and every record in them. A pack
// is read once, into memory, and everything is done there.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "backup/progress.h"
#include "backup/repository/record.h"
#include "backup/repository/repository.h"

namespace qcbak {

enum class PackDepth {
  table,    // header and table only, a few KiB
  bytes,    // every byte hashed; records are opened only where the hash does not hold
  records,  // every record opened, as far as the keys go, and the ids of its chunks computed again
};

struct PackFindings {
  repository::ObjectName name;
  enum class State { good, damaged, missing, foreign } state = State::good;  // foreign: of no domain of this repository
  std::string what;                               // is wrong
  std::optional<repository::DomainId> domain;     // as its header says
  const repository::DomainKeys* keys = nullptr;   // of that domain, when it was unlocked
  std::optional<repository::PackTable> table;     // with the map key, unless both copies are damaged
  std::vector<std::uint32_t> bad_records;         // offsets: damaged, or not to be proven good with the keys at hand
  std::uint64_t unproven_records = 0;             // of those, for want of the reading key
  bool bytes_hold = false;  // all of them were read, and match the name
  std::uint64_t bytes_read = 0;
};

// Fills `into` with a pack's bytes. Where the medium cannot be read, zeros stand in, and false is returned: what lies
// around a bad sector may still be good. Nothing: there is no such object, or it is shorter now.
std::optional<bool> read_pack_bytes(const storage::ReadStorage& storage, const repository::ObjectName& name,
                                    MutableByteView into);

// One thread's. Keeps a buffer of the largest pack it met. Opens records in `openers` threads.
class PackScanner {
 public:
  explicit PackScanner(const repository::Repository& repository, unsigned openers = 1)
      : repository_(repository), decoders_(openers) {}
  // Damage is in the result. Error(wrong_key) when the pack is of an epoch that the credential does not have.
  PackFindings scan(const repository::ObjectName& name, std::uint64_t size_bytes, PackDepth depth);

 private:
  void read_table(PackFindings& findings, ByteView pack);
  void open_records(PackFindings& findings, MutableByteView pack);
  using Decoders = std::map<repository::DomainId, repository::RecordDecoder>;
  repository::RecordDecoder& decoder(Decoders& decoders, const repository::DomainKeys& domain) const;

  const repository::Repository& repository_;
  PageBuffer buffer_;
  std::vector<Decoders> decoders_;  // for each opener
};

struct PackJob {
  repository::ObjectName name;
  std::uint64_t size_bytes = 0;
  PackDepth depth = PackDepth::bytes;
};

// Scans on `threads` threads (0: one for each processor, and one more that reads meanwhile). `visit` is called for one
// pack at a time, in no order. The first Error of any thread ends it; Error(interrupted) when asked to stop.
void scan_packs(const repository::Repository& repository, const std::vector<PackJob>& jobs, unsigned threads,
                Progress& progress, std::stop_token stop, const std::function<void(PackFindings&&)>& visit);

}  // namespace qcbak
