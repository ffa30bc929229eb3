#include "cli/wipe_child.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/guarded.h"
#include "cli/messages.h"
#include "cli/new_file.h"
#include "cli/wipe_message.h"
#include "wipe/cooling.h"
#include "wipe/linux_block_device.h"
#include "wipe/sandbox.h"
#include "wipe/watched_device.h"

namespace qcbak::cli {
namespace {

constexpr std::int64_t kBetweenMoves_ns = 200'000'000;
// How long the process of an earlier run may take to stop, after it lost whoever started it.
constexpr int kJournalAttempts = 1200;
constexpr auto kBetweenJournalAttempts = std::chrono::milliseconds(100);

// Hears what comes while the disk is wiped: that it is to stop, by a signal or because the other end of the channel is gone, and
// the files for a journal that has become too long.
class Listener final : public wipe::JournalPlace {
 public:
  Listener(const WipeChannel& channel, const std::stop_token& signals)
      : channel_(channel), on_signal_(signals, [this] { stop_.request_stop(); }), listener_([this] { listen(); }) {}
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() override {
    ending_ = true;
    try {
      channel_.end_receiving();
    } catch (const Error&) {
      // Then the other end is gone, and the listener too.
    }
  }
  std::stop_token token() const { return stop_.get_token(); }

  UniqueFd make() override {
    channel_.send(encode(WipeWantsJournalFile{}));
    WipePacket packet = next();
    if (!packet.fd) throw Error(ErrorCode::io, "no file came for the journal");
    return std::move(packet.fd);
  }
  void take_its_place() override {
    channel_.send(encode(WipeWroteJournalFile{}));
    if (!std::holds_alternative<WipeJournalReplaced>(parse_wipe_order(next().message)))
      throw Error(ErrorCode::damaged, "another message came than that the journal was replaced");
  }

 private:
  void listen() {
    while (std::optional<WipePacket> packet = channel_.receive_packet()) {
      heard_.lock()->push_back(std::move(*packet));
      there_is_more_.notify_one();
    }
    if (!ending_) stop_.request_stop();
    heard_.lock()->emplace_back();  // for whoever waits
    there_is_more_.notify_one();
  }

  WipePacket next() {
    auto heard = heard_.lock();
    there_is_more_.wait(heard.lock(), [&] { return !heard->empty(); });
    WipePacket packet = std::move(heard->front());
    heard->pop_front();
    if (packet.message.empty()) throw Error(ErrorCode::interrupted, "nobody makes a file for the journal any more");
    return packet;
  }

  const WipeChannel& channel_;
  std::atomic<bool> ending_ = false;
  Guarded<std::deque<WipePacket>> heard_;
  std::condition_variable there_is_more_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> on_signal_;
  std::jthread listener_;
};

// Tells how far it is, now and then.
class Movement {
 public:
  Movement(const WipeChannel& channel, const wipe::Plan& plan, const Clock& clock)
      : channel_(channel), clock_(clock), last_reading_(last_reading_step(plan)) {}

  void operator()(const wipe::OverwriteProgress& now) {
    const std::int64_t time_ns = clock_.monotonic_ns();
    if (!verifying_ && now.step >= last_reading_) {
      verifying_ = true;
      channel_.send(encode(WipeVerifying{}));
    }
    if (now.step == step_ && time_ns < told_ns_ + kBetweenMoves_ns) return;
    step_ = now.step;
    told_ns_ = time_ns;
    channel_.send_if_there_is_room(encode(WipeMoved{now.step, now.done_bytes, now.size_bytes}));
  }

 private:
  // From which on nothing is written.
  static std::size_t last_reading_step(const wipe::Plan& plan) {
    std::size_t step = plan.steps.size();
    while (step > 0 &&
           (wipe::verifies(plan.steps[step - 1]) || plan.steps[step - 1].kind == wipe::StepKind::check_erasure ||
            plan.steps[step - 1].kind == wipe::StepKind::discard))
      --step;
    return step;
  }

  const WipeChannel& channel_;
  const Clock& clock_;
  std::size_t last_reading_;
  bool verifying_ = false;
  std::size_t step_ = ~std::size_t{0};
  std::int64_t told_ns_ = 0;
};

// Tells every second what the disk does, as long as it lives.
class Teller {
 public:
  Teller(const WipeChannel& channel, const wipe::WatchedDevice& device)
      : thread_([&channel, &device](const std::stop_token& stop) {
          std::mutex mutex;
          std::condition_variable_any wake;
          std::unique_lock lock(mutex);
          while (!stop.stop_requested()) {
            channel.send_if_there_is_room(encode(WipeActive{device.activity()}));
            wake.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; });
          }
        }) {}

 private:
  std::jthread thread_;
};

WipeTask receive_task(const WipeChannel& channel) {
  const std::optional<Bytes> message = channel.receive();
  if (!message) throw Error(ErrorCode::interrupted, "nobody said what to wipe");
  WipeOrder order = parse_wipe_order(*message);
  if (!std::holds_alternative<WipeTask>(order)) throw Error(ErrorCode::damaged, "the first message is no task");
  return std::get<WipeTask>(std::move(order));
}

void wait_for_leave(const WipeChannel& channel) {
  const std::optional<Bytes> message = channel.receive();
  if (!message) throw Error(ErrorCode::interrupted, "nobody gave leave to begin");
  if (!std::holds_alternative<WipeGo>(parse_wipe_order(*message)))
    throw Error(ErrorCode::damaged, "the second message is no leave");
}

// The process of a run that was killed may still be at it: it stops when it has noticed.
void wait_for_predecessor(const Invocation& invocation, const WipeChannel& channel, const WipeTask& task) {
  for (int attempt = 0; exists(task.journal); ++attempt) {
    try {
      in_context(printable(task.journal), [&] { return wipe::Journal::open(task.journal); });
      return;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::busy || attempt == kJournalAttempts || invocation.stop.stop_requested()) throw;
    }
    if (attempt == 0)
      channel.send(
          encode(WipeNote{say("another process works on {}; waiting until it has stopped", printable(task.journal))}));
    std::this_thread::sleep_for(kBetweenJournalAttempts);
  }
}

wipe::Health health_of(wipe::BlockDevice& device, const wipe::TemperatureSensor& sensor) {
  wipe::Health health = device.commands() == nullptr ? wipe::Health{} : wipe::health_of(*device.commands());
  if (!health.temperature_c) health.temperature_c = sensor.read();
  return health;
}

wipe::Journal open_journal(const Invocation& invocation, const WipeChannel& channel, const WipeTask& task,
                           const wipe::ConfirmedTarget& target, wipe::BlockDevice& device,
                           const wipe::TemperatureSensor& sensor) {
  if (!exists(task.journal)) {
    wipe::JobBeginning beginning = wipe::begin_job(target, task.plan, invocation.clock, invocation.random);
    beginning.order = task.order;
    beginning.health = health_of(device, sensor);
    return wipe::Journal::create(task.journal, beginning);
  }
  wipe::Journal journal = wipe::Journal::open(task.journal);
  if (journal.beginning().order != task.order)
    throw Error(ErrorCode::refused, say("{} is the journal of another job", printable(task.journal)))
        .with_hint(std::string(tr("name a new journal with --journal")));
  channel.send(encode(WipeNote{say("going on from {}", printable(task.journal))}));
  return journal;
}

// What is sent to the disk's firmware: what the plan says, and at the end what asks for its health.
wipe::RawCommands commands_of(wipe::BlockDevice& device) {
  return device.commands() == nullptr ? std::nullopt : wipe::RawCommands(device.commands()->command_set());
}

// Rests, until it was as long as that, or the job is to stop.
bool wait_for(const std::stop_token& stop, std::int64_t ns) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_for(lock, stop, std::chrono::nanoseconds(ns), [] { return false; });
  return !stop.stop_requested();
}

// Asking the sensor is watched as a request is: the kernel asks the disk.
wipe::Cooling cooling_of(const Invocation& invocation, const WipeChannel& channel, const WipeTask& task,
                         wipe::WatchedDevice& device, const wipe::TemperatureSensor& sensor, std::stop_token stop) {
  wipe::CoolingOptions options;
  options.hot_above_c = task.hot_above_c;
  const auto ask = [&device, &sensor] {
    std::optional<std::uint64_t> temperature_c;
    device.during([&] { temperature_c = sensor.read(); });
    return temperature_c;
  };
  const auto tell = [&channel, name = printable(task.device)](std::uint64_t temperature_c) {
    channel.send(encode(WipeNote{say("{} is at {} °C, and rests", name, temperature_c)}));
  };
  return {options, ask, [stop = std::move(stop)](std::int64_t ns) { return wait_for(stop, ns); }, tell,
          invocation.clock};
}

// Gives the health of the disk afterwards.
wipe::Health overwrite(const Invocation& invocation, const WipeChannel& channel, wipe::BlockDevice& device,
                       wipe::ConfirmedTarget target, const WipeTask& task, wipe::Journal& journal,
                       const wipe::TemperatureSensor& sensor) try {
  wipe::WatchedDevice watched(device, invocation.clock);
  // Before any thread of its own, so that each is held by all of it.
  channel.send(encode(WipeSandboxed{wipe::enter_sandbox(commands_of(device))}));
  Listener listener(channel, invocation.stop);
  journal.use_place(listener);
  const Teller teller(channel, watched);
  wipe::OverwriteOptions options;
  wipe::Cooling cooling = cooling_of(invocation, channel, task, watched, sensor, listener.token());
  options.cooling = &cooling;
  options.progress = Movement(channel, task.plan, invocation.clock);
  wipe::overwrite(watched, std::move(target), task.plan, journal, options, invocation.clock, listener.token());
  wipe::Health health;
  watched.during([&] { health = health_of(watched, sensor); });
  return health;
} catch (Error& error) {
  if (error.code() == ErrorCode::interrupted)
    error.with_hint(std::string(tr("the disk is not cleared yet: go on with the same command")));
  throw;
}

void wipe_one(const Invocation& invocation, const WipeChannel& channel) {
  const WipeTask task = receive_task(channel);
  wait_for_predecessor(invocation, channel, task);
  wipe::LinuxBlockDevice device(task.device);
  const wipe::Inspection inspection = wipe::inspect(device);
  channel.send(encode(WipeInspected{{device.name(), inspection.geometry(), device.attachment(), {}}}));
  wipe::ConfirmedTarget target = wipe::confirm(inspection, target_of(task, inspection), task.typed);
  channel.send(encode(WipeCleared{}));
  wait_for_leave(channel);
  const wipe::TemperatureSensor sensor = device.temperature_sensor();
  wipe::Journal journal = open_journal(invocation, channel, task, target, device, sensor);
  const wipe::Health health = overwrite(invocation, channel, device, std::move(target), task, journal, sensor);
  channel.send(encode(WipeEnded{device.geometry(), health}));
}

ExitCode run(const Invocation& invocation) {
  if (::fcntl(kWipeChildChannel, F_SETFD, FD_CLOEXEC) != 0)
    throw Error(ErrorCode::usage, std::string(tr("only qcbak itself starts this command")))
        .with_hint(std::string(tr("wipe a disk with: qcbak wipe run")));
  const WipeChannel channel{UniqueFd(kWipeChildChannel)};
  try {
    wipe_one(invocation, channel);
    return ExitCode::done;
  } catch (const Error& error) {
    channel.send(encode(WipeFailed{error.code(), error.what(), error.hint()}));
    return static_cast<ExitCode>(error.exit_code());
  }
}

}  // namespace

Command internal_wipe_command() {
  return {.name = "internal wipe",
          .summary = "Wipe one disk for another process",
          .description = "For `qcbak wipe run`.",
          .examples = {{"qcbak wipe run --approval 2.json --confirm 00A1B2 -o 3.json", "starts one for each disk"}},
          .run = run,
          .common = Command::Common::output_only};
}

}  // namespace qcbak::cli
