// Collecting what no snapshot needs: for `qcbak prune` and `qcbak forget --prune`.
#pragma once

#include "cli/session.h"

namespace qcbak::cli {

struct PruneSummary {
  Json json;
  ExitCode code = ExitCode::done;
};
// In all domains that the key opens. With the session's lock, unless `dry_run`. Prints its lines unless JSON is asked for.
PruneSummary prune(const Invocation& invocation, Session& session, bool dry_run);

}  // namespace qcbak::cli
