// The verb backup: a snapshot of a source. design: walk → read → chunk → hash → look up → compress → seal → pack → put.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "backup/progress.h"
#include "backup/repository/writer.h"
#include "backup/source/glob.h"

namespace qcbak {

class BackupSource;

// Paths, excludes and file systems are those of a backup of files; other sources bring their own.
struct BackupOptions {
  std::vector<std::string> paths;  // as given: source::resolve_path() makes them absolute
  std::string host;
  repository::Labels labels;
  source::Patterns excludes{};
  enum class FileSystems { all, one } file_systems = FileSystems::all;
  enum class Unchanged { skip, read } unchanged = Unchanged::skip;  // --force reads all
  enum class Commit { yes, no } commit = Commit::yes;               // --dry-run: no; nothing is stored
  // Nothing is committed when all is still in this state, and nothing was found that could not be backed up.
  std::optional<crypto::Sha256> unless_state{};
  int compression_level = repository::kDefaultCompressionLevel;
  std::uint64_t read_limit_bytes_per_s = 0;  // 0: none
  unsigned threads = 0;  // that hash, compress and seal; 0: one for each processor
};

struct BackupResult {
  repository::SnapshotId snapshot;  // zero after a dry run, or when there was nothing to commit
  // Follows from the given paths and all that is below them: names, metadata, content. What lies above does not count.
  // With a key of the domain: says nothing to others.
  crypto::Sha256 state;
  std::uint64_t files_new = 0;
  std::uint64_t files_changed = 0;
  std::uint64_t files_unmodified = 0;
  std::uint64_t directories = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_added = 0;   // plaintext that was not there before
  std::uint64_t bytes_stored = 0;  // what was written to the repository
  std::vector<repository::Finding> findings;
  std::int64_t duration_ns = 0;
};

// Files that changed, vanished or could not be read are findings. Error when the repository or every path given fails;
// nothing is committed then. The caller holds the writer's lock.
BackupResult backup(const repository::WriteContext& context, const BackupOptions& options, Progress& progress,
                    std::stop_token stop);
// The same of any source. What it throws is thrown, and nothing is committed.
BackupResult backup(const repository::WriteContext& context, const BackupOptions& options, BackupSource& source,
                    Progress& progress, std::stop_token stop);

}  // namespace qcbak
