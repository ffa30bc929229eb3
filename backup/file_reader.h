// The first stage of a backup: walks the paths, reads what changed, cuts it into chunks.
#pragma once

#include <functional>
#include <map>
#include <stop_token>

#include "backup/backup.h"
#include "backup/file_cache.h"
#include "backup/pipeline.h"
#include "backup/source/chunker.h"

namespace qcbak {

class FileReader {
 public:
  struct Counts {
    std::uint64_t files_new = 0;
    std::uint64_t files_changed = 0;
    std::uint64_t files_unmodified = 0;
    std::uint64_t bytes_read = 0;
  };
  // Is every chunk of a file known from the cache in the repository?
  using AllStored = std::function<bool(const std::vector<repository::Part>&)>;

  FileReader(const BackupOptions& options, const repository::Chunking& chunking, const FileCache& cache,
             AllStored all_stored, pipeline::SlabPool& slabs, pipeline::Queue<pipeline::Batch>& batches,
             pipeline::Queue<pipeline::Span>& spans, pipeline::Queue<pipeline::TreeEvents>& events, Progress& progress,
             std::stop_token stop);
  ~FileReader();

  // Walks everything, in one thread. Error when the work was stopped or none of the paths is there.
  void run();
  const Counts& counts() const { return counts_; }
  std::vector<repository::Finding>& findings() { return findings_; }

 private:
  struct Place;
  struct Wanted;
  struct Walk;
  void walk();
  void walk_wanted(const Wanted& wanted, int directory_fd, const std::string& path, const std::string& name,
                   const source::Status& status);
  void walk_entry(const Place& parent, const std::string& name);
  void enter(const Place& parent, const std::string& name, Walk& walk);
  void enter_directory(const Place& parent, const std::string& name, const std::string& path, Walk& walk);
  void handle_file(const Place& parent, const std::string& name, const std::string& path, source::Status status);
  void read_file(int fd, const std::string& path, pipeline::TreeEvent& event);
  void read_extent(int fd, const std::string& path, std::uint64_t offset, std::uint64_t length,
                   const std::shared_ptr<pipeline::FileJob>& job);
  void read_small(int fd, const std::string& path, std::size_t length, const std::shared_ptr<pipeline::FileJob>& job);
  void add_hole(const std::shared_ptr<pipeline::FileJob>& job, std::uint64_t length);
  void add_piece(const std::shared_ptr<pipeline::FileJob>& job, std::size_t offset, std::size_t length, bool whole_file);
  void send_batch();
  void send_span(pipeline::Span span);
  void send(pipeline::TreeEvent event);
  void send_events();
  void finding(const std::string& path, const std::string& what);
  void need_room(std::size_t length);

  const BackupOptions& options_;
  source::Chunker chunker_;
  const FileCache& cache_;
  AllStored all_stored_;
  pipeline::SlabPool& slabs_;
  pipeline::Queue<pipeline::Batch>& batches_;
  pipeline::Queue<pipeline::Span>& spans_;
  pipeline::Queue<pipeline::TreeEvents>& events_;
  Progress& progress_;
  std::stop_token stop_;

  std::shared_ptr<PageBuffer> slab_;
  std::size_t slab_used_ = 0;
  pipeline::Batch batch_;
  pipeline::TreeEvents group_;
  std::uint64_t group_bytes_ = 0;  // read for the entries in it
  Counts counts_;
  std::vector<repository::Finding> findings_;
  std::uint64_t root_device_ = 0;
  struct LinkedFile {
    std::shared_ptr<pipeline::FileJob> job;
    std::vector<repository::Part> known_parts;
    std::optional<crypto::Sha256> known_sha256;
    repository::Metadata metadata;
  };
  static constexpr std::size_t kLinksRemembered = 1U << 16;
  std::map<std::pair<std::uint64_t, std::uint64_t>, LinkedFile> links_;
};

}  // namespace qcbak
