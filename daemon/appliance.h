// qcbakd put together: the schedule, the watch on the sources, the workers, the socket. One thread, one event loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/random.h"
#include "config/config.h"
#include "daemon/admission.h"
#include "daemon/api.h"
#include "daemon/audit.h"
#include "daemon/scheduler.h"
#include "daemon/server.h"
#include "daemon/state.h"
#include "daemon/telling.h"
#include "daemon/tree_watch.h"
#include "daemon/worker.h"

namespace qcbak::daemon {

inline constexpr std::size_t kWorkersLimit = 4;

class Appliance {
 public:
  // Takes the repository for itself, finishes what an earlier daemon left, and listens. Error when it cannot: the
  // configuration is wrong for this machine, or another process has the repository.
  struct Neighbours {
    std::string workers;     // the socket at which systemd starts workers; empty: the daemon starts them itself
    std::string messengers;  // the same of messengers
    std::string gateway_user;  // who beside root and the daemon's own user speaks for the network; empty: nobody
  };
  Appliance(config::Config config, Neighbours neighbours);
  ~Appliance();
  // Serves until it is told to stop; then runs in work are stopped and come to their end.
  void run();

 private:
  struct Active {
    Active(const Run& run, const WorkOrder& order, const std::string& workers, int lock, boost::asio::io_context& loop);
    Run run;
    Worker worker;
    boost::asio::posix::stream_descriptor readable;
    bool cancelled = false;
  };

  std::unique_ptr<State> open_state() const;
  void note(const std::function<void()>& write);
  void settle_past();
  void plan_jobs(Time now);
  void hold_jobs();
  void reload();
  void stop();

  void wait_for_signal();
  void wait_for_changes();
  void wait_for_worker(Active& active);
  void wait_for_time();
  void look();  // is anything to be done now?
  bool may_start() const;
  void start(const Run& run);
  void finish(Active& active, const WorkResult& result);
  void watchdog();

  ApiView view();
  void listen();
  Caller identify_gateway(int socket) const;
  void handle(Request& request, const Caller& caller, const Server::Respond& respond);
  void handle_remote(Request& request, const Caller& peer, const Server::Respond& respond);
  bool has_metrics_token(const Request& request) const;

  config::Config config_;
  std::string config_sha256_;
  Neighbours neighbours_;
  std::vector<config::Job> jobs_;  // of the configuration, and the daemon's own
  SystemRandom random_;
  std::unique_ptr<storage::Storage::WriterLock> lock_;
  Vault vault_;
  std::unique_ptr<AuditLog> audit_;
  std::unique_ptr<State> state_;
  std::unique_ptr<Register> register_;
  std::string repository_id_;
  bool plan_approved_ = false;               // some plan is in force
  std::map<std::string, std::string> held_;  // jobs that do not run, and why
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<TreeWatch> watch_;
  Time started_;
  bool stopping_ = false;

  boost::asio::io_context loop_{1};
  boost::asio::signal_set signals_;
  boost::asio::steady_timer timer_;
  boost::asio::steady_timer watchdog_;
  std::unique_ptr<boost::asio::posix::stream_descriptor> changes_;
  std::map<std::string, std::unique_ptr<Active>> active_;  // by run
  std::optional<Run> alone_;  // begun, and waits until it is alone; nothing else is started meanwhile
  std::unique_ptr<Telling> telling_;
  std::unique_ptr<Admission> admission_;
  std::unique_ptr<Server> server_, gateway_server_;  // the second: none, where nobody logs in over the network
};

}  // namespace qcbak::daemon
