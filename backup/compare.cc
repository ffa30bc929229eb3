#include "backup/compare.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "backup/source/capture.h"
#include "base/error.h"

namespace qcbak {
namespace {

using repository::DirectoryCursor;
using repository::Entry;
using repository::EntryType;
using repository::ExtendedAttribute;
using repository::Metadata;

constexpr std::size_t kReadBytes = std::size_t{1} << 20;
constexpr std::size_t kDirectoriesOpen = 128;

const char* type_text(EntryType type) {
  switch (type) {
    case EntryType::file: return "file";
    case EntryType::directory: return "directory";
    case EntryType::symlink: return "symlink";
    case EntryType::fifo: return "fifo";
    case EntryType::socket: return "socket";
    case EntryType::char_device: return "character device";
    case EntryType::block_device: return "block device";
  }
  return "?";
}

std::string time_text(const Metadata& metadata) {
  constexpr std::int64_t kNsPerSecond = 1'000'000'000;
  constexpr std::int64_t kSecondsMost = INT64_MAX / kNsPerSecond - 1;
  const std::string fraction = metadata.mtime_ns == 0 ? "" : fmt::format(" + {} ns", metadata.mtime_ns);
  if (metadata.mtime_s > kSecondsMost || metadata.mtime_s < -kSecondsMost)
    return fmt::format("@{}{}", metadata.mtime_s, fraction);
  return format_time({metadata.mtime_s * kNsPerSecond}) + fraction;
}

std::string device_text(std::uint64_t device) { return fmt::format("{}:{}", device >> 32, device & 0xffff'ffff); }

void compare_attributes(const std::vector<ExtendedAttribute>& before, const std::vector<ExtendedAttribute>& after,
                        std::vector<std::string>& what) {
  auto a = before.begin();
  auto b = after.begin();
  while (a != before.end() || b != after.end()) {
    if (b == after.end() || (a != before.end() && as_text(a->name) < as_text(b->name))) {
      what.push_back("attribute " + printable(a++->name) + " removed");
    } else if (a == before.end() || as_text(b->name) < as_text(a->name)) {
      what.push_back("attribute " + printable(b++->name) + " added");
    } else {
      if (a->value != b->value) what.push_back("attribute " + printable(a->name));
      ++a;
      ++b;
    }
  }
}

// All but a file's content. The type is compared first: of another type, nothing else means the same.
void compare_metadata(const Metadata& before, const Metadata& after, Difference& difference) {
  std::vector<std::string>& what = difference.what;
  if (before.type != after.type) {
    what.push_back(fmt::format("type {} → {}", type_text(before.type), type_text(after.type)));
    difference.content = true;
    return;
  }
  if (before.link_target != after.link_target) {
    what.push_back("target " + printable(before.link_target) + " → " + printable(after.link_target));
    difference.content = true;
  }
  if (before.device != after.device) {
    what.push_back("device " + device_text(before.device) + " → " + device_text(after.device));
    difference.content = true;
  }
  if (before.size_bytes != after.size_bytes)
    what.push_back(fmt::format("size {} → {}", before.size_bytes, after.size_bytes));
  if (before.mode != after.mode) what.push_back(fmt::format("mode {:04o} → {:04o}", before.mode, after.mode));
  if (before.uid != after.uid) what.push_back(fmt::format("owner {} → {}", before.uid, after.uid));
  if (before.gid != after.gid) what.push_back(fmt::format("group {} → {}", before.gid, after.gid));
  if (before.mtime_s != after.mtime_s || before.mtime_ns != after.mtime_ns)
    what.push_back("time " + time_text(before) + " → " + time_text(after));
  // Device and inode numbers change with a reboot or a restore; how many names there are does not.
  if (before.link_count != after.link_count)
    what.push_back(fmt::format("links {} → {}", before.link_count, after.link_count));
  if (before.flags != after.flags) what.push_back(fmt::format("flags {:#x} → {:#x}", before.flags, after.flags));
  compare_attributes(before.attributes, after.attributes, what);
}

void content_differs(Difference& difference) {
  difference.what.insert(difference.what.begin(), "content");
  difference.content = true;
}

void report_below(SnapshotTree& tree, const std::string& path, const Entry& entry, Difference::Kind kind,
                  const OnDifference& on_difference) {
  tree.walk(path, entry, [&](const std::string& below, const Entry&) {
    on_difference({kind, below, {}, false});
    return SnapshotTree::Descend::yes;
  });
}

// An entry that one side has, and everything below it.
void report_whole(SnapshotTree& tree, const std::string& path, const Entry& entry, Difference::Kind kind,
                  const OnDifference& on_difference) {
  on_difference({kind, path, {}, false});
  report_below(tree, path, entry, kind, on_difference);
}

class SnapshotComparison {
 public:
  SnapshotComparison(SnapshotTree& before, SnapshotTree& after, const OnDifference& on_difference)
      : before_(before), after_(after), on_difference_(on_difference) {}

  void compare(const std::string& path) {
    here_ = path;
    const std::optional<Entry> a = before_.find(path);
    const std::optional<Entry> b = after_.find(path);
    if (!a && !b) throw Error(ErrorCode::not_found, "neither snapshot has " + printable(path));
    visit(a, b);
    while (!levels_.empty()) {
      Level& level = levels_.back();
      here_.resize(level.path_length);
      in_context(here_.empty() ? "/" : printable(here_), [&] { level.fill(); });
      if (!level.a && !level.b) {
        levels_.pop_back();
        continue;
      }
      std::optional<Entry> first, second;
      if (!level.b || (level.a && level.a->name <= level.b->name)) first = std::exchange(level.a, std::nullopt);
      if (level.b && (!first || level.b->name == first->name)) second = std::exchange(level.b, std::nullopt);
      here_ += "/" + (first ? first : second)->name;
      visit(first, second);
    }
  }

 private:
  struct Level {
    std::size_t path_length;
    DirectoryCursor before, after;
    std::optional<Entry> a{}, b{};  // next of each
    bool a_ended = false, b_ended = false;
    void fill() {
      if (!a && !a_ended) a_ended = !(a = before.next());
      if (!b && !b_ended) b_ended = !(b = after.next());
    }
  };

  void visit(const std::optional<Entry>& a, const std::optional<Entry>& b) {
    if (!b) return report_whole(before_, here_, *a, Difference::Kind::removed, on_difference_);
    if (!a) return report_whole(after_, here_, *b, Difference::Kind::added, on_difference_);
    Difference difference{Difference::Kind::changed, here_, {}, false};
    compare_metadata(a->metadata, b->metadata, difference);
    const bool same_type = a->metadata.type == b->metadata.type;
    if (same_type && a->sha256 != b->sha256) content_differs(difference);
    if (!difference.what.empty()) on_difference_(difference);
    if (a->directory == b->directory) return;
    if (!same_type) {
      report_below(before_, here_, *a, Difference::Kind::removed, on_difference_);
      report_below(after_, here_, *b, Difference::Kind::added, on_difference_);
      return;
    }
    if (levels_.size() > std::size_t(repository::kTreeDepthLimit))
      throw Error(ErrorCode::damaged, printable(here_) + ": directories nested too deeply");
    levels_.push_back({here_ == "/" ? 0 : here_.size(),
                       {before_.loader(), *a->directory},
                       {after_.loader(), *b->directory}});
  }

  SnapshotTree& before_;
  SnapshotTree& after_;
  const OnDifference& on_difference_;
  std::string here_;
  std::vector<Level> levels_;
};

class LiveComparison {
 public:
  LiveComparison(SnapshotTree& snapshot, const OnDifference& on_difference, const std::stop_token& stop)
      : snapshot_(snapshot), on_difference_(on_difference), stop_(stop), buffer_(kReadBytes) {}

  void compare(const std::string& path) {
    here_ = path;
    const std::optional<Entry> stored = snapshot_.find(path);
    const std::size_t slash = path.rfind('/');
    const std::string name = path == "/" ? "." : path.substr(slash + 1);
    UniqueFd parent;
    try {
      parent = open_live(path.substr(0, slash));
    } catch (const Error& error) {
      if (error.code() == ErrorCode::not_found) gone(stored);
      else unreadable(error);
      return;
    }
    visit(parent.get(), name, source::status_of(parent.get(), path).device, stored, IsGiven::yes);
    while (!levels_.empty()) step();
  }

 private:
  struct Level {
    std::size_t path_length;
    UniqueFd directory;  // closed while far above the one in work, since a process may hold few open
    std::uint64_t device = 0;
    std::vector<std::string> names{};
    std::size_t at = 0;
    std::optional<DirectoryCursor> cursor{};  // nothing: the snapshot has no such directory
    std::optional<Entry> stored{};            // next of the cursor
  };
  enum class IsGiven { no, yes };

  // A directory to start from, never through a link. Nobody needs to be allowed to list those above what is compared.
  static UniqueFd open_live(std::string_view path) {
    constexpr int kFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    UniqueFd fd(::open("/", kFlags));
    for (std::size_t at = 1; fd && at < path.size();) {
      const std::size_t end = std::min(path.find('/', at), path.size());
      fd = UniqueFd(::openat(fd.get(), std::string(path.substr(at, end - at)).c_str(), kFlags));
      at = end + 1;
    }
    if (fd) return fd;
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
      throw Error(ErrorCode::not_found, "open " + printable(path) + ": " + errno_text(errno));
    throw_errno("open", printable(path));
  }

  void check_stop() const {
    if (stop_.stop_requested()) throw Error(ErrorCode::interrupted, "stopped while comparing");
  }
  void unreadable(const Error& error) {
    on_difference_({Difference::Kind::changed, here_, {std::string("unreadable: ") + error.what()}, false});
  }
  void gone(const std::optional<Entry>& stored) {
    if (!stored) throw Error(ErrorCode::not_found, "neither the snapshot nor this system has " + printable(here_));
    report_whole(snapshot_, here_, *stored, Difference::Kind::removed, on_difference_);
  }

  void step() {
    check_stop();
    Level& level = levels_.back();
    here_.resize(level.path_length);
    const bool live_left = level.at < level.names.size();
    if (!live_left && !level.stored) {
      levels_.pop_back();
      return;
    }
    std::optional<Entry> stored;
    if (level.stored && (!live_left || level.stored->name <= level.names[level.at])) {
      stored = std::exchange(level.stored, std::nullopt);
      advance(level);
    }
    const bool live = live_left && (!stored || level.names[level.at] == stored->name);
    const std::string name = live ? std::move(level.names[level.at++]) : stored->name;
    if (!live) {
      here_ += "/" + name;
      return gone(stored);
    }
    try {
      if (!level.directory) level.directory = open_live(here_);
    } catch (const Error& error) {
      here_ += "/" + name;
      return unreadable(error);
    }
    here_ += "/" + name;
    visit(level.directory.get(), name, level.device, stored, IsGiven::no);
  }

  void advance(Level& level) {
    in_context(here_.empty() ? "/" : printable(here_), [&] { level.stored = level.cursor->next(); });
  }

  void visit(int parent, const std::string& name, std::uint64_t parent_device, const std::optional<Entry>& stored,
             IsGiven is_given) {
    std::optional<source::Status> live;
    try {
      live = source::status_at(parent, name.c_str(), here_);
    } catch (const Error& error) {
      return unreadable(error);
    }
    if (!live) {
      if (stored || is_given == IsGiven::yes) gone(stored);
      return;
    }
    Metadata& now = live->metadata;
    Difference difference{stored ? Difference::Kind::changed : Difference::Kind::added, here_, {}, false};
    const bool same_type = stored && stored->metadata.type == now.type;
    UniqueFd opened;
    try {
      // Of what is new or of another type there is nothing to compare.
      if (now.type == EntryType::directory) {
        opened = source::open_directory_at(parent, name.c_str(), here_);
        if (same_type) source::capture_details(opened.get(), here_, now);
      } else if (same_type && now.type == EntryType::file) {
        opened = source::open_file_at(parent, name.c_str(), here_);
        now = source::status_of(opened.get(), here_).metadata;
        if (now.type == EntryType::file) source::capture_details(opened.get(), here_, now);
        if (now.type == EntryType::file && content_of(opened.get(), stored->metadata.size_bytes) != stored->sha256)
          difference.content = true;
      } else if (same_type) {
        source::capture_details_at(parent, name.c_str(), here_, now);
      }
      if (stored) compare_metadata(stored->metadata, now, difference);
      if (same_type && now.type == EntryType::file && difference.content) content_differs(difference);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::interrupted) throw;
      difference.kind = Difference::Kind::changed;
      difference.what.push_back(std::string("unreadable: ") + error.what());
      if (!stored) on_difference_({Difference::Kind::added, here_, {}, false});
    }
    if (difference.kind == Difference::Kind::added || !difference.what.empty()) on_difference_(difference);
    if (stored && !same_type) report_below(snapshot_, here_, *stored, Difference::Kind::removed, on_difference_);
    if (live->metadata.type == EntryType::directory && opened)
      enter(std::move(opened), live->device, parent_device, same_type ? stored : std::nullopt, is_given);
  }

  void enter(UniqueFd directory, std::uint64_t device, std::uint64_t parent_device, const std::optional<Entry>& stored,
             IsGiven is_given) {
    Level level{here_ == "/" ? 0 : here_.size(), {}, device};
    if (stored) {
      level.cursor.emplace(snapshot_.loader(), *stored->directory);
      advance(level);
    }
    if (device != parent_device && !level.stored && is_given == IsGiven::no) return;
    try {
      level.names = source::list_directory(directory.get(), here_);
    } catch (const Error& error) {
      return unreadable(error);
    }
    level.directory = std::move(directory);
    if (levels_.size() >= kDirectoriesOpen) levels_[levels_.size() - kDirectoriesOpen].directory = UniqueFd();
    levels_.push_back(std::move(level));
  }

  // Nothing when the file is longer than the snapshot's, and so another: a log that grew need not be read to its end.
  std::optional<crypto::Sha256> content_of(int fd, std::uint64_t size_bytes) {
    crypto::Sha256Stream hash;
    std::uint64_t left = size_bytes;
    for (;;) {
      check_stop();
      const std::size_t got = read_full(fd, buffer_.span(), printable(here_));
      if (got > left) return std::nullopt;
      left -= got;
      hash.update(buffer_.span().first(got));
      if (got < buffer_.capacity()) return hash.finish();
    }
  }

  SnapshotTree& snapshot_;
  const OnDifference& on_difference_;
  const std::stop_token& stop_;
  PageBuffer buffer_;
  std::string here_;
  std::vector<Level> levels_;
};

}  // namespace

void compare_snapshots(SnapshotTree& before, SnapshotTree& after, const std::vector<std::string>& paths,
                       const OnDifference& on_difference) {
  SnapshotComparison comparison(before, after, on_difference);
  for (const std::string& path : normal_paths(paths)) comparison.compare(path);
}

void compare_live(SnapshotTree& snapshot, const std::vector<std::string>& paths, const OnDifference& on_difference,
                  std::stop_token stop) {
  std::vector<std::string> chosen = paths;
  if (chosen.empty())
    for (const Bytes& path : snapshot.info().header.paths) chosen.push_back(to_string(path));
  LiveComparison comparison(snapshot, on_difference, stop);
  for (const std::string& path : normal_paths(chosen)) comparison.compare(path);
}

}  // namespace qcbak
