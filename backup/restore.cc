#include "backup/restore.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "backup/browse.h"
#include "backup/content_writer.h"
#include "backup/read_back.h"
#include "backup/source/capture.h"
#include "base/error.h"

namespace qcbak {
namespace {

using repository::Entry;
using repository::EntryType;

// How much is planned before it is written: bounds the memory of a restore of millions of files.
constexpr std::size_t kFilesInWindow = 32U << 10;
constexpr std::size_t kPartsInWindow = 256U << 10;

std::string join(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + "/" + name;
}

class Restorer {
 public:
  Restorer(const repository::Repository& repository, const repository::DomainKeys& domain, SnapshotTree& tree,
           source::Target& target, const RestoreOptions& options, Progress& progress, const std::stop_token& stop)
      : tree_(tree),
        target_(target),
        options_(options),
        progress_(progress),
        stop_(stop),
        content_(repository, domain, target, options, progress, stop) {}

  void run() {
    const std::string from = normal_path(options_.path);
    const std::optional<Entry> entry = tree_.find(from);
    if (!entry) throw Error(ErrorCode::not_found, printable(from) + " is not in the snapshot");
    if (entry->metadata.type == EntryType::directory) {
      Level top{from, "", &*entry, true, nullptr};
      walk(top);
      if (wanted(from, true) || options_.includes.empty()) directories_.emplace_back("", entry->metadata);
    } else {
      const std::string name = from.substr(from.rfind('/') + 1);
      Level top{from, "", nullptr, true, nullptr};
      place(top, name, from, *entry);
    }
    write_window();
    make_links();
    // Children before parents: what is written into a directory changes its times.
    for (auto at = directories_.rbegin(); at != directories_.rend(); ++at)
      attempt(at->first, [&] { content_.report(at->first, target_.apply_metadata(at->first, at->second)); });
    result.bytes_written = content_.bytes_written();
  }

  RestoreResult result;
  ContentWriter& content() { return content_; }

 private:
  // A directory of the snapshot on the way down; made in the target when something below it is.
  struct Level {
    std::string from;  // absolute, in the snapshot
    std::string to;    // relative, in the target
    const Entry* entry;
    bool made;
    Level* parent;
  };

  bool wanted(const std::string& from, bool is_directory) const {
    return (options_.includes.empty() || options_.includes.matches(from, is_directory)) &&
           !options_.excludes.matches(from, is_directory);
  }

  template <class Body>
  void attempt(const std::string& path, Body&& body) {
    try {
      body();
    } catch (const Error& error) {
      if (error.code() == ErrorCode::interrupted || error.code() == ErrorCode::no_space) throw;
      content_.add_finding(path, error.code() == ErrorCode::damaged ? RestoreFinding::Kind::damaged
                                                                    : RestoreFinding::Kind::failed,
                           error.what());
    }
  }

  void make(Level& level) {
    if (level.made) return;
    make(*level.parent);
    target_.make_directory(level.to);
    directories_.emplace_back(level.to, level.entry->metadata);
    ++result.directories;
    level.made = true;
  }

  void walk(Level& level) {
    if (stop_.stop_requested()) throw Error(ErrorCode::interrupted, "the restore was stopped");
    std::set<std::string> names;
    const bool whole = remove_extra(level);
    repository::for_each_entry(tree_.loader(), *level.entry->directory, [&](Entry&& entry) {
      const std::string from = level.from == "/" ? "/" + entry.name : level.from + "/" + entry.name;
      const std::string to = join(level.to, entry.name);
      if (whole) names.insert(entry.name);
      const bool is_directory = entry.metadata.type == EntryType::directory;
      if (options_.excludes.matches(from, is_directory)) return;
      attempt(to, [&] {
        if (!is_directory) {
          if (wanted(from, false)) place(level, entry.name, from, entry);
          return;
        }
        const bool itself = wanted(from, true);
        if (!itself && !options_.includes.may_match_below(from)) return;
        Level below{from, to, &entry, false, &level};
        if (itself) make(below);
        walk(below);
      });
    });
    if (whole && level.made) remove_others(level, names);
  }

  bool remove_extra(const Level&) const {
    return options_.extra == RestoreOptions::Extra::remove && options_.includes.empty();
  }

  void remove_others(const Level& level, const std::set<std::string>& names) {
    attempt(level.to, [&] {
      const UniqueFd fd = target_.open_directory(level.to);
      for (const std::string& name : source::list_directory(fd.get(), level.to)) {
        const std::string from = level.from == "/" ? "/" + name : level.from + "/" + name;
        if (names.contains(name) || options_.excludes.matches(from, false) || options_.excludes.matches(from, true))
          continue;
        target_.remove_tree(join(level.to, name));
        ++result.removed;
      }
    });
  }

  bool exists(const std::string& to) const {
    const std::size_t slash = to.rfind('/');
    const std::string parent = slash == std::string::npos ? "" : to.substr(0, slash);
    const std::string name = slash == std::string::npos ? to : to.substr(slash + 1);
    try {
      return source::status_at(target_.open_directory(parent).get(), name.c_str(), to).has_value();
    } catch (const Error&) {
      return false;
    }
  }

  // A file, link or special entry.
  void place(Level& level, const std::string& name, const std::string&, const Entry& entry) {
    make(level);
    const std::string to = join(level.to, name);
    if (options_.overwrite == RestoreOptions::Overwrite::never && exists(to)) {
      content_.add_finding(to, RestoreFinding::Kind::skipped, "exists already");
      return;
    }
    if (options_.extra == RestoreOptions::Extra::remove) remove_directory_in_the_way(to);
    const repository::Metadata& metadata = entry.metadata;
    const bool linked = metadata.link_count > 1;
    if (linked) {
      const auto [first, is_first] = first_names_.try_emplace({metadata.link_device, metadata.link_inode}, to);
      if (!is_first) {
        links_.emplace_back(to, first->second);
        ++(metadata.type == EntryType::file ? result.files : result.others);
        ++progress_.done_files;
        return;
      }
      linked_first_.emplace_back(to, metadata);
    }
    switch (metadata.type) {
      case EntryType::file: {
        auto plan = std::make_unique<FilePlan>();
        plan->path = to;
        plan->entry = entry;
        plan->parts = tree_.parts(entry);
        if (linked) plan->metadata = FilePlan::Metadata::later;
        parts_in_window_ += plan->parts.size();
        result.bytes += metadata.size_bytes;
        ++result.files;
        ++progress_.done_files;
        window_.push_back(std::move(plan));
        if (window_.size() >= kFilesInWindow || parts_in_window_ >= kPartsInWindow) write_window();
        return;
      }
      case EntryType::symlink: target_.make_symlink(to, metadata.link_target); break;
      default: target_.make_special(to, metadata); break;
    }
    ++result.others;
    if (!linked) content_.report(to, target_.apply_metadata(to, metadata));
  }

  void remove_directory_in_the_way(const std::string& to) {
    try {
      const UniqueFd directory = target_.open_directory(to);
    } catch (const Error&) {
      return;
    }
    target_.remove_tree(to);
    ++result.removed;
  }

  void write_window() {
    content_.write(window_);
    window_.clear();
    parts_in_window_ = 0;
  }

  // An immutable file takes no further name, so its metadata comes after them.
  void make_links() {
    for (const auto& [to, first] : links_) attempt(to, [&] { target_.make_hard_link(to, first); });
    for (const auto& [to, metadata] : linked_first_)
      attempt(to, [&] { content_.report(to, target_.apply_metadata(to, metadata)); });
  }

  SnapshotTree& tree_;
  source::Target& target_;
  const RestoreOptions& options_;
  Progress& progress_;
  const std::stop_token& stop_;
  ContentWriter content_;
  std::vector<std::pair<std::string, repository::Metadata>> directories_;
  std::vector<std::unique_ptr<FilePlan>> window_;
  std::size_t parts_in_window_ = 0;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> first_names_;
  std::vector<std::pair<std::string, std::string>> links_;
  std::vector<std::pair<std::string, repository::Metadata>> linked_first_;
};

// What a restore would do, without a target.
void count_only(SnapshotTree& tree, const RestoreOptions& options, RestoreResult& result) {
  const std::string from = normal_path(options.path);
  const std::optional<Entry> entry = tree.find(from);
  if (!entry) throw Error(ErrorCode::not_found, printable(from) + " is not in the snapshot");
  const auto count = [&](const std::string& path, const Entry& at) {
    const bool is_directory = at.metadata.type == EntryType::directory;
    if (options.excludes.matches(path, is_directory)) return SnapshotTree::Descend::no;
    if (options.includes.empty() || options.includes.matches(path, is_directory)) {
      if (is_directory) ++result.directories;
      else if (at.metadata.type == EntryType::file) ++result.files, result.bytes += at.metadata.size_bytes;
      else ++result.others;
    }
    return SnapshotTree::Descend::yes;
  };
  if (entry->metadata.type == EntryType::directory) tree.walk(from, *entry, count);
  else count(from, *entry);
}

}  // namespace

RestoreResult restore(const repository::Repository& repository, const repository::SnapshotInfo& snapshot,
                      const RestoreOptions& options, Progress& progress, std::stop_token stop) {
  const SystemClock clock;
  const std::int64_t started_ns = clock.monotonic_ns();
  const repository::DomainKeys* domain = repository.find_domain(snapshot.state.domain);
  check(domain != nullptr, "a snapshot's header was opened by its domain's key");
  repository.require_reading(*domain);
  SnapshotTree tree(repository, snapshot);
  if (normal_path(options.path) == "/" && options.includes.empty()) {
    progress.total_bytes = snapshot.header.totals.bytes;
    progress.total_files = snapshot.header.totals.files;
  }
  RestoreResult result;
  if (options.write == RestoreOptions::Write::no) {
    count_only(tree, options, result);
    return result;
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  source::Target target(options.target);
  Restorer restorer(repository, *domain, tree, target, options, progress, stop);
  restorer.run();
  result = std::move(restorer.result);
  result.findings = std::move(restorer.content().findings());
  if (options.verify == RestoreOptions::Verify::yes) read_back(tree, target, options, progress, stop, result);
  result.duration_ns = clock.monotonic_ns() - started_ns;
  return result;
}

}  // namespace qcbak
