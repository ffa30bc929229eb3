// Looking into snapshots: the walk that ls, find, cat, diff and export share.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backup/repository/chunk_reader.h"
#include "base/error.h"

namespace qcbak {

// One snapshot's tree, opened for reading. Not thread-safe. The repository must outlive it.
class SnapshotTree {
 public:
  // Error(wrong_key) with a write credential.
  SnapshotTree(const repository::Repository& repository, const repository::SnapshotInfo& snapshot);
  SnapshotTree(const SnapshotTree&) = delete;
  SnapshotTree& operator=(const SnapshotTree&) = delete;

  const repository::SnapshotInfo& info() const { return info_; }
  const repository::SnapshotBody& body() const { return body_; }
  // "/" gives the root, whose name is empty. Nothing when there is no such entry. Paths are absolute, without "." and "..".
  std::optional<repository::Entry> find(std::string_view path);
  // Calls `visit` for everything below `directory` (not itself), parents first, in ascending order of names; `path` is
  // absolute. It returns whether to descend into a directory. What of a directory cannot be read calls `damaged` with the
  // directory's path, and the walk goes on with the rest; without `damaged` the walk throws.
  enum class Descend { no, yes };
  using Visit = std::function<Descend(const std::string& path, const repository::Entry& entry)>;
  using Damaged = std::function<void(const std::string& path, const Error& error)>;
  void walk(const std::string& path, const repository::Entry& directory, const Visit& visit,
            const Damaged& damaged = nullptr);
  // All of a file's content in order, holes as zeros, in pieces of at most a chunk. Its SHA-256 is checked at the end:
  // Error(damaged).
  void read_file(const repository::Entry& file, const std::function<void(ByteView)>& sink);
  std::vector<repository::Part> parts(const repository::Entry& file) { return repository::all_parts(load_, file); }
  const repository::LoadChunk& loader() const { return load_; }

 private:
  repository::SnapshotInfo info_;
  repository::SnapshotBody body_;
  repository::Entry root_;
  repository::ChunkReader reader_;
  repository::LoadChunk load_;
};

// "/a//b/./c" → "/a/b/c". Error(usage) for "..".
std::string normal_path(std::string_view path);
// The paths in normal form and in the order of a walk, without those below another of them; "/" when there is none.
std::vector<std::string> normal_paths(const std::vector<std::string>& paths);

// What narrows the choice of snapshots; an empty field does not.
struct SnapshotFilter {
  std::vector<std::pair<std::string, std::string>> labels = {};  // all of them
  std::string host = {};
  std::string path = {};  // in the snapshot because it, or a directory above it, was given to the backup
  std::string domain = {};
};
bool matches(const SnapshotFilter& filter, const repository::SnapshotInfo& snapshot, const std::string& domain_name);
// `text` is an id prefix of 8 or more hexadecimal digits, or "latest", narrowed by the filter. Error(not_found), also for a
// snapshot that was forgotten; Error(usage) when it is neither or names several; Error(damaged) when the snapshot cannot be
// read, or one that cannot be read is later than the latest that can.
repository::SnapshotInfo find_snapshot(const repository::Repository& repository, std::string_view text,
                                       const SnapshotFilter& filter);

}  // namespace qcbak
