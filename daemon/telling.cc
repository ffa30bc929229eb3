#include "daemon/telling.h"

#include <unistd.h>

#include <chrono>

#include "backup/source/capture.h"
#include "base/error.h"
#include "daemon/message_log.h"
#include "daemon/work_channel.h"

namespace qcbak::daemon {
namespace {

namespace asio = boost::asio;

constexpr auto kLookAgain = std::chrono::seconds(5);
constexpr auto kLookSoon = std::chrono::milliseconds(100);
constexpr auto kStopLimit = std::chrono::seconds(5);

Time now_() { return SystemClock().now(); }

std::string syslog_channel(const config::Config& config) { return "syslog " + config.audit.syslog; }

std::set<std::string> names_of(const std::vector<config::Notify>& channels) {
  std::set<std::string> names;
  for (const config::Notify& channel : channels) names.insert(channel.name);
  return names;
}

}  // namespace

// A messenger at work.
struct Telling::Active {
  Active(asio::io_context& loop, std::string its_channel, MessengerOrder its_order, const std::string& at)
      : channel(std::move(its_channel)),
        order(std::move(its_order)),
        child(at.empty() ? Child::start("--messenger") : Child::connect(at)),
        readable(loop, ::dup(child.socket())) {
    send_all(child.socket(), encode(order));
  }
  std::string channel;
  MessengerOrder order;
  Child child;
  asio::posix::stream_descriptor readable;
  std::optional<MessengerResult> result;
};

Telling::Telling(asio::io_context& loop, Daemon daemon, std::string messengers)
    : loop_(loop),
      daemon_(std::move(daemon)),
      messengers_(std::move(messengers)),
      outbox_(daemon_.state.database()),
      space_(daemon_.state.database()),
      clock_(daemon_.state.database()),
      bulletin_(daemon_.state.database(), outbox_, source::host_name()),
      syslog_(daemon_.state.database(), *daemon_.vault.repository),
      timer_(loop) {
  config_changed();
}

Telling::~Telling() {
  for (const auto& [channel, active] : active_) active->child.kill();
}

// A database that is full, or an entry that cannot be read: telling waits, the backups go on.
void Telling::note(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    say(Level::error, std::string("telling people: ") + error.what());
  }
}

void Telling::config_changed() {
  note([&] {
    const std::uint64_t removed = outbox_.keep_only(names_of(daemon_.config.notify));
    if (removed > 0)
      say(Level::warning, std::to_string(removed) + " messages were for people whom the configuration no longer names");
    outbox_.try_again();
    syslog_.try_again();
  });
  look();
}

void Telling::look() {
  if (stopping_) return;
  timer_.expires_after(kLookSoon);
  wait();
}

void Telling::wait() {
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || stopping_) return;
    note([&] { look_and_tell(); });
    timer_.expires_after(kLookAgain);
    wait();
  });
}

void Telling::look_and_tell() {
  look_at_clock();
  const Time now = now_();
  if (const auto free = free_bytes(*daemon_.vault.storage)) space_.note(*free, now);
  const std::vector<Alert> alerts = this->alerts();
  bulletin_.look(alerts, daemon_.config.notify, now);
  put_digests(alerts, now);
  send_due(now);
  send_syslog(now);
}

void Telling::look_at_clock() {
  const auto jump = clock_.look(read_clocks());
  if (!jump) return;
  say(Level::warning, "the clock jumped from " + format_time(jump->expected) + " to " + format_time(jump->found));
  daemon_.audit.clock_jumped(*jump);
}

std::vector<Alert> Telling::alerts() {
  const Time now = now_();
  AlertSources sources{daemon_.jobs,
                       daemon_.state,
                       daemon_.incompletely_watched(),
                       daemon_.held,
                       daemon_.plan_approved || daemon_.config.jobs.empty(),
                       free_bytes(*daemon_.vault.storage),
                       space_.days_left(),
                       clock_.jump(now),
                       clock_.unsynchronised(),
                       daemon_.people.accounts().accounts(),
                       daemon_.people.accounts().review_due(),
                       outbox_.channels(),
                       bulletin_.standing()};
  if (const auto syslog = this->syslog())
    sources.channels.push_back({syslog_channel(daemon_.config), syslog->progress.behind, syslog->progress.failing_since,
                                syslog->progress.error, 0});
  return current_alerts(sources, now);
}

std::optional<Telling::Syslog> Telling::syslog() {
  const std::string& collector = daemon_.config.audit.syslog;
  if (collector.empty()) return std::nullopt;
  return Syslog{collector, syslog_.progress(collector)};
}

void Telling::put_digests(const std::vector<Alert>& alerts, Time now) {
  const auto due = bulletin_.digests_due(daemon_.config.notify, now);
  if (due.empty()) return;
  Digest digest;
  digest.alerts = alerts;
  digest.free_bytes = free_bytes(*daemon_.vault.storage);
  digest.days_left = space_.days_left();
  for (const ChannelState& channel : outbox_.channels()) digest.waiting += channel.waiting;
  for (const config::Job& job : daemon_.jobs) {
    const auto last = daemon_.state.last_verdict(job.name);
    const auto success = daemon_.state.last_success(job.name);
    digest.jobs.push_back({job.name, last ? std::string(name_of(*last->outcome)) : "",
                           last ? last->ended : std::nullopt, success ? success->ended : std::nullopt});
  }
  bulletin_.put_digest(digest, due, now);
}

void Telling::send_due(Time now) {
  for (std::size_t i = 0; i < daemon_.config.notify.size(); ++i) {
    const std::string& channel = daemon_.config.notify[i].name;
    if (active_.size() >= kMessengersLimit) return;
    if (active_.contains(channel)) continue;
    auto message = outbox_.next(channel, now);
    if (!message) continue;
    MessengerOrder order;
    order.notify = i;
    order.message = std::move(*message);
    start(channel, std::move(order));
  }
}

void Telling::send_syslog(Time now) {
  const std::string& collector = daemon_.config.audit.syslog;
  const std::string channel = syslog_channel(daemon_.config);
  if (collector.empty() || active_.contains(channel)) return;
  MessengerOrder order;
  order.kind = MessengerOrder::Kind::syslog;
  order.entries = syslog_.next(collector, now);
  order.message.channel = collector;
  if (!order.entries.empty()) start(channel, std::move(order));
}

void Telling::start(const std::string& channel, MessengerOrder order) {
  order.config_sha256 = daemon_.config_sha256;
  if (messengers_.empty()) {
    order.config_file = daemon_.config.file;
    order.config_text = daemon_.config.text;
  }
  try {
    auto active = std::make_unique<Active>(loop_, channel, order, messengers_);
    wait_for(*active);
    active_.emplace(channel, std::move(active));
  } catch (const Error& error) {
    if (order.kind == MessengerOrder::Kind::syslog)
      syslog_.failed(order.message.channel, error.what(), now_());
    else
      outbox_.failed(order.message, error.what(), now_());
    say(Level::warning, channel + ": " + error.what());
  }
}

void Telling::wait_for(Active& active) {
  active.readable.async_wait(
      asio::posix::stream_descriptor::wait_read, [this, &active](const boost::system::error_code& error) {
        if (error) return;
        try {
          if (active.child.read_lines([&](std::string_view line) { active.result = decode_messenger_result(line); })) {
            wait_for(active);
            return;
          }
        } catch (const Error& failure) {
          active.child.kill();
          active.result = MessengerResult{failure.what()};
        }
        finish(active, active.result.value_or(MessengerResult{"the messenger ended with no result; its log says why"}));
      });
}

void Telling::finish(Active& active, const MessengerResult& result) {
  const MessengerOrder& order = active.order;
  note([&] {
    if (order.kind == MessengerOrder::Kind::syslog) {
      if (result.error.empty())
        syslog_.sent(order.message.channel, order.entries.back().number);
      else
        syslog_.failed(order.message.channel, result.error, now_());
    } else if (result.error.empty()) {
      outbox_.sent(order.message);
    } else if (const std::uint64_t given_up = outbox_.failed(order.message, result.error, now_()); given_up > 0) {
      say(Level::error, active.channel + ": " + std::to_string(given_up) + " messages were given up after seven days");
    }
  });
  if (!result.error.empty()) say(Level::warning, active.channel + ": not sent: " + result.error);
  active_.erase(std::string(active.channel));
  if (!stopping_)
    look();
  else if (active_.empty())
    timer_.cancel();
}

void Telling::stop() {
  stopping_ = true;
  timer_.cancel();
  if (active_.empty()) return;
  timer_.expires_after(kStopLimit);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    for (const auto& [channel, active] : active_) active->child.kill();
    active_.clear();
  });
}

}  // namespace qcbak::daemon
