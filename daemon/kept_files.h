// What the daemon's own jobs back up, as files that are there for the time of a run.
#pragma once

#include <stop_token>
#include <string>

#include "backup/repository/repository.h"
#include "daemon/work_order.h"

namespace qcbak::daemon {

class KeptFiles {
 public:
  // Of the order's kind: a copy of the state database and the configuration, or an export of the log. In the directory that
  // is the only path of the order's job.
  KeptFiles(const WorkOrder& order, const repository::Repository& repository, const std::stop_token& stop);
  KeptFiles(const KeptFiles&) = delete;
  KeptFiles& operator=(const KeptFiles&) = delete;
  ~KeptFiles();

 private:
  void keep_state(const WorkOrder& order) const;
  void keep_log(const repository::Repository& repository, const std::stop_token& stop) const;
  std::string directory_;
};

}  // namespace qcbak::daemon
