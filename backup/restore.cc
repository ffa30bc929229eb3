#include "backup/restore.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <map>
#include <set>
#include <tuple>

#include "backup/browse.h"
#include "backup/content_writer.h"
#include "backup/read_back.h"
#include "backup/source/capture.h"
#include "base/error.h"

namespace qcbak {
namespace {

using repository::Entry;
using repository::EntryType;

// How much is planned before it is written, while as much is being written: bounds the memory of a restore of millions of
// files.
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
      walk(from, *entry);
      if (wanted(from, true) || options_.includes.empty()) directories_.emplace_back("", entry->metadata);
    } else {
      place(from.substr(from.rfind('/') + 1), *entry);
    }
    write_window();
    finish_window();
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
    repository::Metadata metadata;
    bool made;
    bool empty;  // when this run came to it: made by it
    repository::DirectoryCursor entries;
    std::set<std::string> names{};  // of all entries, for --delete
    bool complete = true;           // all of its entries could be read
  };

  bool wanted(const std::string& from, bool is_directory) const {
    return (options_.includes.empty() || options_.includes.matches(from, is_directory)) &&
           !options_.excludes.matches(from, is_directory);
  }

  // False when it failed, which then is a finding.
  template <class Body>
  bool attempt(const std::string& path, Body&& body) {
    try {
      body();
      return true;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::interrupted || error.code() == ErrorCode::no_space) throw;
      content_.add_finding(path, error.code() == ErrorCode::damaged ? RestoreFinding::Kind::damaged
                                                                    : RestoreFinding::Kind::failed,
                           error.what());
      return false;
    }
  }

  // The directories that lead to the innermost one, and it itself.
  void make_levels() {
    if (levels_.back().made) return;
    for (Level& level : levels_) {
      if (level.made) continue;
      level.empty = make_directory(level.to);
      directories_.emplace_back(level.to, level.metadata);
      ++result.directories;
      level.made = true;
    }
  }

  bool make_directory(const std::string& to) {
    if (options_.overwrite == RestoreOptions::Overwrite::never &&
        type_at(to).value_or(EntryType::directory) != EntryType::directory)
      throw Error(ErrorCode::refused, "something that is no directory exists there already");
    return target_.make_directory(to);
  }

  // Not by recursion: how deep a snapshot goes is its maker's choice.
  void walk(const std::string& from, const Entry& top) {
    levels_.push_back({from, "", top.metadata, true, false, {tree_.loader(), *top.directory}});
    std::optional<Error> first_damage;
    bool any = false;
    while (!levels_.empty()) {
      if (stop_.stop_requested()) throw Error(ErrorCode::interrupted, "the restore was stopped");
      Level& level = levels_.back();
      std::optional<Entry> entry;
      const bool readable = attempt(level.to, [&] {
        try {
          entry = level.entries.next();
        } catch (const Error& error) {
          if (!first_damage) first_damage = error;
          throw;
        }
      });
      if (!readable) {
        // What of the directory can be read is restored.
        level.complete = false;
      } else if (entry) {
        any = true;
        attempt(join(level.to, entry->name), [&] { handle(*entry); });
      } else {
        if (removes_extra() && level.made && level.complete) remove_others(level);
        levels_.pop_back();
      }
    }
    if (first_damage && !any) throw *first_damage;
  }

  void handle(const Entry& entry) {
    Level& level = levels_.back();
    if (removes_extra()) level.names.insert(entry.name);
    const std::string from = level.from == "/" ? "/" + entry.name : level.from + "/" + entry.name;
    const bool is_directory = entry.metadata.type == EntryType::directory;
    if (options_.excludes.matches(from, is_directory)) return;
    if (!is_directory) {
      if (!wanted(from, false)) return;
      make_levels();
      place(join(level.to, entry.name), entry);
      return;
    }
    const bool itself = wanted(from, true);
    if (!itself && !options_.includes.may_match_below(from)) return;
    if (levels_.size() > std::size_t(repository::kTreeDepthLimit))
      throw Error(ErrorCode::damaged, "directories nested too deeply");
    levels_.push_back({from, join(level.to, entry.name), entry.metadata, false, false, {tree_.loader(), *entry.directory}});
    if (!itself) return;
    try {
      make_levels();
    } catch (const Error&) {
      levels_.pop_back();
      throw;
    }
  }

  bool removes_extra() const {
    return options_.extra == RestoreOptions::Extra::remove && options_.includes.empty();
  }

  void remove_others(const Level& level) {
    attempt(level.to, [&] {
      const UniqueFd fd = target_.open_directory(level.to);
      for (const std::string& name : source::list_directory(fd.get(), level.to)) {
        const std::string from = level.from == "/" ? "/" + name : level.from + "/" + name;
        if (level.names.contains(name) || options_.excludes.matches(from, false) || options_.excludes.matches(from, true))
          continue;
        target_.remove_tree(join(level.to, name));
        ++result.removed;
      }
    });
  }

  // Nothing when there is no such entry.
  std::optional<EntryType> type_at(const std::string& to) const {
    const std::size_t slash = to.rfind('/');
    const std::string parent = slash == std::string::npos ? "" : to.substr(0, slash);
    const std::string name = slash == std::string::npos ? to : to.substr(slash + 1);
    try {
      const auto status = source::status_at(target_.open_directory(parent).get(), name.c_str(), to);
      if (status) return status->metadata.type;
    } catch (const Error&) {
    }
    return std::nullopt;
  }

  // A file, link or special entry.
  void place(const std::string& to, const Entry& entry) {
    const bool fresh = !levels_.empty() && levels_.back().empty;
    if (!fresh && options_.overwrite == RestoreOptions::Overwrite::never && type_at(to)) {
      content_.add_finding(to, RestoreFinding::Kind::skipped, "exists already");
      return;
    }
    if (!fresh) refuse_to_replace_device(to);
    if (!fresh && options_.extra == RestoreOptions::Extra::remove) remove_directory_in_the_way(to);
    const repository::Metadata& metadata = entry.metadata;
    const bool linked = metadata.link_count > 1;
    if (linked) {
      const auto [at, is_first] =
          first_names_.try_emplace({metadata.type, metadata.link_device, metadata.link_inode},
                                   FirstName{to, entry.sha256, metadata.link_target});
      if (!is_first) {
        if (at->second.sha256 != entry.sha256 || at->second.link_target != metadata.link_target)
          content_.add_finding(to, RestoreFinding::Kind::damaged, "has other content than what it is a link to");
        links_.emplace_back(to, at->second.path);
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
        if (fresh) plan->existing = FilePlan::Existing::none;
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

  // A file in the place of its device is not what somebody wants who restores an image to "/".
  void refuse_to_replace_device(const std::string& to) const {
    if (tree_.info().header.source == "image" && type_at(to) == EntryType::block_device)
      throw Error(ErrorCode::refused, "it is a device, which gets its image only where --target names it");
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

  // Starts writing what was planned; the next window is planned meanwhile.
  void write_window() {
    finish_window();
    writing_ = std::exchange(window_, {});
    parts_in_window_ = 0;
    written_ = std::async(std::launch::async, [this] { content_.write(writing_); });
  }
  void finish_window() {
    if (written_.valid()) written_.get();
    writing_.clear();
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
  std::vector<Level> levels_;
  struct FirstName {
    std::string path;
    std::optional<crypto::Sha256> sha256;
    Bytes link_target;
  };
  std::map<std::tuple<EntryType, std::uint64_t, std::uint64_t>, FirstName> first_names_;
  std::vector<std::pair<std::string, std::string>> links_;
  std::vector<std::pair<std::string, repository::Metadata>> linked_first_;
  std::vector<std::unique_ptr<FilePlan>> writing_;
  std::future<void> written_;  // last: waited for before anything it uses goes
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
