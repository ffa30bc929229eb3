#include "backup/open_file.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

namespace qcbak {
namespace {

// From this size on it is looked whether the page cache had the file, so that it is left as it was.
constexpr std::uint64_t kCacheCareBytes = 256U << 10;
// A file touched so shortly before it is read could be touched again meanwhile without its times showing it.
constexpr std::int64_t kSettledNs = 1'000'000'000;

bool same_file(const source::Status& a, const source::Status& b) {
  return a.inode == b.inode && a.device == b.device && a.metadata.size_bytes == b.metadata.size_bytes &&
         a.metadata.mtime_s == b.metadata.mtime_s && a.metadata.mtime_ns == b.metadata.mtime_ns &&
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

OpenFile::OpenFile(int directory_fd, const std::string& path)
    : path_(path),
      fd_(source::open_file_at(directory_fd, path.c_str() + path.rfind('/') + 1, path)),
      status_(source::status_of(fd_.get(), path)),
      opened_ns_(SystemClock().now().ns) {
  if (status_.metadata.type != repository::EntryType::file) throw Error(ErrorCode::not_found, "it was replaced");
  source::capture_details(fd_.get(), path, status_.metadata);
  leave_uncached_ = size_bytes() >= kCacheCareBytes && mostly_uncached(fd_.get(), size_bytes());
}

OpenFile::~OpenFile() {
  if (leave_uncached_) ::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_DONTNEED);
}

std::vector<source::Extent> OpenFile::data_extents() const {
  if (status_.allocated_bytes >= size_bytes()) return {{0, size_bytes()}};
  return source::data_extents(fd_.get(), size_bytes(), path_);
}

void OpenFile::conclude(pipeline::FileJob& job, Findings& findings) {
  if (job.parts.size() > repository::kFilePartsLimit)
    throw Error(ErrorCode::failed, "it is in more pieces than a file may have");
  std::uint64_t kept = 0;
  for (const repository::Part& part : job.parts) kept += part.length;
  job.outcome = pipeline::FileJob::Outcome::kept;
  if (!same_file(status_, source::status_of(fd_.get(), path_)) || kept != size_bytes()) {
    findings.add(path_, "changed while it was read: what is kept may be a mix of before and after");
    job.outcome = pipeline::FileJob::Outcome::kept_unsettled;
  }
  if (status_.ctime_s * 1'000'000'000 + status_.ctime_ns + kSettledNs > opened_ns_)
    job.outcome = pipeline::FileJob::Outcome::kept_unsettled;
  job.status = std::move(status_);
  job.status.metadata.size_bytes = kept;
}

}  // namespace qcbak
