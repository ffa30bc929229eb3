// Checking a repository's log from its first entry to its last, with no key. docs/format.md "Log".
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "backup/repository/log.h"
#include "backup/storage/storage.h"

namespace qcbak::repository {

struct LogFinding {
  std::uint64_t number = 0;  // of the entry; 0: what is checked, as a whole
  std::string what;          // "was altered: …"
};

inline constexpr std::size_t kLogFindings = 10'000;  // are named; that there are more is the last of them

struct LogCheck {
  std::uint64_t entries = 0;  // that are there
  LogHead last;               // the last of them; number 0: there is none
  Time last_time;
  std::vector<LogFinding> findings;
};

// Each entry's place, signature, and link to the one before; as far as nothing is wrong also who may sign, times, and what
// checkpoints inside the log say. After a first finding it goes on with what can be checked without the entries before.
// Remembers 32 bytes of every entry, and what LogState has.
class LogChecker {
 public:
  LogChecker(const crypto::Sha256& config_hash, LoadKeyObject load);

  std::uint64_t next_number() const { return hashes_.size() + 1; }
  // What is stored as the next number.
  void add(ByteView stored);
  // The same, parsed with its signature checked.
  void add(const LogEntry& entry, ByteView stored);
  // There is no entry of the next number, or none to be read.
  void add_missing(const std::string& what);
  void find(std::uint64_t number, std::string what);
  // No entry so far was missing or wrong: state() is what the log says.
  bool whole() const { return whole_; }
  const LogState& state() const { return state_; }
  // `known`: heads that somebody remembers, on paper or elsewhere: without one, a log whose end was cut off looks whole.
  // Called once, at the end.
  LogCheck finish(const std::vector<LogHead>& known);

 private:
  bool check_one(const LogEntry& entry, ByteView stored);
  void apply(const LogEntry& entry, ByteView stored);

  const crypto::Sha256 config_hash_;
  const LoadKeyObject load_;
  LogState state_;
  LogCheck check_;
  std::vector<crypto::Sha256> hashes_;  // of the entries as they are stored
  bool good_ = true;                    // the entry before
  bool whole_ = true;
};

// Heads that somebody remembers, once it is known which keys count at the end of the log.
using KnownHeads = std::function<std::vector<LogHead>(const KeySet& counts)>;
// The whole log of a repository. Error(no_repository), Error(damaged) when the config is not to be read.
LogCheck check_log(const storage::ReadStorage& storage, const std::string& keys_directory,
                   const std::vector<LogHead>& known);
LogCheck check_log(const storage::ReadStorage& storage, const std::string& keys_directory, const KnownHeads& known);

}  // namespace qcbak::repository
