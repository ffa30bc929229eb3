// Telling people, and the collector of syslog: looks at the alerts every few seconds, keeps what is to be told in the outbox,
// and has messengers send it. docs/daemon.md "Telling people".
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/alerts.h"
#include "daemon/audit.h"
#include "daemon/bulletin.h"
#include "daemon/child.h"
#include "daemon/clock_watch.h"
#include "daemon/messenger_order.h"
#include "daemon/outbox.h"
#include "daemon/space_history.h"
#include "daemon/syslog_feed.h"

namespace qcbak::daemon {

inline constexpr std::size_t kMessengersLimit = 4;

class Telling {
 public:
  // What it looks at; all of it outlives this.
  struct Daemon {
    const config::Config& config;
    const std::string& config_sha256;
    const std::vector<config::Job>& jobs;
    State& state;
    const Vault& vault;
    AuditLog& audit;
    Register& people;
    std::function<const std::set<std::string>&()> incompletely_watched;
    const std::map<std::string, std::string>& held;
    const bool& plan_approved;
  };
  // `messengers`: the socket at which systemd starts them; empty: they are the daemon's own processes.
  Telling(boost::asio::io_context& loop, Daemon daemon, std::string messengers);
  ~Telling();

  void look();            // something may have changed
  void config_changed();  // it was read again: nothing waits for its next try any longer
  void stop();            // what is being sent has a few seconds

  std::vector<Alert> alerts();
  struct Syslog {
    std::string collector;
    SyslogFeed::Progress progress;
  };
  std::vector<ChannelState> channels() { return outbox_.channels(); }
  std::optional<Syslog> syslog();
  std::optional<double> days_left() const { return space_.days_left(); }

 private:
  struct Active;
  void wait();
  void look_and_tell();
  void look_at_clock();
  void put_digests(const std::vector<Alert>& alerts, Time now);
  void send_due(Time now);
  void send_syslog(Time now);
  void start(const std::string& channel, MessengerOrder order);
  void wait_for(Active& active);
  void finish(Active& active, const MessengerResult& result);
  void note(const std::function<void()>& body);

  boost::asio::io_context& loop_;
  Daemon daemon_;
  std::string messengers_;
  Outbox outbox_;
  SpaceHistory space_;
  ClockWatch clock_;
  Bulletin bulletin_;
  SyslogFeed syslog_;
  boost::asio::steady_timer timer_;
  std::map<std::string, std::unique_ptr<Active>> active_;  // by channel: one at a time
  bool stopping_ = false;
};

}  // namespace qcbak::daemon
