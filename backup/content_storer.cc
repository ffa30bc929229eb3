#include "backup/content_storer.h"

#include <algorithm>

#include "backup/open_file.h"
#include "base/error.h"

namespace qcbak {

using pipeline::FileGroup;
using pipeline::FileJob;
using repository::ChunkId;
using repository::ChunkType;

void ChunkFinder::use(const repository::ObjectName& pack) {
  if (pack == last_) return;
  last_ = pack;
  packs_.insert(pack);
}

bool ChunkFinder::stored(const ChunkId& id) {
  const auto place = index_.find(id);
  if (place) use(place->pack);
  return place.has_value();
}

bool ChunkFinder::claim(const ChunkId& id) { return !stored(id) && index_.claim(id); }

bool KnownFiles::complete(FileJob& job) {
  const FileCache::Reader::Found found = cache_.find(job.path, job.status);
  if (unchanged_ == BackupOptions::Unchanged::skip && found.unchanged &&
      std::all_of(found.unchanged->parts.begin(), found.unchanged->parts.end(),
                  [&](const repository::Part& part) { return !part.chunk || finder_.stored(*part.chunk); })) {
    ++counts_.files_unmodified;
    job.parts.assign(found.unchanged->parts.begin(), found.unchanged->parts.end());
    job.sha256 = found.unchanged->sha256;
    job.status.metadata.flags = found.unchanged->flags;
    job.status.metadata.attributes = found.unchanged->attributes;
    job.outcome = FileJob::Outcome::kept;
    return true;
  }
  ++(found.known ? counts_.files_changed : counts_.files_new);
  return false;
}

ContentStorer::ContentStorer(const source::Chunker& chunker, KnownFiles known, ChunkFinder& finder,
                             repository::ChunkWriter* chunks, Findings& findings, Progress& progress,
                             ContentCounts& counts, Pace& pace, std::stop_token stop)
    : chunker_(chunker),
      known_(std::move(known)),
      finder_(finder),
      chunks_(chunks),
      findings_(findings),
      progress_(progress),
      counts_(counts),
      pace_(pace),
      stop_(std::move(stop)),
      buffer_(pipeline::kSlabSize) {}

void hash_hole(crypto::Sha256Stream& hash, std::uint64_t length, const std::stop_token& stop) {
  static const PageBuffer zeros(1U << 20);
  while (length > 0 && !stop.stop_requested()) {
    const std::size_t some = std::min<std::uint64_t>(length, zeros.capacity());
    hash.update(ByteView(zeros.data(), some));
    length -= some;
  }
}

void ContentStorer::store(pipeline::Work& work) {
  if (auto* batch = std::get_if<pipeline::Batch>(&work)) {
    if (!stop_.stop_requested()) store_batch(*batch);
  } else {
    store_group(std::get<FileGroup>(work));
  }
}

crypto::Sha256 ContentStorer::store_chunk(ByteView content, repository::Part& part) {
  const crypto::Sha256 hash = crypto::sha256(content);
  const ChunkId id = finder_.name(ChunkType::data, hash);
  part.chunk = id;
  if (chunks_ == nullptr) {
    if (!finder_.stored(id)) counts_.bytes_added += content.size();
  } else if (finder_.claim(id)) {
    counts_.bytes_added += content.size();
    chunks_->add(id, content);
  }
  return hash;
}

void ContentStorer::store_batch(pipeline::Batch& batch) {
  for (pipeline::Piece& piece : batch.pieces) {
    store_chunk(ByteView(batch.slab->data() + piece.offset, piece.length), *piece.part);
    piece.job.finish();
  }
}

// The file's data into the buffer, hole after hole left out, and cut into parts. False: it is lost, with a finding.
bool ContentStorer::read(FileGroup::File& file) {
  FileJob& job = *file.job;
  read_bytes_ = 0;
  try {
    OpenFile open(file.directory->get(), job.path);
    std::uint64_t at = 0;
    bool to_end = true;
    const auto add_hole_to = [&](std::uint64_t offset) {
      if (offset > at) job.parts.emplace_back().length = offset - at;
    };
    for (const source::Extent& extent : open.data_extents()) {
      add_hole_to(extent.offset);
      // One that grew since the walk came by is read as far as it fits, and found to have changed.
      const MutableByteView room = buffer_.span().subspan(read_bytes_);
      const MutableByteView data = room.first(std::min<std::uint64_t>(extent.length, room.size()));
      const std::size_t got = pread_full(open.fd(), data, extent.offset, job.path);
      for (std::size_t cut = 0, begin = 0; begin < got; begin += cut) {
        cut = chunker_.cut(data.subspan(begin, got - begin));
        repository::Part& part = job.parts.emplace_back();
        part.length = cut;
        part.chunk.emplace();  // its id comes with its hash
      }
      read_bytes_ += got;
      at = extent.offset + got;
      to_end = got == extent.length;
      if (!to_end) break;
    }
    if (to_end) add_hole_to(open.size_bytes());
    open.conclude(job, findings_);
  } catch (const Error& error) {
    job.outcome = FileJob::Outcome::lost;
    findings_.add(job.path, error.code() == ErrorCode::not_found ? "vanished while the backup ran" : error.what());
    return false;
  }
  // The walk saw a file with one name. If it has more by now, they are kept as files of their own.
  job.keep_separate();
  return true;
}

// What read() left in the buffer.
void ContentStorer::store_parts(FileJob& job) {
  ByteView rest = ByteView(buffer_.data(), read_bytes_);
  std::optional<crypto::Sha256Stream> whole;
  if (job.parts.size() != 1 || !job.parts.front().chunk) whole.emplace();
  for (repository::Part& part : job.parts) {
    if (!part.chunk) {
      hash_hole(*whole, part.length, stop_);
      continue;
    }
    const ByteView content = rest.first(part.length);
    rest = rest.subspan(part.length);
    job.sha256 = store_chunk(content, part);
    if (whole) whole->update(content);
  }
  if (whole) job.sha256 = whole->finish();
}

void ContentStorer::store_group(FileGroup& group) {
  for (FileGroup::File& file : group.files) {
    if (stop_.stop_requested()) return;
    if (known_.complete(*file.job)) {
      progress_.done_bytes += file.job->status.metadata.size_bytes;
    } else if (read(file)) {
      counts_.bytes_read += read_bytes_;
      progress_.done_bytes += read_bytes_;
      pace_.keep(read_bytes_, stop_);
      store_parts(*file.job);
      if (stop_.stop_requested()) return;
    }
    file.job.finish();
  }
}

}  // namespace qcbak
