#include "daemon/own_jobs.h"

#include "base/error.h"

namespace qcbak::daemon {
namespace {

constexpr std::int64_t kRetries = 3;
constexpr std::int64_t kRetryDelay_ns = 600'000'000'000;
constexpr std::int64_t kStatesDaily = 30;
constexpr std::int64_t kStatesMonthly = 24;

config::Job own_job(std::string_view name, const std::optional<config::Calendar>& schedule) {
  config::Job job;
  job.name = name;
  job.schedule = schedule;
  job.retries = kRetries;
  job.retry_delay_ns = kRetryDelay_ns;
  return job;
}

// What a job of these backs up is made in a directory of its own, for the time of the run.
config::Job keeping_job(std::string_view name, const std::string& kind, const std::optional<config::Calendar>& schedule,
                        const config::Config& config) {
  config::Job job = own_job(name, schedule);
  job.source.paths = {config.daemon.state_dir + "/kept/" + kind};
  job.labels = {{"kind", kind}};
  return job;
}

}  // namespace

std::vector<config::Job> own_jobs(const config::Config& config) {
  config::Job state = keeping_job(kStateJob, "state", config.daemon.state_backup, config);
  state.retention.daily = kStatesDaily;
  state.retention.monthly = kStatesMonthly;
  config::Job log = keeping_job(kLogJob, "log", config.daemon.log_backup, config);
  log.retention.within_ns = config.audit.keep_ns;
  return {own_job(kCollectJob, config.daemon.collect), std::move(state), std::move(log)};
}

const repository::DomainKeys& own_domain(const repository::Repository& repository) {
  const std::vector<repository::DomainKeys>& domains = repository.domains();
  check(!domains.empty(), "what was unlocked opens a domain");
  for (const repository::DomainKeys& domain : domains)
    if (domain.name == "system") return domain;
  return domains.front();
}

}  // namespace qcbak::daemon
