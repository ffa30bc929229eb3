// Restoring the content of many files at once: what they need is fetched pack by pack, each record once, decoded on all
// cores, and written where it belongs.
#pragma once

#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "backup/progress.h"
#include "backup/repository/chunk_reader.h"
#include "backup/restore.h"
#include "backup/source/target.h"

namespace qcbak {

// A file to be written. Its finding, if any, is made once.
struct FilePlan {
  std::string path;  // in the target, relative
  repository::Entry entry;
  std::vector<repository::Part> parts;
  enum class Metadata { apply, later } metadata = Metadata::apply;  // later: it gets more names first
  enum class Existing { possible, none } existing = Existing::possible;  // none: its directory was made for it

  // While it is written.
  std::mutex mutex;
  UniqueFd fd;
  std::size_t parts_left = 0;
  bool failed = false;
};

class ContentWriter {
 public:
  ContentWriter(const repository::Repository& repository, const repository::DomainKeys& domain, source::Target& target,
                const RestoreOptions& options, Progress& progress, std::stop_token stop);

  // Writes the content of all of them, and the metadata of those that ask for it.
  void write(std::vector<std::unique_ptr<FilePlan>>& files);
  std::uint64_t bytes_written() const { return bytes_written_; }
  std::vector<RestoreFinding>& findings() { return findings_; }
  void add_finding(const std::string& path, RestoreFinding::Kind kind, const std::string& what);
  void report(const std::string& path, const std::vector<source::Target::Shortfall>& shortfalls);

 private:
  struct Want {
    repository::ObjectName pack;
    std::uint32_t record = 0;  // offset in the pack
    std::uint32_t stored_length = 0;
    repository::ChunkId chunk;
    FilePlan* file = nullptr;
    std::uint64_t offset = 0;  // in the file
    std::uint64_t length = 0;
  };
  using Wants = std::span<const Want>;
  class Worker;

  bool plan(FilePlan& file, std::vector<Want>& wants);
  bool holds(int fd, const repository::Part& part, std::uint64_t offset, PageBuffer& buffer);
  void open_new(FilePlan& file);
  void part_done(FilePlan& file);
  void finish(FilePlan& file);
  void fail(FilePlan& file, RestoreFinding::Kind kind, const std::string& what);
  void write_part(const Want& want, ByteView content);
  std::shared_ptr<const repository::PackReader> pack(const repository::ObjectName& name);

  const repository::Repository& repository_;
  const repository::DomainKeys& domain_;
  repository::Binding binding_;
  source::Target& target_;
  const RestoreOptions& options_;
  Progress& progress_;
  std::stop_token stop_;
  std::vector<repository::ChunkNamer> namers_;
  std::atomic<std::uint64_t> bytes_written_ = 0;
  std::mutex findings_mutex_;
  std::vector<RestoreFinding> findings_;
  std::mutex packs_mutex_;
  std::vector<std::shared_ptr<const repository::PackReader>> packs_;  // shared: several threads read records of one
};

}  // namespace qcbak
