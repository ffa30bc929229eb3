// What daemon and worker say to each other: lines of JSON. docs/daemon.md "Workers".
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "config/config.h"
#include "daemon/state.h"
#include "daemon/vault.h"

namespace qcbak::daemon {

struct WorkOrder {
  enum class Kind {
    back_up,  // and keep what the job's retention says
    collect,  // free the space of what was forgotten; nobody else may write meanwhile
    keep_state,  // back up the state database and the configuration
    keep_log,    // back up an export of the log
  } kind = Kind::back_up;
  std::string run;
  Reason reason = Reason::schedule;
  VaultPlace vault;
  config::Job job;
  // Nothing is committed while all is still in this state, and the snapshot that has it lives. Both empty: always.
  std::string unless_state, unless_snapshot;
  std::string config_sha256;  // of the configuration file that the daemon works by
  std::string config_file, state_dir;
};
WorkOrder::Kind kind_of(std::string_view job);  // by the name of the job
std::string sha256_of(const config::Config& config);  // of its text, hexadecimal
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

// Each second.
struct WorkProgress {
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
  std::uint64_t problems = 0;
};
std::string encode_progress(const WorkProgress& progress);  // one line

using WorkMessage = std::variant<WorkProgress, WorkResult>;
WorkMessage decode_message(std::string_view line);  // Error(failed)

}  // namespace qcbak::daemon
