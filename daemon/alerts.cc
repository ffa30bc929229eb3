#include "daemon/alerts.h"

#include <cmath>

namespace qcbak::daemon {
namespace {

using config::AlertKind;

constexpr std::int64_t kOverdueAfter_ns = 3'600'000'000'000;
constexpr double kGiB = 1U << 30;
constexpr double kLowSpaceBytes = kGiB;
constexpr double kLowSpaceDays = 14;
// What stands goes only when it is clearly over, so that it does not come and go.
constexpr double kEnoughSpaceBytes = 1.25 * kGiB;
constexpr double kEnoughSpaceDays = 16;

class Collected {
 public:
  explicit Collected(const AlertSources& sources) : sources_(sources) {}
  void add(AlertKind kind, const std::string& about, const std::string& job, std::string what, std::string next) {
    Alert alert{kind,
                std::string(config::name_of(kind)) + (about.empty() ? "" : ":" + about),
                job,
                std::move(what),
                std::move(next),
                {}};
    if (const auto told = sources_.standing.find(alert.key); told != sources_.standing.end())
      alert.since = told->second;
    alerts_.push_back(std::move(alert));
  }
  bool stands(AlertKind kind, const std::string& about = "") const {
    return sources_.standing.contains(std::string(config::name_of(kind)) + (about.empty() ? "" : ":" + about));
  }
  std::vector<Alert> take() { return std::move(alerts_); }

 private:
  const AlertSources& sources_;
  std::vector<Alert> alerts_;
};

void look_at_space(const AlertSources& sources, Collected& into) {
  if (!sources.free_bytes) return;
  const bool stands = into.stands(AlertKind::space);
  const auto free = static_cast<double>(*sources.free_bytes);
  const bool low = free < (stands ? kEnoughSpaceBytes : kLowSpaceBytes);
  const bool soon = sources.days_left && *sources.days_left < (stands ? kEnoughSpaceDays : kLowSpaceDays);
  if (!low && !soon) return;
  std::string what = "the repository's medium has only " + std::to_string(*sources.free_bytes >> 20) + " MiB left";
  if (sources.days_left && *sources.days_left < kEnoughSpaceDays)
    what += ", and is full in about " + std::to_string(std::lround(std::floor(*sources.days_left))) +
            " days if it goes on like this";
  into.add(AlertKind::space, "", "", what, "qcbak stats");
}

void look_at_clock(const AlertSources& sources, Collected& into) {
  if (const auto& jump = sources.clock_jump)
    into.add(
        AlertKind::clock, "jumped", "",
        "the clock jumped: it should have been " + format_time(jump->expected) + " and was " + format_time(jump->found),
        "timedatectl");
  if (sources.clock_unsynchronised)
    into.add(AlertKind::clock, "unsynchronised", "", "no time source has kept the clock for more than an hour",
             "timedatectl");
}

void look_at_job(const AlertSources& sources, const config::Job& job, Time now, Collected& into) {
  const auto last = sources.state.last_verdict(job.name);
  const auto show = [&] { return "qcbak job show " + last->id.substr(0, 8); };
  if (last && last->outcome == Outcome::failed)
    into.add(AlertKind::failure, job.name, job.name, "the last run failed: " + last->error, show());
  if (last && last->outcome == Outcome::incomplete)
    into.add(AlertKind::incomplete, job.name, job.name, "the last run could not back up everything", show());
  if (is_overdue(sources.state, job, now))
    into.add(AlertKind::missed, job.name, job.name,
             "it is overdue: no run has succeeded since its schedule asked for one", "qcbak job history " + job.name);
  if (sources.incompletely_watched.contains(job.name) && !job.schedule)
    into.add(AlertKind::unwatched, job.name, job.name,
             "not everything can be watched for changes (fs.inotify.max_user_watches, or what the daemon's user may "
             "read): give it a schedule",
             "qcbak config show");
}

void look_at_plan(const AlertSources& sources, Collected& into) {
  if (!sources.plan_approved) {  // which is why, where something is held
    into.add(AlertKind::plan, "", "", "no plan has been approved yet", "qcbak plan submit");
    return;
  }
  for (const auto& [job, why] : sources.held)
    into.add(AlertKind::plan, job, job, "it is held: " + why, "qcbak plan show");
}

void look_at_accounts(const AlertSources& sources, Time now, Collected& into) {
  for (const Account& account : sources.accounts)
    if (account.locked)
      into.add(AlertKind::login, account.name, "",
               "the account of user " + account.name + " is locked since " + format_time(account.locked_since) +
                   ": five log-ins failed within 30 minutes" +
                   (account.locked_from.empty() ? "" : ", the last one from " + account.locked_from),
               "qcbak user unlock " + account.name);
  if (sources.review_due && *sources.review_due < now)
    into.add(AlertKind::review, "", "", "for 90 days nobody has looked through who may what", "qcbak user review");
}

void look_at_channel(const ChannelState& channel, Time now, Collected& into) {
  const bool late = channel.oldest && now.ns - channel.oldest->ns > kUndeliveredAfter_ns;
  if (!late && channel.lost == 0) return;
  std::string what = channel.name + ": ";
  if (late)
    what += std::to_string(channel.waiting) + " messages wait, the oldest since " + format_time(*channel.oldest);
  if (channel.lost > 0) what += (late ? ", and " : "") + std::to_string(channel.lost) + " were given up";
  if (!channel.error.empty()) what += ": " + channel.error;
  into.add(AlertKind::undelivered, channel.name, "", what, "qcbakd --send-test");
}

}  // namespace

std::string undelivered_key(const std::string& channel) {
  return std::string(config::name_of(AlertKind::undelivered)) + ":" + channel;
}

bool is_overdue(State& state, const config::Job& job, Time now) {
  if (!job.schedule) return false;
  const auto success = state.last_success(job.name);
  const auto known_since = success ? std::optional(success->started) : state.first_known(job.name);
  if (!known_since) return false;
  const auto slot = job.schedule->next(*known_since);
  if (!slot) return false;
  return job.windows.opens(Time{slot->ns + job.random_delay_ns}).ns + kOverdueAfter_ns < now.ns;
}

std::vector<Alert> current_alerts(const AlertSources& sources, Time now) {
  Collected collected(sources);
  look_at_space(sources, collected);
  look_at_clock(sources, collected);
  look_at_plan(sources, collected);
  for (const config::Job& job : sources.jobs) look_at_job(sources, job, now, collected);
  look_at_accounts(sources, now, collected);
  for (const ChannelState& channel : sources.channels) look_at_channel(channel, now, collected);
  return collected.take();
}

}  // namespace qcbak::daemon
