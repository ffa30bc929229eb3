// What the daemon must not forget between two of its lives: up to which slot each job was handled, and every run. In
// SQLite; a run is there before anything is done for it, and its end before anybody is told.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "daemon/database.h"

namespace qcbak::daemon {

enum class Reason { schedule, change, request };
enum class Outcome {
  complete,
  incomplete,   // committed, with findings
  unchanged,    // nothing to commit: all is as in the last snapshot
  failed,
  interrupted,  // the daemon was stopped, or died, before it was committed
  cancelled,    // somebody asked for that
};
std::string_view name_of(Reason reason);
std::string_view name_of(Outcome outcome);
Reason reason_from(std::string_view name);    // Error(damaged)
Outcome outcome_from(std::string_view name);  // Error(damaged)
// Has this run done what its slot asked for?
inline bool succeeded(Outcome outcome) {
  return outcome == Outcome::complete || outcome == Outcome::incomplete || outcome == Outcome::unchanged;
}

struct Run {
  std::string id;  // 32 hexadecimal digits; also the label "run" of its snapshot
  std::string job;
  Reason reason = Reason::schedule;
  std::optional<Time> slot;  // that it is for; also of tries after the first
  std::int64_t tries = 1;     // which try this is …
  std::int64_t failures = 0;  // … and how many of those before it failed, and were not only interrupted
  std::string asked_by;      // the user, of a request
  Time started;
  std::optional<Time> ended;
  std::optional<Outcome> outcome;
  std::string snapshot;  // hexadecimal; empty: none
  std::string error;     // why it failed
  std::string summary;   // the worker's result, a JSON object; empty: none
};

class State {
 public:
  // Error(damaged) when what is there cannot be used.
  explicit State(const std::string& path);

  // The newest slot for which the job has run or been given up; nothing: the job is new.
  std::optional<Time> handled(const std::string& job);
  void set_handled(const std::string& job, Time slot);

  // The run is there and, if it has one, its slot is handled. False, and nothing done, if another has this slot and try.
  bool begin(const Run& run);
  // Sets ended, outcome, snapshot, error and summary.
  void end(const Run& run);
  // From elsewhere than this database: its end is known. Does nothing when the run is there.
  void recall(const Run& run);

  std::vector<Run> unfinished();
  std::optional<Run> run(const std::string& id);  // or the first digits of it, 8 or more, where no other has them
  std::optional<Run> last(const std::string& job);                             // by its start
  std::optional<Run> last_success(const std::string& job);
  std::optional<Run> last_verdict(const std::string& job);  // that came to an end of its own: neither in work, interrupted nor cancelled
  std::optional<Run> last_commit(const std::string& job);  // that left a snapshot
  std::optional<Time> first_known(const std::string& job);  // when the state first heard of it
  std::vector<Run> history(const std::string& job, std::int64_t limit);  // newest first

  bool empty();  // it knows of no job and no run

  // For what else the daemon must not forget, in tables of its own.
  Database& database() { return database_; }

 private:
  Database database_;
};

}  // namespace qcbak::daemon
