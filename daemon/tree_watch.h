// Tells that something changed below the paths of a job, by inotify(7): names, content, metadata; not reading. What it
// could not follow, for want of watches, after an overflow, or in a directory that came and went, counts as changed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backup/source/glob.h"
#include "base/unique_fd.h"

namespace qcbak::daemon {

class TreeWatch {
 public:
  TreeWatch();

  // Watches everything below `paths` (absolute), but for what is excluded, for `job`.
  void add(const std::string& job, const std::vector<std::string>& paths, source::Patterns excludes);
  // Readable when read() has something.
  int descriptor() const { return inotify_.get(); }
  // Jobs below whose paths something changed since the last call. Watches what is new. Does not block.
  std::set<std::string> read();
  // To be called now and then: is each path given still what is watched? The jobs of those that came, went or were
  // replaced, which the directory above would know, and that is not watched.
  std::set<std::string> refresh();
  // Jobs of which not everything is watched: the limit of watches is reached, or a directory cannot be read.
  const std::set<std::string>& incomplete() const { return incomplete_; }

 private:
  struct Wanted {
    std::vector<std::string> paths;
    source::Patterns excludes;
  };
  using Jobs = std::set<std::string>;
  struct Directory {
    std::string path;
    Jobs jobs;
  };
  enum class Kind { directory, other };
  Jobs concerned(const Jobs& jobs, const std::string& path, Kind kind) const;
  std::optional<int> watch_one(const std::string& path, const Jobs& jobs);
  void watch_tree(const std::string& path, const Jobs& jobs);
  void watch_all();
  void forget(int watch);
  void unwatch_tree(const std::string& path);

  UniqueFd inotify_;
  std::map<std::string, Wanted> wanted_;  // by job
  std::map<int, Directory> directories_;  // by watch descriptor
  std::map<std::string, int> by_path_;
  std::set<std::string> incomplete_;
};

}  // namespace qcbak::daemon
