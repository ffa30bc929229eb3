#include "backup/feeder.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace qcbak {
namespace {

constexpr std::size_t kReadStep = 1U << 20;
constexpr std::size_t kPage = 4096;

}  // namespace

using pipeline::JobShare;
using pipeline::kSlabSize;
using pipeline::TreeEvent;

Feeder::Feeder(const source::Chunker& chunker, const Stages& stages, std::atomic<std::uint64_t>& bytes_read,
               Progress& progress, Pace& pace, std::stop_token stop)
    : chunker_(chunker),
      stages_(stages),
      bytes_read_(bytes_read),
      progress_(progress),
      pace_(pace),
      stop_(std::move(stop)) {}

void Feeder::check_stop() const {
  if (stop_.stop_requested()) throw Error(ErrorCode::interrupted, "stopped");
}

void Feeder::send(TreeEvent event, std::uint64_t content_bytes) {
  // What was read goes on soon: only from the tree does it get where an interrupted run is taken up again.
  entries_bytes_ += content_bytes;
  entries_.push_back(std::move(event));
  if (entries_.size() >= pipeline::kEventsInGroup || entries_bytes_ >= pipeline::kGroupBytes) flush();
}

void Feeder::begin_directory(TreeEvent::Place place) {
  TreeEvent begin;
  begin.kind = TreeEvent::Kind::begin_directory;
  begin.place = place;
  send(std::move(begin));
}

void Feeder::end_directory(std::string name, source::Status status) {
  TreeEvent end;
  end.kind = TreeEvent::Kind::end_directory;
  end.name = std::move(name);
  end.status = std::move(status);
  send(std::move(end));
}

// The tree waits for what these entries need, so that goes first.
void Feeder::flush() {
  entries_bytes_ = 0;
  send_files();
  send_batch();
  check_stop();
  if (!stages_.events.push(std::exchange(entries_, {}))) throw Error(ErrorCode::interrupted, "stopped");
}

void Feeder::abandon() {
  entries_.clear();
  const pipeline::Batch batch = std::exchange(batch_, {});
  const pipeline::FileGroup files = std::exchange(files_, {});
}

void Feeder::send_work(pipeline::Work work) {
  check_stop();
  if (!stages_.work.push(std::move(work))) throw Error(ErrorCode::interrupted, "stopped");
}

void Feeder::send_batch() {
  if (!batch_.pieces.empty()) send_work(std::exchange(batch_, {}));
}

void Feeder::send_files() {
  if (!files_.files.empty()) send_work(std::exchange(files_, {}));
}

void Feeder::send_span(pipeline::Span span) {
  check_stop();
  if (!stages_.spans.push(std::move(span))) throw Error(ErrorCode::interrupted, "stopped");
}

void Feeder::leave_to_storers(const Job& job, const std::shared_ptr<const UniqueFd>& directory) {
  if (files_.files.empty() || files_.files.back().directory != directory) ++files_.directories;
  files_.files.push_back({JobShare(job), directory});
  if (files_.directories >= pipeline::kGroupDirectories) send_files();
}

void Feeder::need_room(std::size_t length) {
  if (slab_ && slab_used_ + length <= kSlabSize) return;
  send_batch();
  slab_.reset();
  slab_ = stages_.slabs.take();
  slab_used_ = 0;
}

// What is not cut yet begins the next slab: whole pages of it, so that copy and next read are aligned.
void Feeder::next_slab(std::size_t keep_from) {
  const std::shared_ptr<PageBuffer> full = slab_;
  send_batch();
  slab_ = stages_.slabs.take();
  std::memcpy(slab_->data(), full->data() + keep_from, slab_used_ - keep_from);
  slab_used_ -= keep_from;
}

void Feeder::add_piece(const Job& job, std::size_t offset, std::size_t length) {
  repository::Part& part = job->parts.emplace_back();
  part.length = length;
  if (!batch_.slab) batch_.slab = slab_;
  batch_.pieces.push_back(
      {JobShare(job), &part, static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(length)});
  batch_.bytes += length;
  if (batch_.bytes >= pipeline::kBatchBytes) send_batch();
}

void Feeder::begin_content(const Job& job) { job->hash.emplace(); }

void Feeder::add_hole(const Job& job, std::uint64_t length) {
  repository::Part& part = job->parts.emplace_back();
  part.length = length;
  send_span({JobShare(job), nullptr, 0, length});
}

// Reads until the slab is full or nothing is left. The bytes read: fewer than there was room for where the content ended.
std::size_t Feeder::fill(const Job& job, std::uint64_t offset, std::uint64_t left, const Read& read) {
  std::size_t total = 0;
  while (left > total && slab_used_ < kSlabSize) {
    check_stop();
    const std::size_t some = std::min<std::uint64_t>({left - total, kReadStep, kSlabSize - slab_used_});
    const std::size_t got = read(slab_->span().subspan(slab_used_, some), offset + total);
    send_span({JobShare(job), slab_, slab_used_, got});
    slab_used_ += got;
    total += got;
    bytes_read_ += got;
    progress_.done_bytes += got;
    pace_.keep(got, stop_);
    if (got < some) break;
  }
  return total;
}

std::uint64_t Feeder::add_data(const Job& job, std::uint64_t offset, std::uint64_t length, const Read& read) {
  slab_used_ = (slab_used_ + kPage - 1) / kPage * kPage;
  need_room(std::min<std::uint64_t>(length, 2 * chunker_.most()));
  std::size_t start = slab_used_;  // of what is not cut yet
  std::uint64_t done = 0;
  for (bool ended = length == 0; !ended;) {
    const std::size_t room = std::min<std::uint64_t>(length - done, kSlabSize - slab_used_);
    const std::size_t got = fill(job, offset + done, length - done, read);
    done += got;
    ended = got < room || done == length;
    while (slab_used_ > start && (ended || slab_used_ - start >= chunker_.most())) {
      const std::size_t cut = chunker_.cut(ByteView(slab_->data() + start, slab_used_ - start));
      add_piece(job, start, cut);
      start += cut;
    }
    if (ended) break;
    const std::size_t from = start / kPage * kPage;
    next_slab(from);
    start -= from;
  }
  return done;
}

void Feeder::end_content(const Job& job) {
  pipeline::Span end{JobShare(job), nullptr, 0, 0};
  end.last = true;
  send_span(std::move(end));
}

}  // namespace qcbak
