#include "backup/file_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <deque>

#include "base/error.h"

namespace qcbak {
namespace {

using pipeline::FileJob;
using pipeline::TreeEvent;
using repository::EntryType;

constexpr std::size_t kReadStep = 1U << 20;
std::string join(const std::string& directory, const std::string& name) {
  return directory == "/" ? "/" + name : directory + "/" + name;
}

bool same_content(const repository::Metadata& a, const repository::Metadata& b) {
  return a.size_bytes == b.size_bytes && a.mtime_s == b.mtime_s && a.mtime_ns == b.mtime_ns;
}

}  // namespace

// A directory being walked.
struct FileReader::Place {
  std::shared_ptr<const UniqueFd> fd;  // shared: with groups of its files, which may outlive the walk through it
  std::string path;
  int depth = 0;
};

FileReader::Place FileReader::open_place(const Place& parent, const std::string& name, const std::string& path) {
  UniqueFd fd = source::open_directory_at(parent.fd->get(), name.c_str(), path);
  return {std::make_shared<const UniqueFd>(std::move(fd)), path, parent.depth + 1};
}

// The paths given, as a tree from "/" down.
struct FileReader::Wanted {
  bool whole = false;
  std::map<std::string, Wanted> below;
};

FileReader::FileReader(const BackupOptions& options, const source::Chunker& chunker, KnownFiles known,
                       pipeline::SlabPool& slabs, pipeline::Queue<pipeline::Work>& work,
                       pipeline::Queue<pipeline::Span>& spans, pipeline::Queue<pipeline::TreeEvents>& events,
                       Findings& findings, Progress& progress, ContentCounts& counts, Pace& pace,
                       std::stop_token stop)
    : options_(options),
      chunker_(chunker),
      known_(std::move(known)),
      slabs_(slabs),
      work_(work),
      spans_(spans),
      events_(events),
      findings_(findings),
      progress_(progress),
      counts_(counts),
      pace_(pace),
      stop_(std::move(stop)) {}

FileReader::~FileReader() = default;

void FileReader::send(TreeEvent event, std::uint64_t content_bytes) {
  // What was read goes on soon: only from the tree does it get where an interrupted run is taken up again.
  entries_bytes_ += content_bytes;
  entries_.push_back(std::move(event));
  if (entries_.size() >= pipeline::kEventsInGroup || entries_bytes_ >= pipeline::kGroupBytes) send_events();
}

// The tree waits for what these entries need, so that goes first.
void FileReader::send_events() {
  entries_bytes_ = 0;
  send_files();
  send_batch();
  if (stop_.stop_requested() || !events_.push(std::exchange(entries_, {}))) throw Error(ErrorCode::interrupted, "stopped");
}

void FileReader::send_work(pipeline::Work work) {
  if (stop_.stop_requested() || !work_.push(std::move(work))) throw Error(ErrorCode::interrupted, "stopped");
}

void FileReader::send_batch() {
  if (!batch_.pieces.empty()) send_work(std::exchange(batch_, {}));
}

void FileReader::send_files() {
  if (!files_.files.empty()) send_work(std::exchange(files_, {}));
}

void FileReader::send_span(pipeline::Span span) {
  if (stop_.stop_requested() || !spans_.push(std::move(span))) throw Error(ErrorCode::interrupted, "stopped");
}

void FileReader::need_room(std::size_t length) {
  if (slab_ && slab_used_ + length <= pipeline::kSlabSize) return;
  send_batch();
  slab_.reset();
  slab_ = slabs_.take();
  slab_used_ = 0;
}

void FileReader::add_piece(const std::shared_ptr<FileJob>& job, std::size_t offset, std::size_t length) {
  repository::Part& part = job->parts.emplace_back();
  part.length = length;
  if (!batch_.slab) batch_.slab = slab_;
  batch_.pieces.push_back(
      {pipeline::JobShare(job), &part, static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(length)});
  batch_.bytes += length;
  if (batch_.bytes >= pipeline::kBatchBytes) send_batch();
}

void FileReader::add_hole(const std::shared_ptr<FileJob>& job, std::uint64_t length) {
  repository::Part& part = job->parts.emplace_back();
  part.length = length;
  send_span({pipeline::JobShare(job), nullptr, 0, length});
}

void FileReader::read_extent(const OpenFile& file, std::uint64_t offset, std::uint64_t length,
                             const std::shared_ptr<FileJob>& job) {
  constexpr std::size_t kPage = 4096;
  slab_used_ = (slab_used_ + kPage - 1) / kPage * kPage;
  need_room(std::min<std::uint64_t>(length, 2 * chunker_.most()));
  std::size_t start = slab_used_;  // of what is not cut yet
  std::uint64_t left = length;
  bool ended = false;
  while (left > 0 || slab_used_ > start) {
    while (left > 0 && !ended && slab_used_ < pipeline::kSlabSize) {
      if (stop_.stop_requested()) throw Error(ErrorCode::interrupted, "stopped");
      const std::size_t some = std::min<std::uint64_t>({left, kReadStep, pipeline::kSlabSize - slab_used_});
      const std::size_t got = pread_full(file.fd(), slab_->span().subspan(slab_used_, some), offset, file.path());
      send_span({pipeline::JobShare(job), slab_, slab_used_, got});
      offset += got;
      left -= got;
      slab_used_ += got;
      counts_.bytes_read += got;
      progress_.done_bytes += got;
      pace_.keep(got, stop_);
      ended = got < some;  // it was truncated meanwhile
    }
    if (ended) left = 0;
    while (slab_used_ > start && (left == 0 || slab_used_ - start >= chunker_.most())) {
      const std::size_t cut = chunker_.cut(ByteView(slab_->data() + start, slab_used_ - start));
      add_piece(job, start, cut);
      start += cut;
    }
    if (left == 0) return;
    // What is not cut yet begins the next slab: whole pages of it, so that copy and next read are aligned.
    const std::size_t from = start / kPage * kPage;
    const std::shared_ptr<PageBuffer> full = slab_;
    send_batch();
    slab_ = slabs_.take();
    std::memcpy(slab_->data(), full->data() + from, slab_used_ - from);
    slab_used_ -= from;
    start -= from;
  }
}

// Piece by piece.
void FileReader::read_file(const Place& parent, const std::shared_ptr<FileJob>& job) {
  OpenFile file(parent.fd->get(), job->path);
  job->hash.emplace();
  const std::uint64_t size = file.size_bytes();
  std::uint64_t at = 0;
  for (const source::Extent& extent : file.data_extents()) {
    if (extent.offset > at) add_hole(job, extent.offset - at);
    read_extent(file, extent.offset, extent.length, job);
    at = extent.offset + extent.length;
  }
  if (at < size) add_hole(job, size - at);
  pipeline::Span end{pipeline::JobShare(job), nullptr, 0, 0};
  end.last = true;
  send_span(std::move(end));
  file.conclude(*job, findings_);
}

void FileReader::leave_to_storers(const Place& parent, const std::shared_ptr<FileJob>& job) {
  if (files_.files.empty() || files_.files.back().directory != parent.fd) ++files_.directories;
  files_.files.push_back({pipeline::JobShare(job), parent.fd});
  if (files_.directories >= pipeline::kGroupDirectories) send_files();
}

void FileReader::handle_file(const Place& parent, const std::string& name, const std::string& path,
                             source::Status status) {
  ++progress_.done_files;
  TreeEvent event;
  event.name = name;
  const std::uint64_t size = status.metadata.size_bytes;
  const std::pair inode(status.device, status.inode);
  const bool linked = status.metadata.link_count > 1;
  if (!linked && size <= pipeline::kSlabSize) {
    event.job = std::make_shared<FileJob>(path, std::move(status));
    event.cache = TreeEvent::Cache::yes;
    leave_to_storers(parent, event.job);
    send(std::move(event), size);
    return;
  }

  // All names of an inode get what was read through the first. Of a file that was written to since, or another that got
  // its inode, that would be wrong: it is then kept as a file of its own.
  bool separate = !linked;
  if (const auto first = links_.find(inode); linked && first != links_.end()) {
    if (same_content(first->second->status.metadata, status.metadata)) {
      event.job = first->second;
      send(std::move(event));
      return;
    }
    findings_.add(path, "changed after another of its names was read: it is kept as a file of its own");
    separate = true;
  }
  event.job = std::make_shared<FileJob>(path, std::move(status));
  event.cache = TreeEvent::Cache::yes;
  pipeline::JobShare share(event.job);
  if (known_.complete(*event.job)) {
    progress_.done_bytes += size;
  } else {
    read_file(parent, event.job);
  }
  // Another name of some inode may have come here since, or another name of this one elsewhere.
  if (event.job->status.inode != inode.second) separate = true;
  if (separate) {
    event.job->keep_separate();
  } else if (links_.size() < kLinksRemembered) {
    links_[inode] = event.job;
  }
  share.finish();
  send(std::move(event), size);
}

// The directories from a path that was given down to where the walk is. Not by recursion: how deep they go is for whoever
// writes there to choose.
struct FileReader::Walk {
  struct Level {
    Place place;
    std::string name;
    source::Status status;
    std::vector<std::string> names;
    std::size_t next = 0;
  };
  std::deque<Level> levels;  // a deque: a level stays where it is while one is added
};

void FileReader::walk_entry(const Place& parent, const std::string& name) {
  Walk walk;
  enter(parent, name, walk);
  while (!walk.levels.empty()) {
    Walk::Level& level = walk.levels.back();
    if (level.next < level.names.size()) {
      enter(level.place, level.names[level.next++], walk);
      continue;
    }
    TreeEvent end;
    end.kind = TreeEvent::Kind::end_directory;
    end.name = std::move(level.name);
    end.status = std::move(level.status);
    walk.levels.pop_back();
    send(std::move(end));
  }
}

// Sends an entry, or begins a directory.
void FileReader::enter(const Place& parent, const std::string& name, Walk& walk) {
  const std::string path = join(parent.path, name);
  try {
    std::optional<source::Status> status = source::status_at(parent.fd->get(), name.c_str(), path);
    if (!status) throw Error(ErrorCode::not_found, "it vanished");
    const EntryType type = status->metadata.type;
    if (options_.excludes.matches(path, type == EntryType::directory)) return;
    if (type == EntryType::directory) {
      enter_directory(parent, name, path, walk);
    } else if (type == EntryType::file) {
      handle_file(parent, name, path, std::move(*status));
    } else {
      TreeEvent event;
      event.name = name;
      event.status = std::move(*status);
      source::capture_details_at(parent.fd->get(), name.c_str(), path, event.status.metadata);
      send(std::move(event));
    }
  } catch (const Error& error) {
    if (error.code() == ErrorCode::interrupted) throw;
    findings_.add(path, error.code() == ErrorCode::not_found ? "vanished while the backup ran" : error.what());
  }
}

void FileReader::enter_directory(const Place& parent, const std::string& name, const std::string& path, Walk& walk) {
  if (parent.depth >= repository::kTreeDepthLimit) throw Error(ErrorCode::failed, "directories are nested too deeply");
  Walk::Level level;
  level.place = open_place(parent, name, path);
  const int fd = level.place.fd->get();
  level.name = name;
  level.status = source::status_of(fd, path);
  source::capture_details(fd, path, level.status.metadata);
  const bool elsewhere =
      options_.file_systems == BackupOptions::FileSystems::one && level.status.device != root_device_;
  if (!elsewhere) level.names = source::list_directory(fd, path);

  TreeEvent begin;
  begin.kind = TreeEvent::Kind::begin_directory;
  send(std::move(begin));
  walk.levels.push_back(std::move(level));
}

void FileReader::walk_wanted(const Wanted& wanted, const Place& here, const std::string& name,
                             const source::Status& status) {
  TreeEvent begin;
  begin.kind = TreeEvent::Kind::begin_directory;
  begin.place = TreeEvent::Place::above;
  send(std::move(begin));
  for (const auto& [child, below] : wanted.below) {
    if (below.whole) {
      const auto child_status = source::status_at(here.fd->get(), child.c_str(), join(here.path, child));
      if (child_status) root_device_ = child_status->device;
      walk_entry(here, child);
      continue;
    }
    const std::string child_path = join(here.path, child);
    try {
      const Place there = open_place(here, child, child_path);
      source::Status child_status = source::status_of(there.fd->get(), child_path);
      source::capture_details(there.fd->get(), child_path, child_status.metadata);
      walk_wanted(below, there, child, child_status);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::interrupted) throw;
      findings_.add(child_path, error.what());
    }
  }
  TreeEvent end;
  end.kind = TreeEvent::Kind::end_directory;
  end.name = name;
  end.status = status;
  send(std::move(end));
}

void FileReader::run() {
  try {
    walk();
  } catch (...) {
    // The tree waits for nothing that nobody will do.
    entries_.clear();
    const pipeline::Batch batch = std::exchange(batch_, {});
    const pipeline::FileGroup files = std::exchange(files_, {});
    throw;
  }
}

void FileReader::walk() {
  Wanted all;
  std::size_t found = 0;
  for (const std::string& path : options_.paths) {
    if (::faccessat(AT_FDCWD, path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
      findings_.add(path, errno_text(errno));
      continue;
    }
    ++found;
    Wanted* at = &all;
    for (std::size_t from = 1; from < path.size() && !at->whole;) {
      const std::size_t end = std::min(path.find('/', from), path.size());
      at = &at->below[path.substr(from, end - from)];
      from = end + 1;
    }
    at->whole = true;
  }
  if (found == 0) throw Error(ErrorCode::failed, "none of the paths to back up is there").with_hint("check the paths given");

  const Place root{std::make_shared<const UniqueFd>(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), "/", 0};
  if (!*root.fd) throw_errno("open", "/");
  source::Status status = source::status_of(root.fd->get(), "/");
  source::capture_details(root.fd->get(), "/", status.metadata);
  if (all.whole) {
    root_device_ = status.device;
    for (const std::string& name : source::list_directory(root.fd->get(), "/")) all.below[name].whole = true;
    TreeEvent begin;
    begin.kind = TreeEvent::Kind::begin_directory;
    send(std::move(begin));
    for (const auto& [name, below] : all.below) walk_entry(root, name);
    TreeEvent end;
    end.kind = TreeEvent::Kind::end_directory;
    end.status = status;
    send(std::move(end));
  } else {
    walk_wanted(all, root, "", status);
  }
  send_events();
}

}  // namespace qcbak
