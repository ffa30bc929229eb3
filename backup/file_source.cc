#include "backup/file_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <map>

#include "backup/content_storer.h"
#include "backup/open_file.h"
#include "base/error.h"

namespace qcbak {
namespace {

using pipeline::FileJob;
using pipeline::TreeEvent;
using repository::EntryType;

std::string join(const std::string& directory, const std::string& name) {
  return directory == "/" ? "/" + name : directory + "/" + name;
}

bool same_content(const repository::Metadata& a, const repository::Metadata& b) {
  return a.size_bytes == b.size_bytes && a.mtime_s == b.mtime_s && a.mtime_ns == b.mtime_ns;
}

// Walks everything, in one thread, and finds what changed. Large files it reads; small ones it leaves to those who store them.
class FileWalk {
 public:
  FileWalk(const BackupOptions& options, const std::vector<std::string>& paths, SourceStages& stages);
  // Error when the work was stopped or none of the paths is there.
  void run();

 private:
  struct Place;
  struct Wanted;
  struct Walk;
  static Place open_place(const Place& parent, const std::string& name, const std::string& path);
  void walk_wanted(const Wanted& wanted, const Place& here, const std::string& name, const source::Status& status);
  void walk_entry(const Place& parent, const std::string& name);
  void enter(const Place& parent, const std::string& name, Walk& walk);
  void enter_directory(const Place& parent, const std::string& name, const std::string& path, Walk& walk);
  void handle_file(const Place& parent, const std::string& name, const std::string& path, source::Status status);
  void read_file(const Place& parent, const std::shared_ptr<FileJob>& job);

  const BackupOptions& options_;
  const std::vector<std::string>& paths_;
  SourceStages& stages_;
  Feeder& feeder_;
  std::uint64_t root_device_ = 0;
  static constexpr std::size_t kLinksRemembered = 1U << 16;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::shared_ptr<FileJob>> links_;
};

// A directory being walked.
struct FileWalk::Place {
  std::shared_ptr<const UniqueFd> fd;  // shared: with groups of its files, which may outlive the walk through it
  std::string path;
  int depth = 0;
};

FileWalk::Place FileWalk::open_place(const Place& parent, const std::string& name, const std::string& path) {
  UniqueFd fd = source::open_directory_at(parent.fd->get(), name.c_str(), path);
  return {std::make_shared<const UniqueFd>(std::move(fd)), path, parent.depth + 1};
}

// The paths given, as a tree from "/" down.
struct FileWalk::Wanted {
  bool whole = false;
  std::map<std::string, Wanted> below;
};

FileWalk::FileWalk(const BackupOptions& options, const std::vector<std::string>& paths, SourceStages& stages)
    : options_(options), paths_(paths), stages_(stages), feeder_(stages.feeder) {}

// Piece by piece.
void FileWalk::read_file(const Place& parent, const std::shared_ptr<FileJob>& job) {
  OpenFile file(parent.fd->get(), job->path);
  const Feeder::Read read = [&](MutableByteView into, std::uint64_t offset) {
    return pread_full(file.fd(), into, offset, file.path());
  };
  feeder_.begin_content(job);
  std::uint64_t at = 0;
  for (const source::Extent& extent : file.data_extents()) {
    if (extent.offset > at) feeder_.add_hole(job, extent.offset - at);
    feeder_.add_data(job, extent.offset, extent.length, read);
    at = extent.offset + extent.length;
  }
  if (at < file.size_bytes()) feeder_.add_hole(job, file.size_bytes() - at);
  feeder_.end_content(job);
  file.conclude(*job, stages_.findings);
}

void FileWalk::handle_file(const Place& parent, const std::string& name, const std::string& path,
                           source::Status status) {
  ++stages_.progress.done_files;
  TreeEvent event;
  event.name = name;
  const std::uint64_t size = status.metadata.size_bytes;
  const std::pair inode(status.device, status.inode);
  const bool linked = status.metadata.link_count > 1;
  if (!linked && size <= pipeline::kSlabSize) {
    event.job = std::make_shared<FileJob>(path, std::move(status));
    event.cache = TreeEvent::Cache::yes;
    feeder_.leave_to_storers(event.job, parent.fd);
    feeder_.send(std::move(event), size);
    return;
  }

  // All names of an inode get what was read through the first. Of a file that was written to since, or another that got
  // its inode, that would be wrong: it is then kept as a file of its own.
  bool separate = !linked;
  if (const auto first = links_.find(inode); linked && first != links_.end()) {
    if (same_content(first->second->status.metadata, status.metadata)) {
      event.job = first->second;
      feeder_.send(std::move(event));
      return;
    }
    stages_.findings.add(path, "changed after another of its names was read: it is kept as a file of its own");
    separate = true;
  }
  event.job = std::make_shared<FileJob>(path, std::move(status));
  event.cache = TreeEvent::Cache::yes;
  pipeline::JobShare share(event.job);
  if (stages_.known.complete(*event.job)) {
    stages_.progress.done_bytes += size;
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
  feeder_.send(std::move(event), size);
}

// The directories from a path that was given down to where the walk is. Not by recursion: how deep they go is for whoever
// writes there to choose.
struct FileWalk::Walk {
  struct Level {
    Place place;
    std::string name;
    source::Status status;
    std::vector<std::string> names;
    std::size_t next = 0;
  };
  std::deque<Level> levels;  // a deque: a level stays where it is while one is added
};

void FileWalk::walk_entry(const Place& parent, const std::string& name) {
  Walk walk;
  enter(parent, name, walk);
  while (!walk.levels.empty()) {
    Walk::Level& level = walk.levels.back();
    if (level.next < level.names.size()) {
      enter(level.place, level.names[level.next++], walk);
      continue;
    }
    std::string ended = std::move(level.name);
    source::Status status = std::move(level.status);
    walk.levels.pop_back();
    feeder_.end_directory(std::move(ended), std::move(status));
  }
}

// Sends an entry, or begins a directory.
void FileWalk::enter(const Place& parent, const std::string& name, Walk& walk) {
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
      feeder_.send(std::move(event));
    }
  } catch (const Error& error) {
    if (error.code() == ErrorCode::interrupted) throw;
    stages_.findings.add(path, error.code() == ErrorCode::not_found ? "vanished while the backup ran" : error.what());
  }
}

void FileWalk::enter_directory(const Place& parent, const std::string& name, const std::string& path, Walk& walk) {
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

  feeder_.begin_directory(TreeEvent::Place::within);
  walk.levels.push_back(std::move(level));
}

void FileWalk::walk_wanted(const Wanted& wanted, const Place& here, const std::string& name,
                           const source::Status& status) {
  feeder_.begin_directory(TreeEvent::Place::above);
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
      stages_.findings.add(child_path, error.what());
    }
  }
  feeder_.end_directory(name, status);
}

void FileWalk::run() {
  Wanted all;
  std::size_t found = 0;
  for (const std::string& path : paths_) {
    if (::faccessat(AT_FDCWD, path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
      stages_.findings.add(path, errno_text(errno));
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
  if (found == 0)
    throw Error(ErrorCode::failed, "none of the paths to back up is there").with_hint("check the paths given");

  const Place root{std::make_shared<const UniqueFd>(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), "/", 0};
  if (!*root.fd) throw_errno("open", "/");
  source::Status status = source::status_of(root.fd->get(), "/");
  source::capture_details(root.fd->get(), "/", status.metadata);
  if (all.whole) {
    root_device_ = status.device;
    for (const std::string& name : source::list_directory(root.fd->get(), "/")) all.below[name].whole = true;
    feeder_.begin_directory(TreeEvent::Place::within);
    for (const auto& [name, below] : all.below) walk_entry(root, name);
    feeder_.end_directory("", status);
  } else {
    walk_wanted(all, root, "", status);
  }
}

}  // namespace

FileSource::FileSource(const BackupOptions& options) : options_(options) {
  for (const std::string& path : options.paths) paths_.push_back(source::resolve_path(path));
}

void FileSource::feed(SourceStages& stages) { FileWalk(options_, paths_, stages).run(); }

}  // namespace qcbak
