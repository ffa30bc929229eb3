#include "backup/file_reader.h"

#include <fcntl.h>
#include <sys/syscall.h>
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
// From this size on it is looked whether the page cache had the file, so that it is left as it was.
constexpr std::uint64_t kCacheCareBytes = 256U << 10;
// A file touched so shortly before it is read could be touched again meanwhile without its times showing it.
constexpr std::int64_t kSettledNs = 1'000'000'000;

std::string join(const std::string& directory, const std::string& name) {
  return directory == "/" ? "/" + name : directory + "/" + name;
}

bool same_content(const repository::Metadata& a, const repository::Metadata& b) {
  return a.size_bytes == b.size_bytes && a.mtime_s == b.mtime_s && a.mtime_ns == b.mtime_ns;
}

bool same_file(const source::Status& a, const source::Status& b) {
  return a.inode == b.inode && a.device == b.device && same_content(a.metadata, b.metadata) &&
         a.ctime_s == b.ctime_s && a.ctime_ns == b.ctime_ns;
}

// cachestat(2), since Linux 6.5: is most of the file outside the page cache?
bool mostly_uncached(int fd, std::uint64_t size) {
#ifndef SYS_cachestat
  constexpr long SYS_cachestat = 451;
#endif
  struct {
    std::uint64_t offset, length;
  } range{0, size};
  struct {
    std::uint64_t cached, dirty, writeback, evicted, recently_evicted;
  } stat{};
  if (::syscall(SYS_cachestat, fd, &range, &stat, 0) != 0) return false;
  constexpr std::uint64_t kPage = 4096;
  return stat.cached * kPage < size / 2;
}

}  // namespace

// A directory being walked.
struct FileReader::Place {
  int fd = -1;
  std::string path;
  int depth = 0;
};

// The paths given, as a tree from "/" down.
struct FileReader::Wanted {
  bool whole = false;
  std::map<std::string, Wanted> below;
};

FileReader::FileReader(const BackupOptions& options, const repository::Chunking& chunking, const FileCache& cache,
                       AllStored all_stored, pipeline::SlabPool& slabs, pipeline::Queue<pipeline::Batch>& batches,
                       pipeline::Queue<pipeline::Span>& spans, pipeline::Queue<pipeline::TreeEvents>& events,
                       Progress& progress, std::stop_token stop)
    : options_(options),
      chunker_(chunking),
      cache_(cache),
      all_stored_(std::move(all_stored)),
      slabs_(slabs),
      batches_(batches),
      spans_(spans),
      events_(events),
      progress_(progress),
      stop_(std::move(stop)) {}

FileReader::~FileReader() = default;

void FileReader::finding(const std::string& path, const std::string& what) {
  findings_.push_back({path, what});
  ++progress_.problems;
}

void FileReader::send(TreeEvent event) {
  // What was read goes on soon: only from the tree does it get where an interrupted run is taken up again.
  if (event.job) group_bytes_ += event.status.metadata.size_bytes;
  group_.push_back(std::move(event));
  if (group_.size() >= pipeline::kEventsInGroup || group_bytes_ >= pipeline::kBatchBytes) send_events();
}

void FileReader::send_events() {
  group_bytes_ = 0;
  // The tree may be waiting for pieces that lie here, and takes no event before it has them.
  if (events_.full()) send_batch();
  if (stop_.stop_requested() || !events_.push(std::exchange(group_, {}))) throw Error(ErrorCode::interrupted, "stopped");
}

void FileReader::send_batch() {
  if (batch_.pieces.empty()) return;
  if (stop_.stop_requested() || !batches_.push(std::exchange(batch_, {}))) throw Error(ErrorCode::interrupted, "stopped");
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

void FileReader::add_piece(const std::shared_ptr<FileJob>& job, std::size_t offset, std::size_t length,
                           bool whole_file) {
  repository::Part& part = job->parts.emplace_back();
  part.length = length;
  job->open.fetch_add(1, std::memory_order_relaxed);
  if (!batch_.slab) batch_.slab = slab_;
  batch_.pieces.push_back({job, &part, whole_file, static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(length)});
  batch_.bytes += length;
  if (batch_.bytes >= pipeline::kBatchBytes || batch_.pieces.size() >= pipeline::kBatchPieces) send_batch();
}

void FileReader::add_hole(const std::shared_ptr<FileJob>& job, std::uint64_t length) {
  repository::Part& part = job->parts.emplace_back();
  part.length = length;
  send_span({job, nullptr, 0, length});
}

// A file that makes one chunk.
void FileReader::read_small(int fd, const std::string& path, std::size_t length, const std::shared_ptr<FileJob>& job) {
  need_room(length);
  const std::size_t got = read_full(fd, slab_->span().subspan(slab_used_, length), path);
  counts_.bytes_read += got;
  progress_.done_bytes += got;
  if (got == 0) {
    job->sha256 = crypto::sha256({});
    return;
  }
  add_piece(job, slab_used_, got, true);
  // The next file starts on a line of its own: unaligned copies are several times slower.
  constexpr std::size_t kLine = 64;
  slab_used_ += (got + kLine - 1) / kLine * kLine;
}

void FileReader::read_extent(int fd, const std::string& path, std::uint64_t offset, std::uint64_t length,
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
      const std::size_t got = pread_full(fd, slab_->span().subspan(slab_used_, some), offset, path);
      send_span({job, slab_, slab_used_, got});
      offset += got;
      left -= got;
      slab_used_ += got;
      counts_.bytes_read += got;
      progress_.done_bytes += got;
      ended = got < some;  // it was truncated meanwhile
    }
    if (ended) left = 0;
    while (slab_used_ > start && (left == 0 || slab_used_ - start >= chunker_.most())) {
      const std::size_t cut = chunker_.cut(ByteView(slab_->data() + start, slab_used_ - start));
      add_piece(job, start, cut, false);
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

// Completes the event of a file that has to be read.
void FileReader::read_file(int fd, const std::string& path, TreeEvent& event) {
  const source::Status before = event.status;
  const std::int64_t begin_ns = SystemClock().now().ns;
  auto job = std::make_shared<FileJob>();
  const std::uint64_t size = before.metadata.size_bytes;
  // Whatever goes wrong below, nobody waits for this reader.
  struct Done {
    FileJob& job;
    ~Done() { job.done(); }
  };
  {
    const Done done{*job};
    const bool drop_cache = size >= kCacheCareBytes && mostly_uncached(fd, size);
    const bool sparse = before.allocated_bytes < size;
    if (size <= chunker_.least() && !sparse) {
      read_small(fd, path, size, job);
    } else {
      job->hash.emplace();
      std::uint64_t at = 0;
      std::vector<source::Extent> extents{{0, size}};
      if (sparse) extents = source::data_extents(fd, size, path);
      for (const source::Extent& extent : extents) {
        if (extent.offset > at) add_hole(job, extent.offset - at);
        read_extent(fd, path, extent.offset, extent.length, job);
        at = extent.offset + extent.length;
      }
      if (at < size) add_hole(job, size - at);
      pipeline::Span end(job, nullptr, 0, 0);
      end.last = true;
      send_span(std::move(end));
    }
    if (drop_cache) ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  }
  if (job->parts.size() > repository::kFilePartsLimit)
    throw Error(ErrorCode::failed, "it is in more pieces than a file may have");
  std::uint64_t stored = 0;
  for (const repository::Part& part : job->parts) stored += part.length;
  const source::Status after = source::status_of(fd, path);
  event.cache = TreeEvent::Cache::yes;
  if (!same_file(before, after) || stored != size) {
    finding(path, "changed while it was read: what is kept may be a mix of before and after");
    event.cache = TreeEvent::Cache::no;
  }
  if (before.ctime_s * 1'000'000'000 + before.ctime_ns + kSettledNs > begin_ns) event.cache = TreeEvent::Cache::no;
  event.status.metadata.size_bytes = stored;
  event.job = std::move(job);
}

void FileReader::handle_file(const Place& parent, const std::string& name, const std::string& path,
                             source::Status status) {
  TreeEvent event;
  event.name = name;
  event.path = path;
  event.status = std::move(status);
  ++progress_.done_files;

  // All names of an inode get what was read through the first. Of a file that was written to since, or another that got
  // its inode, that would be wrong: it is then kept as a file of its own.
  bool separate = false;
  if (event.status.metadata.link_count > 1) {
    if (const auto at = links_.find({event.status.device, event.status.inode}); at != links_.end()) {
      if (same_content(at->second.metadata, event.status.metadata)) {
        event.job = at->second.job;
        event.known_parts = at->second.known_parts;
        event.known_sha256 = at->second.known_sha256;
        event.status.metadata = at->second.metadata;
        send(std::move(event));
        return;
      }
      finding(path, "changed after another of its names was read: it is kept as a file of its own");
      separate = true;
    }
  }
  const auto finish = [&] {
    repository::Metadata& metadata = event.status.metadata;
    if (separate) {
      metadata.link_count = 1;
      metadata.link_device = metadata.link_inode = 0;
    } else if (metadata.link_count > 1 && links_.size() < kLinksRemembered) {
      links_[{event.status.device, event.status.inode}] = {event.job, event.known_parts, event.known_sha256, metadata};
    }
    send(std::move(event));
  };

  if (options_.unchanged == BackupOptions::Unchanged::skip) {
    if (auto cached = cache_.find(path, event.status); cached && all_stored_(cached->parts)) {
      ++counts_.files_unmodified;
      event.known_parts = std::move(cached->parts);
      event.known_sha256 = cached->sha256;
      event.status.metadata.flags = cached->flags;
      event.status.metadata.attributes = std::move(cached->attributes);
      event.cache = TreeEvent::Cache::yes;
      progress_.done_bytes += event.status.metadata.size_bytes;
      finish();
      return;
    }
  }
  ++(cache_.knows(path) ? counts_.files_changed : counts_.files_new);
  const UniqueFd fd = source::open_file_at(parent.fd, name.c_str(), path);
  const std::uint64_t inode = event.status.inode;
  event.status = source::status_of(fd.get(), path);
  if (event.status.metadata.type != EntryType::file) throw Error(ErrorCode::not_found, "it was replaced");
  // Another name of some inode may have come here since: it is not looked up again.
  if (event.status.inode != inode) separate = true;
  source::capture_details(fd.get(), path, event.status.metadata);
  read_file(fd.get(), path, event);
  finish();
}

// The directories from a path that was given down to where the walk is. Not by recursion: how deep they go is for whoever
// writes there to choose.
struct FileReader::Walk {
  struct Level {
    UniqueFd fd;
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
    std::optional<source::Status> status = source::status_at(parent.fd, name.c_str(), path);
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
      source::capture_details_at(parent.fd, name.c_str(), path, event.status.metadata);
      send(std::move(event));
    }
  } catch (const Error& error) {
    if (error.code() == ErrorCode::interrupted) throw;
    finding(path, error.code() == ErrorCode::not_found ? "vanished while the backup ran" : error.what());
  }
}

void FileReader::enter_directory(const Place& parent, const std::string& name, const std::string& path, Walk& walk) {
  if (parent.depth >= repository::kTreeDepthLimit) throw Error(ErrorCode::failed, "directories are nested too deeply");
  Walk::Level level;
  level.fd = source::open_directory_at(parent.fd, name.c_str(), path);
  level.place = {level.fd.get(), path, parent.depth + 1};
  level.name = name;
  level.status = source::status_of(level.fd.get(), path);
  source::capture_details(level.fd.get(), path, level.status.metadata);
  const bool elsewhere =
      options_.file_systems == BackupOptions::FileSystems::one && level.status.device != root_device_;
  if (!elsewhere) level.names = source::list_directory(level.fd.get(), path);

  TreeEvent begin;
  begin.kind = TreeEvent::Kind::begin_directory;
  send(std::move(begin));
  walk.levels.push_back(std::move(level));
}

void FileReader::walk_wanted(const Wanted& wanted, int directory_fd, const std::string& path, const std::string& name,
                             const source::Status& status) {
  TreeEvent begin;
  begin.kind = TreeEvent::Kind::begin_directory;
  send(std::move(begin));
  const Place here{directory_fd, path, path == "/" ? 0 : static_cast<int>(std::count(path.begin(), path.end(), '/'))};
  for (const auto& [child, below] : wanted.below) {
    if (below.whole) {
      const auto child_status = source::status_at(directory_fd, child.c_str(), join(path, child));
      if (child_status) root_device_ = child_status->device;
      walk_entry(here, child);
      continue;
    }
    const std::string child_path = join(path, child);
    try {
      const UniqueFd fd = source::open_directory_at(directory_fd, child.c_str(), child_path);
      source::Status child_status = source::status_of(fd.get(), child_path);
      source::capture_details(fd.get(), child_path, child_status.metadata);
      walk_wanted(below, fd.get(), child_path, child, child_status);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::interrupted) throw;
      finding(child_path, error.what());
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
    group_.clear();
    const pipeline::Batch given_up = std::exchange(batch_, {});  // or the tree would wait for it
    throw;
  }
}

void FileReader::walk() {
  Wanted all;
  std::size_t found = 0;
  for (const std::string& path : options_.paths) {
    if (::faccessat(AT_FDCWD, path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
      finding(path, errno_text(errno));
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

  const UniqueFd root(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) throw_errno("open", "/");
  source::Status status = source::status_of(root.get(), "/");
  source::capture_details(root.get(), "/", status.metadata);
  if (all.whole) {
    root_device_ = status.device;
    for (const std::string& name : source::list_directory(root.get(), "/")) all.below[name].whole = true;
    TreeEvent begin;
    begin.kind = TreeEvent::Kind::begin_directory;
    send(std::move(begin));
    for (const auto& [name, below] : all.below) walk_entry({root.get(), "/", 0}, name);
    TreeEvent end;
    end.kind = TreeEvent::Kind::end_directory;
    end.status = status;
    send(std::move(end));
  } else {
    walk_wanted(all, root.get(), "/", "", status);
  }
  send_batch();
  send_events();
}

}  // namespace qcbak
