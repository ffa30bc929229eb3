#include "daemon/kept_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "base/error.h"
#include "base/unique_fd.h"
#include "daemon/database.h"
#include "daemon/own_jobs.h"
#include "evidence/log_export.h"

namespace qcbak::daemon {
namespace {

constexpr std::size_t kConfigurationLimit = 1U << 20;
constexpr const char* kDatabase = "/state.db";
constexpr const char* kConfiguration = "/qcbak.toml";
constexpr const char* kLog = "/log.jsonl";

// What an earlier run left, or this one is done with.
void remove_files(const std::string& directory) {
  for (const char* name : {kDatabase, kConfiguration, kLog}) {
    const std::string path = directory + name;
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno("remove", path);
  }
}

}  // namespace

KeptFiles::KeptFiles(const WorkOrder& order, const repository::Repository& repository, const std::stop_token& stop)
    : directory_(order.job.source.paths.at(0)) {
  make_directories(directory_);
  remove_files(directory_);
  if (order.kind == WorkOrder::Kind::keep_state)
    keep_state(order);
  else
    keep_log(repository, stop);
}

KeptFiles::~KeptFiles() {
  try {
    remove_files(directory_);
  } catch (const Error&) {
    // The next run removes them.
  }
}

void KeptFiles::keep_state(const WorkOrder& order) const {
  Database(order.state_dir + "/state.db").copy_to(directory_ + kDatabase);
  write_file_durably(directory_ + kConfiguration, read_file(order.config_file, kConfigurationLimit));
}

void KeptFiles::keep_log(const repository::Repository& repository, const std::stop_token& stop) const {
  const std::string path = directory_ + kLog;
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) throw_errno("create", path);
  const SystemClock clock;
  evidence::export_log(
      repository, own_domain(repository), clock.now(), {},
      [&](std::string_view line) { write_full(file.get(), as_bytes(line), path); }, stop);
  file.close(path);
}

}  // namespace qcbak::daemon
