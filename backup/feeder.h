// The first stage of a backup, as sources use it: takes content and the events of the tree, cuts content into chunks in
// slabs, and hands everything on in the order in which the later stages need it. For one thread.
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <stop_token>
#include <string>

#include "backup/pace.h"
#include "backup/pipeline.h"
#include "backup/progress.h"
#include "backup/source/chunker.h"

namespace qcbak {

class Feeder {
 public:
  using Job = std::shared_ptr<pipeline::FileJob>;  // shared: with the stages that work on it
  // Fills `into` with what lies at `offset`; fewer bytes only where the content ends.
  using Read = std::function<std::size_t(MutableByteView into, std::uint64_t offset)>;
  static constexpr std::uint64_t kToTheEnd = std::numeric_limits<std::uint64_t>::max();

  struct Stages {
    pipeline::SlabPool& slabs;
    pipeline::Queue<pipeline::Work>& work;
    pipeline::Queue<pipeline::Span>& spans;
    pipeline::Queue<pipeline::TreeEvents>& events;
  };
  // What is referred to outlives it. `bytes_read` counts what add_data() read.
  Feeder(const source::Chunker& chunker, const Stages& stages, std::atomic<std::uint64_t>& bytes_read,
         Progress& progress, Pace& pace, std::stop_token stop);

  // Each of these throws Error(interrupted) once a stop was requested.
  // An entry. Of a file, its job: what add_data() and add_hole() gave it, or what who stores it reads.
  void send(pipeline::TreeEvent event, std::uint64_t content_bytes = 0);
  void begin_directory(pipeline::TreeEvent::Place place);
  void end_directory(std::string name, source::Status status);

  // Content of one job, in order, all in between with a share in the job kept by the caller.
  void begin_content(const Job& job);
  // Content of `length` bytes, cut for itself. The bytes that there were: fewer where it ended before.
  std::uint64_t add_data(const Job& job, std::uint64_t offset, std::uint64_t length, const Read& read);
  void add_hole(const Job& job, std::uint64_t length);
  void end_content(const Job& job);

  // A file whose content whoever stores it looks up and reads.
  void leave_to_storers(const Job& job, const std::shared_ptr<const UniqueFd>& directory);

  // What is gathered goes on.
  void flush();
  // After an error: what is gathered is dropped, so that nobody waits for what nobody will do.
  void abandon();

 private:
  void add_piece(const Job& job, std::size_t offset, std::size_t length);
  std::size_t fill(const Job& job, std::uint64_t offset, std::uint64_t left, const Read& read);
  void next_slab(std::size_t keep_from);
  void need_room(std::size_t length);
  void send_batch();
  void send_files();
  void send_work(pipeline::Work work);
  void send_span(pipeline::Span span);
  void check_stop() const;

  const source::Chunker& chunker_;
  const Stages stages_;
  std::atomic<std::uint64_t>& bytes_read_;
  Progress& progress_;
  Pace& pace_;
  const std::stop_token stop_;

  std::shared_ptr<PageBuffer> slab_;  // shared: with the batches and spans in it
  std::size_t slab_used_ = 0;
  pipeline::Batch batch_;
  pipeline::FileGroup files_;
  pipeline::TreeEvents entries_;
  std::uint64_t entries_bytes_ = 0;  // of files among them
};

}  // namespace qcbak
