// The middle stages of a backup, one of these for each thread: hashes content, looks it up, and stores what is new. Small
// files it reads as well.
#pragma once

#include <atomic>
#include <stop_token>

#include "backup/backup.h"
#include "backup/file_cache.h"
#include "backup/findings.h"
#include "backup/pace.h"
#include "backup/pipeline.h"
#include "backup/repository/writer.h"
#include "backup/source/chunker.h"

namespace qcbak {

// Names chunks and finds out whether they are there; remembers the packs of those that were. One for each thread.
class ChunkFinder {
 public:
  ChunkFinder(repository::Index& index, const repository::IdKey& id_key) : index_(index), namer_(id_key) {}
  repository::ChunkId name(repository::ChunkType type, const crypto::Sha256& hash) const { return namer_.name(type, hash); }
  // True: the chunk is not there, and this caller's to store.
  bool claim(const repository::ChunkId& id);
  // Is it there, durable?
  bool stored(const repository::ChunkId& id);
  const std::set<repository::ObjectName>& packs() const { return packs_; }

 private:
  void use(const repository::ObjectName& pack);
  repository::Index& index_;
  repository::ChunkNamer namer_;
  std::set<repository::ObjectName> packs_;
  repository::ObjectName last_;
};

// What all threads of a run count together.
struct ContentCounts {
  std::atomic<std::uint64_t> files_new = 0;
  std::atomic<std::uint64_t> files_changed = 0;
  std::atomic<std::uint64_t> files_unmodified = 0;
  std::atomic<std::uint64_t> bytes_read = 0;
  std::atomic<std::uint64_t> bytes_added = 0;  // of them, new in the repository
};

// Finds out which files are as the last run left them. One for each thread.
class KnownFiles {
 public:
  KnownFiles(BackupOptions::Unchanged unchanged, const FileCache& cache, ChunkFinder& finder, ContentCounts& counts)
      : unchanged_(unchanged), cache_(cache), finder_(finder), counts_(counts) {}
  // Completes the job of a file that need not be read: all of its chunks are in the repository. Counts every file.
  bool complete(pipeline::FileJob& job);

 private:
  BackupOptions::Unchanged unchanged_;
  FileCache::Reader cache_;
  ChunkFinder& finder_;
  ContentCounts& counts_;
};

// Hashes as many zeros. Comes back early once a stop is requested.
void hash_hole(crypto::Sha256Stream& hash, std::uint64_t length, const std::stop_token& stop);

class ContentStorer {
 public:
  // `chunks` is nothing in a dry run: what would be stored is only counted.
  ContentStorer(const source::Chunker& chunker, KnownFiles known, ChunkFinder& finder, repository::ChunkWriter* chunks,
                Findings& findings, Progress& progress, ContentCounts& counts, Pace& pace, std::stop_token stop);

  // Once a stop is requested, what is left of it is not done. The shares in it are the caller's to drop, after an error has
  // been made known: who waits for one would otherwise be told of a stop before its reason.
  void store(pipeline::Work& work);

 private:
  void store_batch(pipeline::Batch& batch);
  void store_group(pipeline::FileGroup& group);
  bool read(pipeline::FileGroup::File& file);
  void store_parts(pipeline::FileJob& job);
  crypto::Sha256 store_chunk(ByteView content, repository::Part& part);

  const source::Chunker& chunker_;
  KnownFiles known_;
  ChunkFinder& finder_;
  repository::ChunkWriter* chunks_;
  Findings& findings_;
  Progress& progress_;
  ContentCounts& counts_;
  Pace& pace_;
  std::stop_token stop_;
  PageBuffer buffer_;  // the data of a file that is read here
  std::size_t read_bytes_ = 0;
};

}  // namespace qcbak
