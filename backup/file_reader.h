// The first stage of a backup: walks the paths and finds what changed. Large files it reads and cuts into chunks; small
// ones it leaves to those who store them.
#pragma once

#include <map>
#include <stop_token>

#include "backup/content_storer.h"
#include "backup/findings.h"
#include "backup/open_file.h"
#include "backup/pipeline.h"
#include "backup/source/chunker.h"

namespace qcbak {

class FileReader {
 public:
  FileReader(const BackupOptions& options, const source::Chunker& chunker, KnownFiles known, pipeline::SlabPool& slabs,
             pipeline::Queue<pipeline::Work>& work, pipeline::Queue<pipeline::Span>& spans,
             pipeline::Queue<pipeline::TreeEvents>& events, Findings& findings, Progress& progress,
             ContentCounts& counts, Pace& pace, std::stop_token stop);
  ~FileReader();

  // Walks everything, in one thread. Error when the work was stopped or none of the paths is there.
  void run();

 private:
  struct Place;
  struct Wanted;
  struct Walk;
  void walk();
  static Place open_place(const Place& parent, const std::string& name, const std::string& path);
  void walk_wanted(const Wanted& wanted, const Place& here, const std::string& name, const source::Status& status);
  void walk_entry(const Place& parent, const std::string& name);
  void enter(const Place& parent, const std::string& name, Walk& walk);
  void enter_directory(const Place& parent, const std::string& name, const std::string& path, Walk& walk);
  void handle_file(const Place& parent, const std::string& name, const std::string& path, source::Status status);
  void leave_to_storers(const Place& parent, const std::shared_ptr<pipeline::FileJob>& job);
  void read_file(const Place& parent, const std::shared_ptr<pipeline::FileJob>& job);
  void read_extent(const OpenFile& file, std::uint64_t offset, std::uint64_t length,
                   const std::shared_ptr<pipeline::FileJob>& job);
  void add_hole(const std::shared_ptr<pipeline::FileJob>& job, std::uint64_t length);
  void add_piece(const std::shared_ptr<pipeline::FileJob>& job, std::size_t offset, std::size_t length);
  void send_batch();
  void send_files();
  void send_work(pipeline::Work work);
  void send_span(pipeline::Span span);
  void send(pipeline::TreeEvent event, std::uint64_t content_bytes = 0);
  void send_events();
  void need_room(std::size_t length);

  const BackupOptions& options_;
  const source::Chunker& chunker_;
  KnownFiles known_;
  pipeline::SlabPool& slabs_;
  pipeline::Queue<pipeline::Work>& work_;
  pipeline::Queue<pipeline::Span>& spans_;
  pipeline::Queue<pipeline::TreeEvents>& events_;
  Findings& findings_;
  Progress& progress_;
  ContentCounts& counts_;
  Pace& pace_;
  std::stop_token stop_;

  std::shared_ptr<PageBuffer> slab_;
  std::size_t slab_used_ = 0;
  pipeline::Batch batch_;
  pipeline::FileGroup files_;
  pipeline::TreeEvents entries_;
  std::uint64_t entries_bytes_ = 0;  // of files among them
  std::uint64_t root_device_ = 0;
  static constexpr std::size_t kLinksRemembered = 1U << 16;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::shared_ptr<pipeline::FileJob>> links_;
};

}  // namespace qcbak
