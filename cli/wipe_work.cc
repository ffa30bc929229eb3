#include "cli/wipe_work.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>

#include "cli/dossier_file.h"
#include "cli/messages.h"
#include "cli/new_file.h"
#include "cli/progress_display.h"
#include "cli/text.h"
#include "cli/wipe_child.h"
#include "cli/wipe_message.h"
#include "cli/wipe_status_file.h"

namespace qcbak::cli {
namespace {

constexpr int kBetweenLooks_ms = 1000;
constexpr int kLastWait_ms = 2000;  // for a process that was given up, before it is said that it is left

// What a child may know of the environment: language, zone, and how sanitizers are told where to write.
constexpr std::array<std::string_view, 8> kKeptVariables{
    "LC_ALL=", "LC_MESSAGES=", "LANG=", "TZ=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "TSAN_OPTIONS=", "LSAN_OPTIONS="};

std::vector<char*> environment_of_child() {
  std::vector<char*> kept;
  for (char** variable = environ; *variable != nullptr; ++variable)
    for (const std::string_view name : kKeptVariables)
      if (std::string_view(*variable).starts_with(name)) kept.push_back(*variable);
  kept.push_back(nullptr);
  return kept;
}

void require(int error, const char* what) {
  if (error != 0) throw_errno("start", what, error);
}

class FileActions {
 public:
  FileActions() { require(::posix_spawn_file_actions_init(&actions_), "the process of a wipe"); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }

  void copy(int from, int to) {
    require(::posix_spawn_file_actions_adddup2(&actions_, from, to), "the process of a wipe");
  }
  void open_nothing(int as) {
    require(::posix_spawn_file_actions_addopen(&actions_, as, "/dev/null", O_RDWR, 0), "the process of a wipe");
  }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

// Descriptors 0 to 2 are always taken, so that the disk never becomes one of them: what is meant for people would land on it.
pid_t spawn(const UniqueFd& channel) {
  FileActions actions;
  actions.copy(channel.get(), kWipeChildChannel);
  actions.open_nothing(STDIN_FILENO);
  actions.open_nothing(STDOUT_FILENO);
  if (::fcntl(STDERR_FILENO, F_GETFD) < 0 || channel.get() == STDERR_FILENO) actions.open_nothing(STDERR_FILENO);
  std::string name = "qcbak", noun = "internal", verb = "wipe";
  char* const arguments[] = {name.data(), noun.data(), verb.data(), nullptr};
  pid_t pid = 0;
  // The program that runs now, also when another has been installed meanwhile.
  require(::posix_spawn(&pid, "/proc/self/exe", actions.get(), nullptr, arguments, environment_of_child().data()),
          "the process of a wipe");
  return pid;
}

UniqueFd pidfd_of(pid_t pid) {
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd) throw_errno("watch", "the process of a wipe");
  return fd;
}

Error died(const WipeTask& task, int status) {
  const std::string serial = one_line(task.requested.serial);
  return std::move(Error(ErrorCode::failed,
                         WIFSIGNALED(status)
                             ? say("the process that wiped serial {} was ended by signal {}", serial, WTERMSIG(status))
                             : say("the process that wiped serial {} ended with {}", serial, WEXITSTATUS(status)))
                       .with_hint(std::string(tr("the disk is not cleared yet: go on with the same command"))));
}

// Bytes of all steps, from where this run began.
struct Movement {
  std::optional<std::uint64_t> first;
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  std::size_t step = 0;
  std::size_t steps = 0;

  void take(const WipeMoved& now) {
    const std::uint64_t at = now.step * now.size_bytes + now.done_bytes;
    if (!first) first = at;
    step = now.step;
    done = at - std::min(at, *first);
    total = steps * now.size_bytes - std::min(steps * now.size_bytes, *first);
  }
};

// A disk's process, as the one that started it sees it.
class Child {
 public:
  Child(const WipeTask& task, const wipe::WatchdogLimits& limits)
      : watchdog(limits), status_file(task.journal), task_(task) {
    auto [ours, theirs] = WipeChannel::pair();
    channel_ = std::move(ours);
    pid_ = spawn(theirs);
    pidfd_ = pidfd_of(pid_);
    channel_.send(encode(WipeOrder(task)));
    movement.steps = task.plan.steps.size();
    told.medium = task.medium + 1;
    told.device = printable(task.device);
    told.serial = task.requested.serial;
    told.plan = task.plan.name;
    told.steps = task.plan.steps.size();
  }
  Child(Child&&) noexcept = default;

  const WipeTask& task() const { return task_; }
  const WipeChannel& channel() const { return channel_; }
  const UniqueFd& pidfd() const { return pidfd_; }
  bool gone() const { return status_.has_value(); }
  bool heard_all = false;  // the channel has come to its end

  // Its exit status is there.
  void reap() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0)
      if (errno != EINTR) throw_errno("wait for", "the process of a wipe");
    status_ = status;
  }
  // It makes its journal hold what was done, and stops.
  void stop() const noexcept {
    try {
      if (!gone()) channel_.end_sending();
    } catch (const Error&) {
      // Then it has no channel, and stops anyway.
    }
  }
  Error how_it_died() const { return died(task_, *status_); }

  // From now on what it tells is lost, and what it asks for has no answer: it stops.
  void drop_channel() { channel_ = WipeChannel(UniqueFd()); }
  bool has_channel() const { return channel_.fd() >= 0; }

  bool is_watched() const { return phase == Phase::preparing || phase == Phase::working; }
  // Nobody waits for it any longer. It ends as soon as the kernel lets it: what waits for a disk cannot be ended.
  void leave_behind() {
    stop();
    if (!gone() && ::kill(pid_, SIGKILL) != 0) throw_errno("end", "the process of a wipe");
    left_behind_ = true;
    phase = Phase::ended;
  }
  bool left_behind() const { return left_behind_; }
  pid_t pid() const { return pid_; }

  enum class Phase { preparing, ready, working, ended };
  Phase phase = Phase::preparing;
  WipeOutcome outcome;
  bool came_to_its_end = false;  // it said so, and the journal says what was done
  Movement movement;
  wipe::Watchdog watchdog;
  WipeStatus told;
  Pace pace;
  StatusFile status_file;

 private:
  const WipeTask& task_;
  WipeChannel channel_{UniqueFd()};
  pid_t pid_ = 0;
  UniqueFd pidfd_;
  bool left_behind_ = false;
  std::optional<int> status_;
};

// Readable once the program was asked to stop.
class StopEvent {
 public:
  explicit StopEvent(const std::stop_token& stop)
      : fd_(::eventfd(0, EFD_CLOEXEC)), on_stop_(stop, [this] { raise(); }) {
    if (!fd_) throw_errno("make", "an event");
  }
  int fd() const { return fd_.get(); }

 private:
  void raise() const {
    // A counter that is at its end is readable as well.
    static_cast<void>(::eventfd_write(fd_.get(), 1));
  }
  UniqueFd fd_;
  std::stop_callback<std::function<void()>> on_stop_;
};

class Work {
 public:
  Work(const Invocation& invocation, evidence::Dossier& dossier, const std::vector<WipeTask>& tasks,
       const MediaOptions& options, WipeObserver& observer)
      : invocation_(invocation),
        dossier_(dossier),
        options_(options),
        observer_(observer),
        stop_event_(invocation.stop) {
    children_.reserve(tasks.size());
    for (const WipeTask& task : tasks) {
      children_.emplace_back(task, options.limits);
      children_.back().told.process = this_process_;
      children_.back().watchdog.begin(invocation.clock.monotonic_ns());
    }
  }
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;
  // After a rehearsal, and at an error of its own: nobody listens to the children any more, so they stop.
  ~Work() {
    for (Child& child : children_) child.drop_channel();
    while (any([](const Child& child) { return !child.gone() && !child.left_behind(); })) try {
        take_events();
      } catch (const Error&) {
        return;  // The kernel does not tell of them any more; they stop by themselves.
      }
  }

  void until_all_are_ready() {
    while (any([](const Child& child) { return child.phase == Child::Phase::preparing; })) take_events();
  }

  void wipe() {
    if (!any([](const Child& child) { return child.phase == Child::Phase::ready; })) return;
    // Only now, so that no child can have been made while the key is in memory.
    signer_ = open_signer(invocation_);
    require_known(invocation_, *signer_);
    for (Child& child : children_)
      if (child.phase == Child::Phase::ready) begin(child);
    ProgressDisplay display(invocation_, shown_, std::string(tr("Wiping")));
    while (any([](const Child& child) { return child.phase != Child::Phase::ended; })) take_events();
  }

  // Of those that were given up, which are still there.
  void tell_who_is_left() {
    for (Child& child : children_) {
      if (!child.left_behind()) continue;
      pollfd event{child.pidfd().get(), POLLIN, 0};
      if (::poll(&event, 1, kLastWait_ms) == 1)
        child.reap();
      else
        invocation_.output.warn(say("process {} still waits for {}: it ends when the disk answers, or with the machine",
                                    child.pid(), printable(child.task().device)));
    }
  }

  std::vector<WipeOutcome> outcomes() const {
    std::vector<WipeOutcome> all;
    for (const Child& child : children_) all.push_back(child.outcome);
    return all;
  }

 private:
  template <class Predicate>
  bool any(Predicate&& predicate) const {
    return std::any_of(children_.begin(), children_.end(), predicate);
  }

  // What fails for one medium is its own outcome; its process stops.
  template <class Body>
  void for_one(Child& child, Body&& body) {
    try {
      body();
    } catch (const Error& error) {
      if (!child.outcome.error) child.outcome.error = error;
      child.stop();
    }
  }

  void begin(Child& child) {
    child.phase = Child::Phase::working;
    for_one(child, [&] {
      require_own_journal(dossier_, child.task(), invocation_.clock.now());
      observer_.entering(child.task().medium, MediumState::sanitising);
      tell_state(child, JobState::sanitising);
      child.watchdog.begin(invocation_.clock.monotonic_ns());
      child.channel().send(encode(WipeOrder(WipeGo{})));
    });
  }

  // Waits for something to happen, and does what is due.
  void take_events() {
    std::vector<pollfd> events{{stop_event_.fd(), static_cast<short>(stopping_ ? 0 : POLLIN), 0}};
    for (const Child& child : children_) {
      const bool deaf = child.gone() || child.left_behind();
      events.push_back({deaf || child.heard_all ? -1 : child.channel().fd(), POLLIN, 0});
      events.push_back({deaf ? -1 : child.pidfd().get(), POLLIN, 0});
    }
    if (::poll(events.data(), events.size(), kBetweenLooks_ms) < 0) {
      if (errno == EINTR) return;
      throw_errno("wait for", "the processes of a wipe");
    }
    if (events[0].revents != 0) stop_all();
    for (std::size_t i = 0; i < children_.size(); ++i)
      take_events_of(children_[i], events[1 + 2 * i].revents, events[2 + 2 * i].revents);
    for (Child& child : children_) watch(child);
  }

  void watch(Child& child) {
    if (!child.is_watched()) return;
    const auto why = child.watchdog.judge(invocation_.clock.monotonic_ns());
    if (!why) return;
    child.leave_behind();
    for_one(child, [&] { record_given_up(child, *why); });
    child.told.verdict = child.outcome.run ? child.outcome.run->verdict : "";
    child.told.reason = wipe::given_up_name(*why);
    tell_state(child, JobState::given_up);
  }

  // ---- The status file of a medium. Of a rehearsal there is none: nothing is written.

  void tell_state(Child& child, JobState state) {
    child.told.state = state;
    tell_status(child);
  }

  void tell_status(Child& child) {
    if (options_.rehearsal == Rehearsal::yes) return;
    const std::int64_t now_ns = invocation_.clock.monotonic_ns();
    const Movement& movement = child.movement;
    WipeStatus& status = child.told;
    status.step = child.movement.first ? movement.step + 1 : 0;
    status.done_bytes = movement.done;
    status.total_bytes = movement.total;
    status.bytes_per_second = is_end(status.state) ? 0 : child.pace.bytes_per_second();
    status.seconds_left.reset();
    if (status.bytes_per_second > 0)
      status.seconds_left = (movement.total - std::min(movement.done, movement.total)) / status.bytes_per_second;
    if (child.status_file.tell(status, now_ns) || status_refused_) return;
    status_refused_ = true;
    if (!invocation_.output.quiet())
      invocation_.output.warn(say("{} cannot be written: how far the wipe is can be seen only here",
                                  printable(status_file_of(child.task().journal))));
  }

  void tell_status_if_due(Child& child) {
    const std::int64_t now_ns = invocation_.clock.monotonic_ns();
    child.pace.take(child.movement.done, now_ns);
    if (child.status_file.is_due(now_ns)) tell_status(child);
  }

  // One that was stopped goes on with the same command: that is no end, and neither is it one when nobody listens any more,
  // or when the disk was not looked at.
  void tell_end(Child& child) {
    const WipeOutcome& outcome = child.outcome;
    if (!outcome.disk || !child.has_channel()) return;
    if (outcome.error && outcome.error->code() == ErrorCode::interrupted) return tell_status(child);
    child.told.verdict = outcome.run ? outcome.run->verdict : "";
    child.told.reason = outcome.error ? outcome.error->what() : outcome.run->verdict_reason;
    tell_state(child, outcome.error ? JobState::failed : JobState::ended);
  }

  void record_given_up(Child& child, wipe::GivenUp why) {
    if (!child.outcome.disk || !exists(child.task().journal)) throw no_answer(child);
    evidence::WipeRun run = record_of(child.task(), *child.outcome.disk);
    if (run.progress.segments.empty()) throw no_answer(child);
    run.given_up = wipe::given_up_name(why);
    conclude_with(child, std::move(run));
  }

  static Error no_answer(const Child& child) {
    return std::move(
        Error(ErrorCode::io, say("{} does not answer, and was given up", printable(child.task().device)))
            .with_hint(std::string(tr("look at its cable and power; have it destroyed physically if it stays so"))));
  }

  void stop_all() {
    stopping_ = true;
    for (const Child& child : children_) child.stop();
  }

  void take_events_of(Child& child, short of_channel, short of_process) {
    if (of_channel != 0 || (of_process != 0 && !child.heard_all)) hear(child);
    if ((of_channel & POLLHUP) != 0) child.heard_all = true;
    if (of_process == 0) return;
    child.reap();
    conclude(child);
  }

  void hear(Child& child) {
    for_one(child, [&] {
      while (const std::optional<Bytes> message = child.channel().receive_if_there())
        std::visit([&](const auto& report) { take(child, report); }, parse_wipe_report(*message));
    });
  }

  void take(Child&, const WipeNote& note) {
    if (!invocation_.output.quiet()) invocation_.output.warn(note.text);
  }
  void take(Child& child, const WipeInspected& inspected) {
    child.outcome.disk = inspected.disk;
    child.told.device = printable(inspected.disk.name);
    observer_.entering(child.task().medium, MediumState::inspected);
    tell_state(child, JobState::inspected);
  }
  void take(Child& child, const WipeCleared&) {
    observer_.entering(child.task().medium, MediumState::cleared);
    tell_state(child, JobState::cleared);
    child.phase = Child::Phase::ready;
  }
  void take(Child& child, const WipeVerifying&) {
    observer_.entering(child.task().medium, MediumState::verifying);
    tell_state(child, JobState::verifying);
  }
  void take(Child& child, const WipeMoved& moved) {
    child.movement.take(moved);
    tell_status_if_due(child);
    show();
  }
  void take(Child& child, const WipeActive& active) {
    child.watchdog.hear(active.activity, invocation_.clock.monotonic_ns());
    child.told.errors = active.activity.errors;
    tell_status_if_due(child);
  }
  void take(Child& child, const WipeSandboxed& sandboxed) {
    if (child.outcome.disk) child.outcome.disk->sandbox = sandboxed.names;
  }
  void take(Child& child, const WipeWantsJournalFile&) {
    const std::string path = new_journal_of(child);
    ::unlink(path.c_str());  // of a run that was killed
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) throw_errno("make", path);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) throw_errno("lock", path);
    child.channel().send_with(encode(WipeOrder(WipeJournalFile{})), fd);
  }
  void take(Child& child, const WipeWroteJournalFile&) {
    rename_durably(new_journal_of(child), child.task().journal);
    child.channel().send(encode(WipeOrder(WipeJournalReplaced{})));
  }
  static std::string new_journal_of(const Child& child) { return child.task().journal + ".new"; }
  void take(Child&, const WipeFailed& failed) {
    throw std::move(Error(failed.code, failed.text).with_hint(failed.hint));
  }
  void take(Child& child, const WipeEnded& ended) {
    if (!child.outcome.disk) throw Error(ErrorCode::damaged, "a disk was wiped before it was looked at");
    child.outcome.disk->geometry = ended.geometry;
    child.outcome.disk->health_after = ended.health;
    child.came_to_its_end = true;
  }

  void show() {
    std::uint64_t done = 0, total = 0, at_work = 0;
    for (const Child& child : children_) {
      done += child.gone() ? child.movement.total : child.movement.done;
      total += child.movement.total;
      at_work += child.phase == Child::Phase::working ? 1 : 0;
    }
    shown_.done_bytes = done;
    shown_.total_bytes = total;
    const Movement& first = children_.front().movement;
    *shown_.current.lock() = children_.size() == 1 ? say("step {} of {}", first.step + 1, first.steps)
                                                   : say("{} of {} disks at work", at_work, children_.size());
  }

  // The process is gone: what it was about has its outcome.
  void conclude(Child& child) {
    child.phase = Child::Phase::ended;
    for_one(child, [&] {
      if (child.outcome.error) return;
      if (!child.came_to_its_end) throw child.how_it_died();
      conclude_with(child, record_of(child.task(), *child.outcome.disk));
    });
    tell_end(child);
  }

  void conclude_with(Child& child, evidence::WipeRun run) {
    observer_.entering(child.task().medium, MediumState::assessed);
    child.outcome.run = record(std::move(run));
    observer_.finished(*child.outcome.run);
  }

  evidence::WipeRun record(evidence::WipeRun unsigned_run) {
    const std::size_t medium = unsigned_run.medium;
    evidence::Dossier with_run = dossier_;
    evidence::WipeRun& run = evidence::add(with_run, std::move(unsigned_run));
    add_verdict(with_run, run);
    evidence::sign(with_run, run.by, signer_->name, "", signer_->seed, invocation_.clock.now());
    replace_dossier(options_.output, with_run);
    dossier_ = std::move(with_run);
    return *evidence::last_run(dossier_, medium);
  }

  static void add_verdict(const evidence::Dossier& dossier, evidence::WipeRun& run) {
    const wipe::Assessment assessment = evidence::assess(dossier, static_cast<std::size_t>(&run - dossier.runs.data()));
    run.verdict = wipe::verdict_name(assessment.verdict);
    run.verdict_reason = assessment.reason;
    run.exit_code = evidence::exit_code_of(assessment.verdict);
  }

  const Invocation& invocation_;
  evidence::Dossier& dossier_;
  const MediaOptions& options_;
  WipeObserver& observer_;
  StopEvent stop_event_;
  bool stopping_ = false;
  bool status_refused_ = false;  // and that was said
  const ProcessMark this_process_ = this_process();
  std::optional<Signer> signer_;
  Progress shown_;
  std::vector<Child> children_;
};

}  // namespace

std::vector<WipeOutcome> run_media(const Invocation& invocation, evidence::Dossier& dossier,
                                   const std::vector<WipeTask>& tasks, const MediaOptions& options,
                                   WipeObserver& observer) {
  Work work(invocation, dossier, tasks, options, observer);
  work.until_all_are_ready();
  if (options.rehearsal == Rehearsal::no) work.wipe();
  work.tell_who_is_left();
  return work.outcomes();
}

}  // namespace qcbak::cli
