// What a process that wipes tells of one medium while it is at it: a small file beside the medium's journal, for whoever looks.
// docs/sanitisation.md "The status file".
#pragma once

#include <sys/types.h>

#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace qcbak::cli {

inline constexpr std::size_t kStatusFileLimit = 64U << 10;

enum class JobState { inspected, cleared, sanitising, verifying, ended, given_up, failed };
std::string_view job_state_name(JobState state);  // "given-up"
inline bool is_end(JobState state) { return state >= JobState::ended; }

// A process, also told from a later one that was given the same number.
struct ProcessMark {
  pid_t pid = 0;
  std::uint64_t started = 0;  // field 22 of /proc/PID/stat
  friend bool operator==(const ProcessMark&, const ProcessMark&) = default;
};
ProcessMark this_process();                   // Error(io)
bool is_running(const ProcessMark& process);  // also where only its number may be seen

struct WipeStatus {
  std::uint64_t medium = 0;  // of the request, from 1 on
  std::string device;
  std::string serial;
  std::string plan;
  JobState state = JobState::inspected;
  std::string verdict;     // of an end with a run
  std::string reason;      // of an end
  std::uint64_t step = 0;  // from 1 on; 0 before the first
  std::uint64_t steps = 0;
  std::uint64_t done_bytes = 0;  // of all steps, since this start
  std::uint64_t total_bytes = 0;
  std::uint64_t bytes_per_second = 0;
  std::optional<std::uint64_t> seconds_left;
  std::uint64_t errors = 0;  // that the disk gave since this start
  ProcessMark process;
  friend bool operator==(const WipeStatus&, const WipeStatus&) = default;
};

std::string encode(const WipeStatus& status);
WipeStatus parse_wipe_status(ByteView file);  // Error(damaged)

inline std::string status_file_of(const std::string& journal) { return journal + ".status"; }

// How fast it goes now: over the last half minute.
class Pace {
 public:
  void take(std::uint64_t done_bytes, std::int64_t now_ns);
  std::uint64_t bytes_per_second() const;

 private:
  struct Sample {
    std::int64_t time_ns;
    std::uint64_t done_bytes;
  };
  std::deque<Sample> samples_;
};

// One medium's status file. It is a convenience: that it cannot be written stops no wipe.
class StatusFile {
 public:
  explicit StatusFile(const std::string& journal) : path_(status_file_of(journal)) {}

  // Whole or not at all, at once; false when it could not be written.
  bool tell(const WipeStatus& status, std::int64_t now_ns);
  // Whether the last one is a second old.
  bool is_due(std::int64_t now_ns) const;

 private:
  std::string path_;
  std::optional<std::int64_t> told_ns_;
};

}  // namespace qcbak::cli
