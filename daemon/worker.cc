#include "daemon/worker.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "backup/backup.h"
#include "base/error.h"
#include "crypto/secret.h"
#include "backup/repository/collect.h"
#include "daemon/message_log.h"
#include "daemon/retention.h"
#include "daemon/shell.h"

namespace qcbak::daemon {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLineLimit = 4U << 20;
constexpr std::size_t kFindingsTold = 1000;
constexpr auto kProgressPause = std::chrono::seconds(1);
constexpr int kSocketOfWorker = 3;

std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json parse(std::string_view line) {
  try {
    return Json::parse(line);
  } catch (const Json::exception&) {
    throw Error(ErrorCode::failed, "a message between daemon and worker is not what it should be");
  }
}

template <class Reader>
auto read_message(std::string_view line, Reader&& reader) {
  const Json json = parse(line);
  try {
    return reader(json);
  } catch (const Json::exception&) {
    throw Error(ErrorCode::failed, "a message between daemon and worker lacks something");
  }
}

void send_all(int socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) throw_errno("write to", "the daemon");
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// The first byte brings the lock along.
void send_order(int socket, const std::string& line, int lock) {
  char first = line.front();
  iovec bytes{&first, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &lock, sizeof lock);
  if (::sendmsg(socket, &message, MSG_NOSIGNAL) != 1) throw_errno("write to", "the worker");
  send_all(socket, std::string_view(line).substr(1));
}

struct Received {
  std::string line;
  UniqueFd lock;
};

Received receive_order(int socket) {
  Received received;
  char first = 0;
  iovec bytes{&first, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1) throw Error(ErrorCode::interrupted, "the daemon is gone");
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) throw Error(ErrorCode::failed, "the order came without the lock");
  int lock = -1;
  std::memcpy(&lock, CMSG_DATA(header), sizeof lock);
  received.lock = UniqueFd(lock);
  received.line.push_back(first);
  while (received.line.back() != '\n') {
    std::array<char, 4096> buffer;
    const ssize_t got = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw Error(ErrorCode::interrupted, "the daemon is gone");
    received.line.append(buffer.data(), static_cast<std::size_t>(got));
    if (received.line.size() > kLineLimit) throw Error(ErrorCode::failed, "the order is too long");
  }
  return received;
}

std::string host_name() {
  char name[HOST_NAME_MAX + 1] = {};
  if (::gethostname(name, sizeof name - 1) != 0) throw_errno("find", "the name of this host");
  return name;
}

// Of "/" itself a reference root says nothing.
bool covers_root(const std::vector<std::string>& paths) {
  return std::find(paths.begin(), paths.end(), "/") != paths.end();
}

// The reference root of the job's last snapshot.
std::optional<repository::ChunkId> last_root(const repository::Repository& repository, const config::Job& job) {
  const std::pair<std::string, std::string> label("job", job.name);
  std::optional<repository::ChunkId> root;
  for (const repository::SnapshotInfo& snapshot : repository.snapshots(nullptr))
    if (std::find(snapshot.header.labels.begin(), snapshot.header.labels.end(), label) != snapshot.header.labels.end())
      root = snapshot.header.reference_root;
  return root;
}

WorkResult back_up(const WorkOrder& order, Progress& progress, const std::stop_token& stop) {
  const Vault vault = open_vault(order.vault);
  repository::Repository& repository = *vault.repository;
  const repository::DomainKeys& domain = repository.domain(order.job.domain);
  BackupOptions options;
  options.paths = order.job.source.paths;
  options.host = host_name();
  options.labels = order.job.labels;
  options.labels.emplace_back("job", order.job.name);
  options.labels.emplace_back("run", order.run);
  std::sort(options.labels.begin(), options.labels.end());
  for (const std::string& pattern : order.job.source.exclude) options.excludes.add(pattern);
  if (order.job.source.one_file_system) options.file_systems = BackupOptions::FileSystems::one;
  const bool only_if_changed = order.reason == Reason::change || order.reason == Reason::start;
  if (only_if_changed && !covers_root(options.paths)) options.unless_root = last_root(repository, order.job);

  const SystemClock clock;
  SystemRandom random;
  const BackupResult result =
      qcbak::backup({*vault.storage, repository, domain, clock, random}, options, progress, stop);
  const Kept kept = apply_retention({*vault.storage, repository, domain, clock, random}, order.job);
  WorkResult work;
  if (result.snapshot != repository::SnapshotId()) {
    work.snapshot = result.snapshot.hex();
    work.outcome = result.findings.empty() ? Outcome::complete : Outcome::incomplete;
  } else {
    work.outcome = Outcome::unchanged;
  }
  Json errors = Json::array();
  for (const repository::Finding& finding : result.findings) {
    if (errors.size() == kFindingsTold) break;
    errors.push_back({{"path", finding.path}, {"what", finding.what}});
  }
  work.summary = Json{{"files_new", result.files_new},
                      {"files_changed", result.files_changed},
                      {"files_unmodified", result.files_unmodified},
                      {"directories", result.directories},
                      {"bytes_read", result.bytes_read},
                      {"bytes_added", result.bytes_added},
                      {"bytes_stored", result.bytes_stored},
                      {"duration_s", static_cast<double>(result.duration_ns) / 1e9},
                      {"findings", result.findings.size()},
                      {"forgotten", kept.forgotten},
                      {"errors", std::move(errors)}}
                     .dump(-1, ' ', false, Json::error_handler_t::replace);
  return work;
}

WorkResult collect(const WorkOrder& order, const std::stop_token& stop) {
  const Vault vault = open_vault(order.vault);
  const SystemClock clock;
  SystemRandom random;
  repository::CollectResult total;
  WorkResult work;
  work.outcome = Outcome::complete;
  for (const repository::DomainKeys& domain : vault.repository->domains()) {
    const repository::CollectResult result =
        repository::collect({*vault.storage, *vault.repository, domain, clock, random}, {}, stop);
    total.packs_rewritten += result.packs_rewritten;
    total.packs_removed += result.packs_removed;
    total.bytes_freed += result.bytes_freed;
    if (!result.packs_damaged.empty()) {
      work.outcome = Outcome::incomplete;
      work.error = std::to_string(result.packs_damaged.size()) + " packs are damaged and left as they are; next: qcbak verify";
    } else if (result.space == repository::CollectResult::Space::too_little) {
      work.outcome = Outcome::incomplete;
      work.error = "there is too little space to rewrite packs";
    }
  }
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

// Whoever may connect is decided by the mode of the socket, and once more here.
void require_own_user(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) throw_errno("identify", "the daemon");
  if (credentials.uid != ::geteuid() && credentials.uid != 0)
    throw Error(ErrorCode::refused, "user " + std::to_string(credentials.uid) + " may not give orders to workers");
}

WorkOrder order_by_config(const WorkOrder& order, const std::string& path) {
  constexpr std::size_t kConfigLimit = 1U << 20;
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) throw_errno("read", path);
  if (!S_ISREG(status.st_mode) || status.st_uid != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    throw Error(ErrorCode::refused, path + " must be a file of root's that nobody else can write");
  const Bytes text = read_file(path, kConfigLimit);
  if (crypto::sha256(text).hex() != order.config_sha256)
    throw Error(ErrorCode::refused, path + " is not what the daemon works by")
        .with_hint("have the daemon read it again: systemctl reload qcbakd");
  const config::Config config = config::parse(as_text(text), path);
  WorkOrder checked;
  checked.kind = order.kind;
  checked.run = order.run;
  checked.reason = order.reason;
  checked.config_sha256 = order.config_sha256;
  checked.vault = vault_place(config);
  if (order.kind == WorkOrder::Kind::collect) return checked;
  for (const config::Job& job : config.jobs)
    if (job.name == order.job.name) {
      checked.job = job;
      return checked;
    }
  throw Error(ErrorCode::refused, "the configuration has no job \"" + order.job.name + "\"");
}

}  // namespace

std::string encode_order(const WorkOrder& order) {
  const config::Job& job = order.job;
  const config::Retention& retention = job.retention;
  const auto number = [](const std::optional<std::int64_t>& value) { return value ? Json(*value) : Json(nullptr); };
  return line_of({{"config_sha256", order.config_sha256},
                  {"kind", order.kind == WorkOrder::Kind::collect ? "collect" : "back_up"},
                  {"run", order.run},
                  {"reason", name_of(order.reason)},
                  {"vault",
                   {{"location", order.vault.location},
                    {"credential_file", order.vault.credential_file},
                    {"password_file", order.vault.password_file},
                    {"cache_directory", order.vault.cache_directory}}},
                  {"job",
                   {{"name", job.name},
                    {"files", job.source.paths},
                    {"exclude", job.source.exclude},
                    {"one_file_system", job.source.one_file_system},
                    {"labels", job.labels},
                    {"domain", job.domain},
                    {"before", job.before},
                    {"after", job.after},
                    {"retention",
                     {{"last", number(retention.last)},
                      {"daily", number(retention.daily)},
                      {"weekly", number(retention.weekly)},
                      {"monthly", number(retention.monthly)},
                      {"yearly", number(retention.yearly)},
                      {"within_ns", number(retention.within_ns)},
                      {"lock_ns", number(retention.lock_ns)}}},
                    {"command_limit_ns", job.command_limit_ns}}}});
}

WorkOrder decode_order(std::string_view line) {
  return read_message(line, [](const Json& json) {
    WorkOrder order;
    order.kind = json.at("kind").get<std::string>() == "collect" ? WorkOrder::Kind::collect : WorkOrder::Kind::back_up;
    order.config_sha256 = json.at("config_sha256").get<std::string>();
    order.run = json.at("run").get<std::string>();
    order.reason = reason_from(json.at("reason").get<std::string>());
    const Json& vault = json.at("vault");
    order.vault = {vault.at("location").get<std::string>(), vault.at("credential_file").get<std::string>(),
                   vault.at("password_file").get<std::string>(), vault.at("cache_directory").get<std::string>()};
    const Json& job = json.at("job");
    order.job.name = job.at("name").get<std::string>();
    order.job.source.paths = job.at("files").get<std::vector<std::string>>();
    order.job.source.exclude = job.at("exclude").get<std::vector<std::string>>();
    order.job.source.one_file_system = job.at("one_file_system").get<bool>();
    order.job.labels = job.at("labels").get<std::vector<std::pair<std::string, std::string>>>();
    order.job.domain = job.at("domain").get<std::string>();
    order.job.before = job.at("before").get<std::string>();
    order.job.after = job.at("after").get<std::string>();
    const auto number = [&](const char* key) -> std::optional<std::int64_t> {
      const Json& value = job.at("retention").at(key);
      return value.is_null() ? std::nullopt : std::optional(value.get<std::int64_t>());
    };
    order.job.retention = {number("last"),   number("daily"),     number("weekly"), number("monthly"),
                           number("yearly"), number("within_ns"), number("lock_ns")};
    order.job.command_limit_ns = job.at("command_limit_ns").get<std::int64_t>();
    return order;
  });
}

std::string encode_result(const WorkResult& result) {
  return line_of({{"type", "result"},
                  {"outcome", name_of(result.outcome)},
                  {"snapshot", result.snapshot},
                  {"error", result.error},
                  {"summary", result.summary}});
}

WorkResult decode_result(std::string_view line) {
  return read_message(line, [](const Json& json) {
    return WorkResult{outcome_from(json.at("outcome").get<std::string>()), json.at("snapshot").get<std::string>(),
                      json.at("error").get<std::string>(), json.at("summary").get<std::string>()};
  });
}

int work(int socket, const std::string& config) {
  crypto::initialize();
  std::optional<Received> received;
  WorkOrder order;
  try {
    if (!config.empty()) require_own_user(socket);
    received = receive_order(socket);
    order = decode_order(received->line);
    if (!config.empty()) order = order_by_config(order, config);
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
        send_all(socket, line_of({{"type", "progress"},
                                  {"bytes", progress.done_bytes.load()},
                                  {"files", progress.done_files.load()},
                                  {"problems", progress.problems.load()}}));
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

Worker::Worker(const WorkOrder& order, const std::string& at, int lock) {
  if (at.empty()) start();
  else connect(at);
  try {
    send_order(socket_.get(), encode_order(order), lock);
  } catch (const Error&) {
    wait();
    throw;
  }
  if (::fcntl(socket_.get(), F_SETFL, O_NONBLOCK) != 0) throw_errno("set up", "a socket");
}

void Worker::connect(const std::string& at) {
  socket_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket_) throw_errno("make", "a socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (at.size() >= sizeof address.sun_path) throw Error(ErrorCode::usage, "the path of the workers' socket is too long");
  std::memcpy(address.sun_path, at.data(), at.size());
  if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw_errno("have a worker started at", at);
}

void Worker::start() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw_errno("make", "a pair of sockets");
  socket_ = UniqueFd(ends[0]);
  const UniqueFd theirs(ends[1]);
  process_ = ::fork();
  if (process_ < 0) throw_errno("start", "a worker");
  if (process_ == 0) {
    // Signals that the daemon blocked or ignored are as usual again.
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    // A group of its own: Ctrl-C at a terminal is for the daemon to pass on.
    ::setpgid(0, 0);
    if (theirs.get() == kSocketOfWorker) ::fcntl(kSocketOfWorker, F_SETFD, 0);
    else if (::dup2(theirs.get(), kSocketOfWorker) < 0) ::_exit(127);
    // Not every library opens its files so that exec() closes them; a listening socket that lives on would answer.
    if (::close_range(kSocketOfWorker + 1, ~0U, 0) != 0) ::_exit(127);
    ::execl("/proc/self/exe", "qcbakd", "--worker", nullptr);
    ::_exit(127);
  }
}

Worker::~Worker() {
  if (socket_) stop();
  wait();
}

void Worker::stop() { ::shutdown(socket_.get(), SHUT_WR); }

int Worker::wait() {
  int status = 0;
  if (process_ < 0) return status;
  while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) continue;
  process_ = -1;
  return status;
}

void Worker::take_line(std::string_view line) {
  const Json json = parse(line);
  if (json.value("type", "") == "result") {
    result_ = decode_result(line);
    return;
  }
  progress_ = {json.value("bytes", std::uint64_t{0}), json.value("files", std::uint64_t{0}),
               json.value("problems", std::uint64_t{0})};
}

std::optional<WorkResult> Worker::receive() {
  for (;;) {
    std::array<char, 65536> buffer;
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::nullopt;
    if (got <= 0) break;
    received_.append(buffer.data(), static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end = received_.find('\n'); end != std::string::npos; end = received_.find('\n', begin)) {
      take_line(std::string_view(received_).substr(begin, end - begin));
      begin = end + 1;
    }
    received_.erase(0, begin);
    if (received_.size() > kLineLimit) throw Error(ErrorCode::failed, "a worker sent a line without end");
  }
  const bool own = process_ >= 0;
  const int status = wait();
  if (result_) return result_;
  WorkResult lost;
  if (!own) {
    lost.error = "the worker ended with no result; the journal of qcbak-worker@ says why";
    return lost;
  }
  lost.error = WIFSIGNALED(status) ? "the worker was ended by signal " + std::to_string(WTERMSIG(status))
                                   : "the worker ended with " + std::to_string(WEXITSTATUS(status)) + " and no result";
  return lost;
}

}  // namespace qcbak::daemon
