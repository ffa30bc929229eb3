// What is written down of a run of a backup: the journal. docs/daemon.md "The journal".
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "backup/backup.h"
#include "backup/source/source_state.h"
#include "daemon/retention.h"

namespace qcbak::daemon {

// The source looked through once more when the copy was made.
struct Reconciliation {
  std::uint64_t files = 0;      // that the copy has
  std::uint64_t as_stored = 0;  // of these, unmodified since they were read
  std::uint64_t read_again =
      0;  // new or changed since then, or so lately that reading them again was the only way to tell
  std::uint64_t bytes_differing = 0;  // of their content that the copy does not have
  std::uint64_t gone = 0;             // that the copy has and the source no longer
  bool agrees() const { return bytes_differing == 0 && gone == 0 && as_stored + read_again == files; }
};

struct JournalEntry {
  std::vector<source::PathState> before, after;
  BackupResult result;
  std::optional<Reconciliation>
      reconciliation;               // nothing: there was no new copy, or the source could not be looked through
  std::string snapshot_sha256;      // of the snapshot's object; empty: there is no new one
  std::vector<std::string> copies;  // where they are
  Kept kept;
};
nlohmann::json json_of(const JournalEntry& entry);

Reconciliation reconcile(const BackupResult& backed_up, const BackupResult& looked_through);

// Of a run's summary, what its entry in the audit log has: all but the list of findings.
nlohmann::json for_the_log(const std::string& summary);

}  // namespace qcbak::daemon
