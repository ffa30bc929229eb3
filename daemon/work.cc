#include "daemon/work.h"

#include <linux/capability.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "backup/backup.h"
#include "backup/repository/collect.h"
#include "backup/source/capture.h"
#include "base/error.h"
#include "daemon/journal.h"
#include "daemon/kept_files.h"
#include "daemon/message_log.h"
#include "daemon/own_jobs.h"
#include "daemon/retention.h"
#include "daemon/root_config.h"
#include "daemon/shell.h"
#include "daemon/work_channel.h"
#include "daemon/work_order.h"

namespace qcbak::daemon {
namespace {

using Json = nlohmann::json;

constexpr auto kProgressPause = std::chrono::seconds(1);

// The state in which nothing need be committed.
std::optional<crypto::Sha256> unless_state(const WorkOrder& order, const repository::Repository& repository) {
  if (order.unless_state.empty()) return std::nullopt;
  const auto& snapshots = repository.log().snapshots;
  const auto found = snapshots.find(repository::SnapshotId(from_hex(order.unless_snapshot)));
  if (found == snapshots.end() || found->second.tombstone_number != 0) return std::nullopt;
  return crypto::Sha256(from_hex(order.unless_state));
}

// Is the copy what the source is now? The snapshot is committed: whatever is wrong here is no failure of the run.
std::optional<Reconciliation> look_through(const repository::WriteContext& context, BackupOptions options,
                                           const BackupResult& backed_up, const std::stop_token& stop) {
  options.commit = BackupOptions::Commit::no;
  Progress unseen;
  try {
    return reconcile(backed_up, qcbak::backup(context, options, unseen, stop));
  } catch (const Error& error) {
    say(Level::warning, std::string("the source could not be compared with its copy: ") + error.what());
    return std::nullopt;
  }
}

WorkResult back_up(const WorkOrder& order, Progress& progress, const std::stop_token& stop) {
  const Vault vault = open_vault(order.vault);
  repository::Repository& repository = *vault.repository;
  const bool own = order.kind != WorkOrder::Kind::back_up;
  const repository::DomainKeys& domain = own ? own_domain(repository) : repository.domain(order.job.domain);
  std::optional<KeptFiles> kept_files;
  if (own) kept_files.emplace(order, repository, stop);
  BackupOptions options;
  options.paths = order.job.source.paths;
  options.host = source::host_name();
  options.labels = order.job.labels;
  options.labels.emplace_back("job", order.job.name);
  options.labels.emplace_back("run", order.run);
  std::sort(options.labels.begin(), options.labels.end());
  for (const std::string& pattern : order.job.source.exclude) options.excludes.add(pattern);
  if (order.job.source.one_file_system) options.file_systems = BackupOptions::FileSystems::one;
  options.unless_state = unless_state(order, repository);
  options.read_limit_bytes_per_s = order.job.read_limit_bytes_per_s;

  const SystemClock clock;
  SystemRandom random;
  const repository::WriteContext context{*vault.storage, repository, domain, clock, random};
  JournalEntry journal;
  journal.before = source::look_at(options.paths);
  journal.result = qcbak::backup(context, options, progress, stop);
  WorkResult work;
  if (journal.result.snapshot != repository::SnapshotId()) {
    work.snapshot = journal.result.snapshot.hex();
    work.outcome = journal.result.findings.empty() ? Outcome::complete : Outcome::incomplete;
    journal.snapshot_sha256 = repository.log().snapshots.at(journal.result.snapshot).object.hex();
    journal.copies = {order.vault.location};
    journal.reconciliation = look_through(context, options, journal.result, stop);
  } else {
    work.outcome = Outcome::unchanged;
  }
  journal.after = source::look_at(options.paths);
  journal.kept = apply_retention(context, order.job);
  work.summary = json_of(journal).dump(-1, ' ', false, Json::error_handler_t::replace);
  return work;
}

WorkResult collect(const WorkOrder& order, const std::stop_token& stop) {
  const Vault vault = open_vault(order.vault);
  const SystemClock clock;
  SystemRandom random;
  repository::CollectResult total;
  for (const repository::DomainKeys& domain : vault.repository->domains())
    total += repository::collect({*vault.storage, *vault.repository, domain, clock, random}, {}, stop);
  WorkResult work;
  work.outcome = Outcome::complete;
  if (!total.packs_damaged.empty())
    work.error = std::to_string(total.packs_damaged.size()) + " packs are damaged and left as they are; next: qcbak verify";
  else if (total.space == repository::CollectResult::Space::too_little)
    work.error = "there is too little space to rewrite packs";
  if (!work.error.empty()) work.outcome = Outcome::incomplete;
  work.summary = Json{{"packs_rewritten", total.packs_rewritten},
                      {"packs_removed", total.packs_removed},
                      {"bytes_freed", total.bytes_freed}}
                     .dump();
  return work;
}

WorkResult failure(const Error& error) {
  WorkResult result;
  result.outcome = error.code() == ErrorCode::interrupted ? Outcome::interrupted : Outcome::failed;
  result.error = error.what();
  if (!error.hint().empty()) result.error += "; " + error.hint();
  return result;
}

// The job with its commands around it. The one after it runs whatever came of it.
WorkResult run(const WorkOrder& order, Progress& progress, const std::stop_token& stop) {
  const config::Job& job = order.job;
  std::vector<std::pair<std::string, std::string>> environment{{"QCBAK_JOB", job.name}, {"QCBAK_RUN", order.run}};
  WorkResult result;
  try {
    if (!job.before.empty())
      in_context("the command before it", [&] { run_shell(job.before, environment, job.command_limit_ns, stop); });
    result = order.kind == WorkOrder::Kind::collect ? collect(order, stop) : back_up(order, progress, stop);
  } catch (const Error& error) {
    result = failure(error);
  } catch (const std::exception& error) {
    result.error = error.what();
  }
  if (job.after.empty()) return result;
  environment.emplace_back("QCBAK_OUTCOME", std::string(name_of(result.outcome)));
  environment.emplace_back("QCBAK_SNAPSHOT", result.snapshot);
  try {
    // Also when the run was stopped: it may have to start again what the one before stopped.
    in_context("the command after it", [&] { run_shell(job.after, environment, job.command_limit_ns, {}); });
  } catch (const Error& error) {
    // What is committed stays so; that the source may not be as it was is worth as much as a file not read.
    if (result.outcome == Outcome::complete || result.outcome == Outcome::unchanged)
      result.outcome = result.snapshot.empty() ? Outcome::failed : Outcome::incomplete;
    if (result.error.empty()) result.error = error.what();
  }
  return result;
}

// The appliance's own data are its user's: what is done with them needs no right to read what is somebody else's, and a link
// put in their place leads nowhere.
void drop_capabilities() {
  if (::geteuid() == 0) return;
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) throw_errno("give up", "ambient capabilities");
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) throw_errno("give up", "capabilities");
}

WorkOrder order_by_config(const WorkOrder& order, const std::string& path) {
  const config::Config config = read_root_config(path, order.config_sha256);
  WorkOrder checked;
  checked.kind = order.kind;
  checked.run = order.run;
  checked.reason = order.reason;
  checked.unless_state = order.unless_state;
  checked.unless_snapshot = order.unless_snapshot;
  checked.config_sha256 = order.config_sha256;
  checked.vault = vault_place(config);
  checked.config_file = path;
  checked.state_dir = config.daemon.state_dir;
  std::vector<config::Job> jobs = own_jobs(config);
  jobs.insert(jobs.end(), config.jobs.begin(), config.jobs.end());
  for (const config::Job& job : jobs)
    if (job.name == order.job.name && kind_of(job.name) == order.kind) {
      checked.job = job;
      return checked;
    }
  throw Error(ErrorCode::refused, "the configuration has no job \"" + order.job.name + "\"");
}

}  // namespace

int work(int socket, const std::string& config) {
  crypto::initialize();
  std::optional<LineWithLock> received;
  WorkOrder order;
  try {
    if (!config.empty()) require_user(socket, ::geteuid());
    received = receive_with_lock(socket);
    order = decode_order(received->line);
    if (!config.empty()) order = order_by_config(order, config);
    if (order.kind != WorkOrder::Kind::back_up) drop_capabilities();
  } catch (const Error& error) {
    say(Level::error, std::string("a worker refused its order: ") + error.what());
    try {
      send_all(socket, encode_result(failure(error)));
    } catch (const Error&) {
      // Nobody is there to hear it.
    }
    return 1;
  }

  std::stop_source stop;
  // Whatever comes from the daemon now means "stop": its end is closed for writing, or it is gone.
  std::jthread listener([&](const std::stop_token& done) {
    while (!done.stop_requested()) {
      pollfd wait{socket, POLLIN, 0};
      constexpr int kPollMs = 200;
      if (::poll(&wait, 1, kPollMs) > 0) {
        stop.request_stop();
        return;
      }
    }
  });
  Progress progress;
  std::mutex mutex;
  std::condition_variable_any ended;
  std::jthread reporter([&](const std::stop_token& done) {
    std::unique_lock lock(mutex);
    while (!ended.wait_for(lock, done, kProgressPause, [] { return false; }) && !done.stop_requested()) {
      try {
        send_all(socket, encode_progress({progress.done_bytes, progress.done_files, progress.problems}));
      } catch (const Error&) {
        stop.request_stop();
        return;
      }
    }
  });
  const WorkResult result = run(order, progress, stop.get_token());
  reporter.request_stop();
  reporter.join();
  try {
    send_all(socket, encode_result(result));
  } catch (const Error&) {
    return 1;  // the next daemon finds the snapshot, if there is one, by its label
  }
  return 0;
}

}  // namespace qcbak::daemon
