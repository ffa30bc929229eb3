// Looking into snapshots: the walk that ls, find, cat, diff and export share.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backup/repository/chunk_reader.h"
#include "base/error.h"

namespace qcbak {

// One snapshot's tree, opened for reading. Not thread-safe.
class SnapshotTree {
 public:
  // Error(wrong_key) with a write credential.
  SnapshotTree(const repository::Repository& repository, const repository::SnapshotInfo& snapshot);

  const repository::SnapshotBody& body() const { return body_; }
  // "/" gives the root. Nothing when there is no such entry. Paths are absolute, without "." and "..".
  std::optional<repository::Entry> find(std::string_view path);
  // Calls `visit` for everything below `directory` (not itself), parents first, in ascending order of names; `path` is
  // absolute. It returns whether to descend into a directory. A damaged directory calls `damaged`, when given.
  enum class Descend { no, yes };
  using Visit = std::function<Descend(const std::string& path, const repository::Entry& entry)>;
  using Damaged = std::function<void(const std::string& path, const Error& error)>;
  void walk(const std::string& path, const repository::Entry& directory, const Visit& visit,
            const Damaged& damaged = nullptr);
  // All of a file's content in order, holes as zeros, in pieces. Its SHA-256 is checked at the end: Error(damaged).
  void read_file(const repository::Entry& file, const std::function<void(ByteView)>& sink);
  std::vector<repository::Part> parts(const repository::Entry& file) { return repository::all_parts(load_, file); }
  const repository::LoadChunk& loader() const { return load_; }

 private:
  repository::SnapshotBody body_;
  repository::Entry root_;
  repository::ChunkReader reader_;
  repository::LoadChunk load_;
};

// "/a//b/./c" → "/a/b/c". Error(usage) for "..".
std::string normal_path(std::string_view path);

// `text` is an id prefix of 8 or more hexadecimal digits, or "latest", narrowed. Error(not_found), Error(usage).
struct SnapshotFilter {
  std::vector<std::pair<std::string, std::string>> labels;
  std::string host;
  std::string path;
  std::string domain;
};
bool matches(const SnapshotFilter& filter, const repository::SnapshotInfo& snapshot, const std::string& domain_name);
repository::SnapshotInfo find_snapshot(const repository::Repository& repository, std::string_view text,
                                       const SnapshotFilter& filter);

}  // namespace qcbak
