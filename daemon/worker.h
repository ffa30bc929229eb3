// A run is done by a process of its own, so that reading every file needs no rights of the daemon's, and nothing that
// happens there harms it. They speak through a socket: the order goes in, progress and one result come out, each a line
// of JSON. When its end of the socket closes, the worker stops and commits nothing more. docs/daemon.md "Workers".
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "config/config.h"
#include "daemon/state.h"
#include "daemon/vault.h"

namespace qcbak::daemon {

struct WorkOrder {
  enum class Kind {
    back_up,  // and keep what the job's retention says
    collect,  // free the space of what was forgotten; nobody else may write meanwhile
  } kind = Kind::back_up;
  std::string run;
  Reason reason = Reason::schedule;
  VaultPlace vault;
  config::Job job;
  std::string config_sha256;  // of the configuration file that the daemon works by
};
std::string encode_order(const WorkOrder& order);        // one line
WorkOrder decode_order(std::string_view line);           // Error(failed)

struct WorkResult {
  Outcome outcome = Outcome::failed;
  std::string snapshot;
  std::string error;
  std::string summary;  // a JSON object; empty: none
};
std::string encode_result(const WorkResult& result);     // one line
WorkResult decode_result(std::string_view line);         // Error(failed)

struct WorkProgress {
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
  std::uint64_t problems = 0;
};

// The worker's whole life; `socket` is its end. Returns its exit code. With `config`, the path of the configuration, it is
// one with more rights than the daemon: of the order it takes what to do and for which job, and what that means from the
// file, which nobody but root may be able to write and which has to be the daemon's.
int work(int socket, const std::string& config);

// The daemon's side of a worker.
class Worker {
 public:
  // Starts one, or has it started by connecting to the socket `at`. `lock`: what holds the writer's lock; the worker keeps
  // it as long as it lives, also when the daemon dies.
  Worker(const WorkOrder& order, const std::string& at, int lock);
  // Stops it, and waits until it is gone.
  ~Worker();

  int descriptor() const { return socket_.get(); }  // readable when receive() has something
  // Takes what has come. The result, once the worker is gone; of one that died, that it failed.
  std::optional<WorkResult> receive();
  // It ends soon, with a result.
  void stop();
  const WorkProgress& progress() const { return progress_; }

 private:
  void take_line(std::string_view line);
  void start();
  void connect(const std::string& at);
  int wait();
  UniqueFd socket_;
  pid_t process_ = -1;  // -1: it is systemd's, or gone
  std::string received_;
  WorkProgress progress_;
  std::optional<WorkResult> result_;
};

}  // namespace qcbak::daemon
