#include "daemon/appliance.h"

#include <systemd/sd-daemon.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "backup/repository/writer.h"
#include "backup/source/capture.h"
#include "backup/storage/local_directory.h"
#include "base/error.h"
#include "daemon/credential.h"
#include "daemon/message_log.h"
#include "daemon/own_jobs.h"
#include "daemon/plan.h"
#include "daemon/recall.h"
#include "daemon/request_target.h"

namespace qcbak::daemon {
namespace {

namespace asio = boost::asio;

// A worker of a daemon that died stops within moments; a command of its job may take a while.
constexpr std::int64_t kRepositoryWait_ms = 60'000;
constexpr std::int64_t kSecond = 1'000'000'000;
// The wall clock may be set meanwhile, and sources may come and go unseen.
constexpr std::int64_t kLookAgain_ns = 5 * kSecond;

const SystemClock& clock_() {
  static const SystemClock clock;
  return clock;
}

std::string text(const Run& run) {
  return "job " + run.job + ", run " + run.id.substr(0, 8) + " (" + std::string(name_of(run.reason)) +
         (run.tries > 1 ? ", try " + std::to_string(run.tries) : "") + ")";
}

// Of the source, as the run's worker told it; empty: not known.
std::string state_in(const Run& run) {
  if (run.outcome != Outcome::complete) return "";
  const auto summary = nlohmann::json::parse(run.summary, nullptr, false);
  return summary.is_object() ? summary.value("state", "") : "";
}

}  // namespace

Appliance::Active::Active(const Run& its_run, const WorkOrder& order, const std::string& workers, int lock,
                          asio::io_context& loop)
    : run(its_run), worker(order, workers, lock), readable(loop, ::dup(worker.descriptor())) {}

Appliance::Appliance(config::Config config, Neighbours neighbours)
    : config_(std::move(config)), config_sha256_(sha256_of(config_)), neighbours_(std::move(neighbours)), started_(clock_().now()), signals_(loop_), timer_(loop_), watchdog_(loop_) {
  if (config_.daemon.role == config::DaemonRole::replica)
    throw Error(ErrorCode::unsupported, "daemon.role = \"replica\" is not in this version");
  if (somebody_answers(config_.daemon.socket))
    throw Error(ErrorCode::busy, "another qcbakd answers at " + config_.daemon.socket);
  make_directories(config_.daemon.state_dir);
  {
    const auto storage = storage::open_local_directory(config_.repository.location);
    lock_ = repository::lock_for_writing(*storage, clock_(), kRepositoryWait_ms, [] {
      say(Level::info, "waiting for another process that is writing to the repository");
    });
  }
  vault_ = open_vault(vault_place(config_));
  audit_ = std::make_unique<AuditLog>(vault_, clock_(), random_);
  audit_->daemon_started(config_sha256_);
  repository_id_ = vault_.repository->config_hash().hex();
  state_ = open_state();
  register_ = std::make_unique<Register>(state_->database());
  register_->catch_up(*vault_.repository);
  settle_past();
  plan_jobs(started_);
  telling_ = std::make_unique<Telling>(
      loop_,
      Telling::Daemon{config_, config_sha256_, jobs_, *state_, vault_, *audit_, *register_,
                      [this]() -> const std::set<std::string>& { return watch_->incomplete(); }, held_, plan_approved_},
      neighbours_.messengers);
  admission_ = std::make_unique<Admission>(loop_, Admission::Daemon{config_, *audit_, *register_, clock_(), random_,
                                                                    [this] { register_->catch_up(*vault_.repository); }});
  listen();
}

void Appliance::listen() {
  const std::string& socket = config_.daemon.socket;
  make_directories(socket.substr(0, socket.rfind('/')));
  server_ = std::make_unique<Server>(
      loop_, socket, Server::Peers::programs, [this](int peer) { return identify(peer, config_.roles); },
      [this](Request& request, const Caller& caller, const Server::Respond& respond) { handle(request, caller, respond); });
  if (config_.serve.listen.empty()) return;
  gateway_server_ = std::make_unique<Server>(
      loop_, config::gateway_socket(config_), Server::Peers::gateway, [this](int peer) { return identify_gateway(peer); },
      [this](Request& request, const Caller& peer, const Server::Respond& respond) { handle_remote(request, peer, respond); });
}

Appliance::~Appliance() = default;

// One that is damaged is put aside: what the repository knows of the runs is taken from there.
std::unique_ptr<State> Appliance::open_state() const {
  const std::string path = config_.daemon.state_dir + "/state.db";
  try {
    return std::make_unique<State>(path);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::damaged) throw;
    const std::string aside = path + ".damaged-" + std::to_string(clock_().now().ns / kSecond);
    if (::rename(path.c_str(), aside.c_str()) != 0) throw_errno("put aside", path);
    ::unlink((path + "-wal").c_str());
    ::unlink((path + "-shm").c_str());
    say(Level::error, std::string(error.what()) + "; it was put aside as " + aside +
                          " and is made anew from the repository: runs that left no snapshot are missing from it");
    return std::make_unique<State>(path);
  }
}

// Runs that an earlier daemon began and did not see the end of; and runs that only the repository knows of.
void Appliance::settle_past() {
  if (state_->empty()) {
    const std::uint64_t recalled = recall_from_log(*state_, *vault_.repository);
    if (recalled > 0)
      say(Level::warning, "the state database is new, and has " + std::to_string(recalled) +
                              " runs from the log; their lists of files that could not be read are missing");
  }
  const SnapshotsByRun snapshots = snapshots_by_run(*vault_.repository);
  for (Run& run : state_->unfinished()) {
    run.ended = clock_().now();
    run.outcome = Outcome::interrupted;
    if (const auto found = snapshots.find(run.id); found != snapshots.end()) end_by_snapshot(run, found->second);
    audit_->run_ended(run);
    state_->end(run);
    say(Level::warning, text(run) + " was in work when the daemon ended: " + std::string(name_of(*run.outcome)));
  }
  recall_from_snapshots(*state_, snapshots);
}

void Appliance::plan_jobs(Time now) {
  jobs_ = config_.jobs;
  for (config::Job& job : own_jobs(config_)) jobs_.push_back(std::move(job));
  scheduler_ = std::make_unique<Scheduler>(jobs_, *state_, random_, now);
  for (const auto& [id, active] : active_) scheduler_->resume(active->run);
  if (alone_) scheduler_->resume(*alone_);
  hold_jobs();
  changes_.reset();
  watch_ = std::make_unique<TreeWatch>();
  for (const config::Job& job : config_.jobs) {
    if (!job.on_change) continue;
    std::vector<std::string> paths;
    for (const std::string& path : job.source.paths) paths.push_back(source::resolve_path(path));
    source::Patterns excludes;
    for (const std::string& pattern : job.source.exclude) excludes.add(pattern);
    watch_->add(job.name, paths, std::move(excludes));
    if (watch_->incomplete().contains(job.name))
      say(Level::warning, "job " + job.name + ": not everything below its paths can be watched for changes");
  }
  changes_ = std::make_unique<asio::posix::stream_descriptor>(loop_, ::dup(watch_->descriptor()));
  wait_for_changes();
}

// Those that the plan in force does not have as they are.
void Appliance::hold_jobs() {
  held_.clear();
  const std::optional<Plan> plan = register_->in_force();
  plan_approved_ = plan.has_value();
  PlanTerms approved;
  std::string unless_in_it = "the approved plan does not have it";
  try {
    if (plan) approved = plan_terms(plan->document);
  } catch (const Error& error) {
    unless_in_it = std::string("the approved plan cannot be used: ") + error.what();
  }
  for (const config::Job& job : config_.jobs) {
    const auto terms = approved.find(job.name);
    if (!plan && config_.approval.wait_for_first_plan) held_[job.name] = "no plan has been approved yet";
    else if (plan && terms == approved.end()) held_[job.name] = unless_in_it;
    else if (plan && !is_as_approved(job, config_, terms->second)) held_[job.name] = "the approved plan has it otherwise";
  }
  std::set<std::string> names;
  for (const auto& [job, why] : held_) {
    names.insert(job);
    say(Level::warning, "job " + job + " is held: " + why);
  }
  scheduler_->hold(std::move(names));
}

// Of what has happened already: that it cannot be written down changes nothing about it.
void Appliance::note(const std::function<void()>& write) {
  try {
    write();
  } catch (const Error& error) {
    say(Level::error, error.what());
  }
}

void Appliance::run() {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) signals_.add(signal);
  wait_for_signal();
  watchdog();
  look();
  say(Level::info, "ready");
  sd_notify(0, "READY=1");
  loop_.run();
  note([&] { audit_->daemon_stops(); });
  say(Level::info, "stopped");
}

void Appliance::wait_for_signal() {
  signals_.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    if (signal == SIGHUP) reload();
    else stop();
    if (!stopping_) wait_for_signal();
  });
}

// What is wrong leaves everything as it was.
void Appliance::reload() {
  sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", static_cast<long long>(clock_().monotonic_ns() / 1000));
  try {
    config::Config config = config::read(config_.file);
    if (config.daemon.state_dir != config_.daemon.state_dir || config.daemon.socket != config_.daemon.socket ||
        config.daemon.role != config_.daemon.role || config.repository.location != config_.repository.location ||
        config.serve.listen.empty() != config_.serve.listen.empty())
      throw Error(ErrorCode::usage, config_.file +
                                        ": state_dir, socket, role, the repository's location, and whether there is "
                                        "[serve] change at a restart");
    const std::string sha256 = sha256_of(config);
    audit_->configuration_read(sha256);
    config_ = std::move(config);
    config_sha256_ = sha256;
    plan_jobs(clock_().now());
    telling_->config_changed();
    say(Level::info, "the configuration was read again");
  } catch (const Error& error) {
    say(Level::error, std::string(error.what()) + "; the running configuration stays");
    note([&] { audit_->configuration_refused(error.what()); });
  }
  sd_notify(0, "READY=1");
  look();
}

void Appliance::stop() {
  if (stopping_) return;
  stopping_ = true;
  sd_notify(0, "STOPPING=1");
  say(Level::info, active_.empty() ? "stopping" : "stopping, when runs in work have ended");
  boost::system::error_code ignored;
  signals_.cancel(ignored);
  timer_.cancel();
  if (changes_) changes_->cancel(ignored);
  server_->stop();
  if (gateway_server_) gateway_server_->stop();
  telling_->stop();
  for (const auto& [id, active] : active_) active->worker.stop();
  if (active_.empty()) watchdog_.cancel();
}

void Appliance::wait_for_changes() {
  changes_->async_wait(asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
    if (error || stopping_) return;
    const Time now = clock_().now();
    for (const std::string& job : watch_->read()) scheduler_->changed(job, now);
    look();
    wait_for_changes();
  });
}

void Appliance::wait_for_worker(Active& active) {
  active.readable.async_wait(asio::posix::stream_descriptor::wait_read,
                             [this, &active](const boost::system::error_code& error) {
                               if (error) return;
                               if (const auto result = active.worker.receive()) finish(active, *result);
                               else wait_for_worker(active);
                             });
}

// A collection is alone; it waits for what is in work, and what becomes due then waits for it.
bool Appliance::may_start() const {
  return active_.size() < kWorkersLimit && !alone_ &&
         std::none_of(active_.begin(), active_.end(), [](const auto& each) { return each.second->run.job == kCollectJob; });
}

void Appliance::look() {
  if (stopping_) return;
  note([&] { admission_->look(); });
  while (may_start()) {
    const auto run = scheduler_->start(clock_().now());
    if (!run) break;
    if (run->job == kCollectJob) alone_ = run;
    else start(*run);
  }
  if (alone_ && active_.empty()) start(*std::exchange(alone_, std::nullopt));
  wait_for_time();
}

void Appliance::wait_for_time() {
  const Time now = clock_().now();
  std::int64_t pause = kLookAgain_ns;
  if (const auto next = scheduler_->next(now); next && may_start())
    pause = std::clamp(next->ns - now.ns, std::int64_t{0}, kLookAgain_ns);
  timer_.expires_after(std::chrono::nanoseconds(pause));
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || stopping_) return;
    for (const std::string& job : watch_->refresh()) scheduler_->changed(job, clock_().now());
    look();
  });
}

void Appliance::start(const Run& run) {
  const auto job =
      std::find_if(jobs_.begin(), jobs_.end(), [&](const config::Job& each) { return each.name == run.job; });
  check(job != jobs_.end(), "the scheduler knows these jobs");
  try {
    WorkOrder order;
    order.kind = kind_of(run.job);
    order.run = run.id;
    order.reason = run.reason;
    order.vault = vault_place(config_);
    order.job = *job;
    order.config_sha256 = config_sha256_;
    order.config_file = config_.file;
    order.state_dir = config_.daemon.state_dir;
    if (run.reason == Reason::change) {
      if (const auto last = state_->last_commit(run.job)) {
        order.unless_state = state_in(*last);
        order.unless_snapshot = last->snapshot;
      }
    }
    audit_->run_begins(run);
    auto active = std::make_unique<Active>(run, order, neighbours_.workers, lock_->descriptor(), loop_);
    wait_for_worker(*active);
    active_.emplace(run.id, std::move(active));
    say(Level::info, text(run) + " started");
  } catch (const Error& error) {
    Run failed = run;
    failed.ended = clock_().now();
    failed.outcome = Outcome::failed;
    failed.error = error.what();
    note([&] { audit_->run_ended(failed); });
    scheduler_->ended(failed);
    telling_->look();
    say(Level::error, text(run) + " could not be started: " + error.what());
  }
}

void Appliance::finish(Active& active, const WorkResult& result) {
  Run run = active.run;
  run.ended = clock_().now();
  run.outcome = result.outcome == Outcome::interrupted && active.cancelled ? Outcome::cancelled : result.outcome;
  run.snapshot = result.snapshot;
  run.error = result.error;
  run.summary = result.summary;
  note([&] { audit_->run_ended(run); });
  const auto again = scheduler_->ended(run);
  std::string what = text(run) + ": " + std::string(name_of(*run.outcome));
  if (!run.snapshot.empty()) what += ", snapshot " + run.snapshot.substr(0, 16);
  if (!run.error.empty()) what += ": " + run.error;
  if (again && !stopping_) what += "; tried again at " + format_time(*again);
  say(succeeded(*run.outcome) ? Level::info : Level::error, what);
  active_.erase(run.id);
  telling_->look();
  if (stopping_ && active_.empty()) watchdog_.cancel();
  look();
}

void Appliance::watchdog() {
  std::uint64_t limit_us = 0;
  if (sd_watchdog_enabled(0, &limit_us) <= 0) return;
  sd_notify(0, "WATCHDOG=1");
  watchdog_.expires_after(std::chrono::microseconds(limit_us / 2));
  watchdog_.async_wait([this](const boost::system::error_code& error) {
    if (!error) watchdog();
  });
}

ApiView Appliance::view() {
  return {
      config_, jobs_, *state_, *scheduler_, started_,
      [this](const std::string& run) -> std::optional<WorkProgress> {
        const auto found = active_.find(run);
        if (found == active_.end()) return std::nullopt;
        return found->second->worker.progress();
      },
      [this](const std::string& run) {
        const auto found = active_.find(run);
        if (found == active_.end()) return false;
        found->second->cancelled = true;
        found->second->worker.stop();
        return true;
      },
      [this] { look(); },
      *audit_,
      *register_,
      held_,
      [this] {
        register_->catch_up(*vault_.repository);
        hold_jobs();
        loop_.post([this] { look(); });
      },
      repository_id_,
      random_,
      *vault_.storage,
      server_->connections() + (gateway_server_ ? gateway_server_->connections() : 0),
      *telling_,
      *admission_};
}

// Root, the daemon's own user, and the gateway's: others would say for themselves where they come from.
Caller Appliance::identify_gateway(int socket) const {
  Caller peer = identify(socket, {});
  const auto gateway = neighbours_.gateway_user.empty() ? std::nullopt : user_id(neighbours_.gateway_user);
  if (peer.uid != 0 && peer.uid != ::geteuid() && peer.uid != gateway)
    throw Error(ErrorCode::refused, "user " + peer.name + " is no gateway");
  return peer;
}

void Appliance::handle(Request& request, const Caller& caller, const Server::Respond& respond) {
  const bool about_password = request.method == "POST" && request.target.starts_with("/v1/people/") && request.target.ends_with("/password");
  const RequestTarget target = about_password ? parse_target(request.target) : RequestTarget{};
  if (target.path.size() == 4) admission_->change_password(target.path[2], request, caller, respond);
  else respond(answer(view(), request, caller, clock_().now()));
}

void Appliance::handle_remote(Request& request, const Caller& peer, const Server::Respond& respond) {
  if (has_metrics_token(request)) return respond(metrics_reply(view(), clock_().now()));
  if (const auto caller = admission_->admit(request, peer.address, respond)) handle(request, *caller, respond);
}

bool Appliance::has_metrics_token(const Request& request) const {
  if (request.method != "GET" || request.target != "/metrics" || config_.serve.metrics_token.empty() || request.token.empty())
    return false;
  const crypto::SecretBytes token = read_first_line(credential_path(config_.serve.metrics_token));
  return crypto::equal_in_constant_time(token.view(), as_bytes(request.token));
}

}  // namespace qcbak::daemon
