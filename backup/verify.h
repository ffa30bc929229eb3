// The verb verify. Without keys: every object's hash, the log, the key objects. With a write credential: pack
// directories, indexes, headers, reference trees. With a reading key, and --read-data: every record, chunk id and tree.
// Bytes are hashed on every level.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "backup/progress.h"
#include "backup/repository/repository.h"

namespace qcbak {

struct VerifyOptions {
  std::vector<repository::SnapshotId> snapshots;  // empty: all that live
  enum class Data { skip, read } data = Data::skip;  // --read-data: decrypt everything too
  // Share of the packs whose bytes are read, 0 to 1: --sample. A pack's name, as a fraction of all names, has a place on a
  // ring; a run reads a stretch of that share, and the next day's begins where it ended. So after 1/sample days of one
  // run each every pack was read, new ones among them.
  double sample = 1.0;
  std::uint64_t day = 0;  // days since 1970, for `sample`
  unsigned threads = 0;
};

struct VerifyFinding {
  enum class Kind { damaged, missing, superfluous } kind = Kind::damaged;  // superfluous: no harm, not referenced
  std::string object;                     // path in the repository
  std::string what;
  std::vector<std::string> snapshots;     // ids (hex) of those affected
  std::vector<std::string> files;         // with the reading key: paths affected, at most kFilesNamed
  std::uint64_t files_affected = 0;
  static constexpr std::size_t kFilesNamed = 1000;
};

struct VerifyResult {
  std::uint64_t packs = 0;
  std::uint64_t packs_read = 0;
  std::uint64_t snapshots = 0;
  std::uint64_t log_entries = 0;
  std::uint64_t chunks = 0;
  std::uint64_t bytes_read = 0;
  std::vector<VerifyFinding> findings;
  bool clean() const;  // nothing damaged or missing
};

VerifyResult verify(const repository::Repository& repository, const VerifyOptions& options, Progress& progress,
                    std::stop_token stop);

}  // namespace qcbak
