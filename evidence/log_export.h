// A repository's log as one file that proves itself to who has the roots' public keys. docs/format.md "Log export".
#pragma once

#include <functional>
#include <stop_token>
#include <string_view>
#include <vector>

#include "backup/repository/repository.h"
#include "evidence/document.h"

namespace qcbak::evidence {

struct LogExportOptions {
  // The details of entries of this time are opened, as far as the keys at hand open them.
  std::optional<Time> since;  // from then on
  std::optional<Time> until;  // up to then, not included
};

struct LogExportSummary {
  repository::LogHead last;
  std::uint64_t opened = 0;  // entries whose sealed details were opened
  std::uint64_t sealed = 0;  // entries whose sealed details were not
};

// Gives the lines to `write`, each with its LF, signed in the end by the key of `signer`, one of the unlocked domains.
// Error(damaged) when an entry is not the one that the opened repository has: what was written is then no export.
// Error(interrupted).
LogExportSummary export_log(const repository::Repository& repository, const repository::DomainKeys& signer, Time now,
                            const LogExportOptions& options, const std::function<void(std::string_view)>& write,
                            const std::stop_token& stop);

struct LogExportCheck {
  repository::LogCheck log;  // its findings are those of the whole document
  std::uint64_t opened = 0;
  std::uint64_t sealed = 0;
  std::string made;  // as the document has it
};

// Checks every line, reading on from the second; `header` is the first one. Everything that check_log() checks of a repository, that what is
// shown is what was sealed, that the roots of all domains are among `roots`, and that the end was signed by one who may.
// What is wrong is a finding. Holds one line at a time, beside what LogChecker does.
LogExportCheck check_log_export(std::string_view header, LineReader& lines, const Roots& roots,
                                const std::vector<repository::LogHead>& known);

// The lines of the two halves.
std::string header_line(ByteView config);
std::string object_line(const repository::ObjectName& name, ByteView stored);
// `entry` has its details opened when there is a key.
std::string entry_line(const repository::LogEntry& entry, ByteView stored, const std::optional<crypto::AeadKey>& key);
Json end_json(const repository::LogHead& last, const std::string& made, const repository::DomainId& domain,
              const crypto::SignPublic& signer);

}  // namespace qcbak::evidence
