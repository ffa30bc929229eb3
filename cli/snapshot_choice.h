// Naming snapshots on the command line: an id's first digits or "latest", narrowed by options, and a path inside.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "backup/browse.h"
#include "cli/session.h"

namespace qcbak::cli {

// --label, --host, --path, --domain, which narrow "latest" and lists.
const std::vector<Option>& narrowing_options();
std::vector<Option> with_narrowing(std::vector<Option> options);
SnapshotFilter filter_from(const Arguments& arguments);

// "KEY=VALUE". Error(usage).
std::pair<std::string, std::string> parse_label(std::string_view text);
// What the format keeps as text must be UTF-8. Error(usage) naming `what`.
std::string require_utf8(std::string_view text, std::string_view what);

// "SNAPSHOT:PATH"; without ":PATH" the path is "/".
struct SnapshotPath {
  std::string snapshot;
  std::string path;
};
SnapshotPath parse_snapshot_path(std::string_view text);

// As find_snapshot, with the command's narrowing options.
repository::SnapshotInfo choose_snapshot(Session& session, const Arguments& arguments, std::string_view text);

}  // namespace qcbak::cli
