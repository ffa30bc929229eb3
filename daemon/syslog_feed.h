// Which entries of the repository's log the collector has: all up to a number that is in the daemon's database. Entries go in
// their order and without gaps; some go twice when the daemon ends between their being taken and its knowing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backup/repository/repository.h"
#include "daemon/database.h"
#include "daemon/outbox.h"
#include "daemon/syslog_message.h"

namespace qcbak::daemon {

inline constexpr std::uint64_t kSyslogBatch = 50;
inline constexpr std::size_t kSyslogBatchBytes = 256U << 10;  // and one entry more

class SyslogFeed {
 public:
  SyslogFeed(Database& database, repository::Repository& repository);

  // The next entries for the collector, if it may be tried now; empty: none. Error(damaged).
  std::vector<SyslogEntry> next(const std::string& collector, Time now);
  void sent(const std::string& collector, std::uint64_t last);
  void failed(const std::string& collector, const std::string& why, Time now);
  void try_again();

  struct Progress {
    std::uint64_t sent = 0;    // number of the last entry
    std::uint64_t behind = 0;  // entries
    std::optional<Time> failing_since;
    std::string error;  // of the last try; empty: it did not fail
  };
  Progress progress(const std::string& collector);

 private:
  struct Row {
    std::uint64_t sent = 0;
    std::int64_t failures = 0, due_ns = 0, failing_since_ns = 0;
    std::string error;
  };
  Row row(const std::string& collector);
  Database& database_;
  repository::Repository& repository_;
};

}  // namespace qcbak::daemon
