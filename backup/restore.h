// The verb restore: puts a snapshot, or a part of it, below a target directory, and can read it all back.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "backup/progress.h"
#include "backup/repository/chunk_reader.h"
#include "backup/source/glob.h"

namespace qcbak {

struct RestoreOptions {
  std::string path;    // absolute path inside the snapshot; "" or "/": all. A directory's content lands in the target
  std::string target;  // directory, made when missing
  source::Patterns includes{};  // empty: everything
  source::Patterns excludes{};
  enum class Overwrite { always, if_changed, never } overwrite = Overwrite::if_changed;
  enum class Extra { keep, remove } extra = Extra::keep;  // --delete: what the snapshot does not have is removed
  enum class Verify { no, yes } verify = Verify::no;      // read everything back from the medium and compare
  enum class Write { yes, no } write = Write::yes;        // --dry-run: no
  unsigned threads = 0;
};

struct RestoreFinding {
  std::string path;  // in the target, relative
  std::string what;
  enum class Kind {
    damaged,   // the repository could not give the content
    not_set,   // written, but some metadata could not be set
    failed,    // could not be written
    differs,   // --verify: what was read back is not what was backed up
    skipped    // existed, and --overwrite never
  } kind = Kind::failed;
};

struct RestoreResult {
  std::uint64_t files = 0;
  std::uint64_t directories = 0;
  std::uint64_t others = 0;
  std::uint64_t bytes = 0;          // of the files restored
  std::uint64_t bytes_written = 0;  // less where the target had the right bytes
  std::uint64_t removed = 0;
  std::uint64_t verified_bytes = 0;
  bool verified_from_medium = false;  // the page cache could be avoided
  std::vector<RestoreFinding> findings;
  std::int64_t duration_ns = 0;
};

// Findings, not errors, for single entries. Error when the snapshot cannot be read at all or the path is not in it.
RestoreResult restore(const repository::Repository& repository, const repository::SnapshotInfo& snapshot,
                      const RestoreOptions& options, Progress& progress, std::stop_token stop);

}  // namespace qcbak
