// A file of the source while it is read.
#pragma once

#include <string>

#include "backup/findings.h"
#include "backup/pipeline.h"

namespace qcbak {

class OpenFile {
 public:
  // Opens it and captures all of its metadata. Error(not_found) when it vanished or is a regular file no longer.
  // The path has to outlive this.
  OpenFile(int directory_fd, const std::string& path);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  const source::Status& status() const { return status_; }
  std::uint64_t size_bytes() const { return status_.metadata.size_bytes; }
  std::vector<source::Extent> data_extents() const;
  // After the last part: was the file the same all the time? Completes status and outcome of the job.
  void conclude(pipeline::FileJob& job, Findings& findings);

 private:
  const std::string& path_;
  UniqueFd fd_;
  source::Status status_;
  std::int64_t opened_ns_ = 0;
  bool leave_uncached_ = false;
};

}  // namespace qcbak
