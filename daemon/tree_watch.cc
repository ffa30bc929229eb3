#include "daemon/tree_watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/error.h"

namespace qcbak::daemon {
namespace {

constexpr std::uint32_t kEvents = IN_ATTRIB | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MODIFY | IN_MOVE_SELF |
                                  IN_MOVED_FROM | IN_MOVED_TO | IN_DONT_FOLLOW | IN_EXCL_UNLINK;
constexpr std::size_t kBuffer = 64U << 10;

std::string join(const std::string& directory, const std::string& name) {
  return directory == "/" ? "/" + name : directory + "/" + name;
}

std::vector<std::string> directories_in(const std::string& path) {
  std::vector<std::string> names;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return names;
  const int copy = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(copy < 0 ? nullptr : ::fdopendir(copy), ::closedir);
  if (!stream) return names;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat status {};
    if (entry->d_type == DT_DIR || (entry->d_type == DT_UNKNOWN &&
                                    ::fstatat(fd.get(), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                                    S_ISDIR(status.st_mode)))
      names.push_back(name);
  }
  return names;
}

}  // namespace

TreeWatch::TreeWatch() : inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (!inotify_) throw_errno("make", "an inotify instance");
}

void TreeWatch::add(const std::string& job, const std::vector<std::string>& paths, source::Patterns excludes) {
  wanted_[job] = {paths, std::move(excludes)};
  for (const std::string& path : paths) watch_tree(path, {job});
}

TreeWatch::Jobs TreeWatch::concerned(const Jobs& jobs, const std::string& path, Kind kind) const {
  Jobs concerned;
  for (const std::string& job : jobs)
    if (!wanted_.at(job).excludes.matches(path, kind == Kind::directory)) concerned.insert(job);
  return concerned;
}

// Nothing: it is not there, or cannot be watched.
std::optional<int> TreeWatch::watch_one(const std::string& path, const Jobs& jobs) {
  const int descriptor = ::inotify_add_watch(inotify_.get(), path.c_str(), kEvents);
  if (descriptor < 0) {
    if (errno == ENOSPC || errno == EACCES || errno == ENOMEM) incomplete_.insert(jobs.begin(), jobs.end());
    return std::nullopt;
  }
  Directory& known = directories_[descriptor];
  if (!known.path.empty() && known.path != path) by_path_.erase(known.path);
  known.path = path;
  known.jobs.insert(jobs.begin(), jobs.end());
  by_path_[path] = descriptor;
  return descriptor;
}

// Not by recursion: how deep they go is for whoever writes there to choose.
void TreeWatch::watch_tree(const std::string& path, const Jobs& jobs) {
  std::vector<std::pair<std::string, Jobs>> left{{path, jobs}};
  while (!left.empty()) {
    const auto [directory, for_jobs] = std::move(left.back());
    left.pop_back();
    if (!watch_one(directory, for_jobs)) continue;
    for (const std::string& name : directories_in(directory)) {
      const std::string below = join(directory, name);
      if (Jobs concerned_jobs = concerned(for_jobs, below, Kind::directory); !concerned_jobs.empty())
        left.emplace_back(below, std::move(concerned_jobs));
    }
  }
}

void TreeWatch::watch_all() {
  for (const auto& [job, wanted] : wanted_)
    for (const std::string& path : wanted.paths) watch_tree(path, {job});
}

void TreeWatch::forget(int descriptor) {
  const auto found = directories_.find(descriptor);
  if (found == directories_.end()) return;
  if (const auto path = by_path_.find(found->second.path); path != by_path_.end() && path->second == descriptor)
    by_path_.erase(path);
  directories_.erase(found);
}

// Of a directory that was moved away: its watches would go on under names that are wrong.
void TreeWatch::unwatch_tree(const std::string& path) {
  std::vector<int> gone;
  for (auto at = by_path_.lower_bound(path); at != by_path_.end() && at->first.starts_with(path); ++at)
    if (at->first == path || at->first.starts_with(join(path, ""))) gone.push_back(at->second);
  for (const int descriptor : gone) {
    ::inotify_rm_watch(inotify_.get(), descriptor);
    forget(descriptor);
  }
}

std::set<std::string> TreeWatch::read() {
  std::set<std::string> changed;
  alignas(inotify_event) std::array<char, kBuffer> buffer;
  for (;;) {
    const ssize_t size = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return changed;
    if (size <= 0) throw_errno("read", "inotify events");
    for (ssize_t at = 0; at < size;) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const std::string name = event.len > 0 ? std::string(buffer.data() + at + sizeof event) : "";
      at += static_cast<ssize_t>(sizeof event + event.len);
      if ((event.mask & IN_Q_OVERFLOW) != 0) {
        // What came and went meanwhile is not known.
        for (const auto& [job, wanted] : wanted_) changed.insert(job);
        watch_all();
        continue;
      }
      const auto found = directories_.find(event.wd);
      if (found == directories_.end()) continue;
      if ((event.mask & IN_IGNORED) != 0) {
        forget(event.wd);
        continue;
      }
      const Directory directory = found->second;
      if (name.empty()) {  // the directory itself, or a file that was given
        changed.insert(directory.jobs.begin(), directory.jobs.end());
        if ((event.mask & IN_MOVE_SELF) != 0) unwatch_tree(directory.path);
        continue;
      }
      const Kind kind = (event.mask & IN_ISDIR) != 0 ? Kind::directory : Kind::other;
      const std::string path = join(directory.path, name);
      const Jobs jobs = concerned(directory.jobs, path, kind);
      changed.insert(jobs.begin(), jobs.end());
      if (kind == Kind::other || jobs.empty()) continue;
      if ((event.mask & IN_MOVED_FROM) != 0) unwatch_tree(path);
      if ((event.mask & (IN_CREATE | IN_MOVED_TO)) != 0) watch_tree(path, jobs);
    }
  }
}

std::set<std::string> TreeWatch::refresh() {
  std::set<std::string> changed;
  for (const auto& [job, wanted] : wanted_) {
    for (const std::string& path : wanted.paths) {
      constexpr int kNone = -1;
      const auto known = by_path_.find(path);
      const int before = known != by_path_.end() ? known->second : kNone;
      if (watch_one(path, {job}).value_or(kNone) == before) continue;
      changed.insert(job);
      if (before != kNone) {
        ::inotify_rm_watch(inotify_.get(), before);
        forget(before);
      }
      unwatch_tree(path);
      watch_tree(path, {job});
    }
  }
  return changed;
}

}  // namespace qcbak::daemon
