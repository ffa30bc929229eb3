// qcbak prune
#include "cli/prune.h"

#include "backup/repository/collect.h"
#include "cli/messages.h"

namespace qcbak::cli {

PruneSummary prune(const Invocation& invocation, Session& session, bool dry_run) {
  repository::CollectOptions options;
  if (dry_run) options.act = repository::CollectOptions::Act::only_report;
  repository::CollectResult total;
  for (const repository::DomainKeys& domain : session.repository().domains())
    total += repository::collect(session.context(domain), options, invocation.stop);
  std::vector<std::string> damaged;
  for (const repository::ObjectName& pack : total.packs_damaged) damaged.push_back(repository::pack_path(pack));
  const bool too_little = total.space == repository::CollectResult::Space::too_little;
  PruneSummary summary;
  summary.json = {{"dry_run", dry_run},
                  {"packs_before", total.packs_before},
                  {"packs_rewritten", total.packs_rewritten},
                  {"packs_removed", total.packs_removed},
                  {"bytes_freed", total.bytes_freed},
                  {"chunks_needed", total.chunks_needed},
                  {"snapshot_objects_removed", total.snapshot_objects_removed},
                  {"packs_damaged", damaged},
                  {"space_too_little", too_little}};
  if (!damaged.empty())
    summary.code = ExitCode::damaged;
  else if (too_little)
    summary.code = ExitCode::incomplete;
  Output& output = invocation.output;
  for (const std::string& pack : damaged)
    output.warn(say("{} is damaged and left as it is; next: qcbak repair --dry-run", pack));
  if (too_little) output.warn(tr("there is too little space to rewrite packs; free some, and prune again"));
  if (output.json() || output.quiet()) return summary;
  output.line(say(dry_run ? "would free {}: {} of {} packs go, {} of them are rewritten"
                          : "freed {}: {} of {} packs are gone, {} of them were rewritten",
                  size_text(total.bytes_freed), std::max(total.packs_removed, total.packs_condemned),
                  total.packs_before, total.packs_rewritten));
  return summary;
}

namespace {

ExitCode run(const Invocation& invocation) {
  const bool dry_run = invocation.arguments.has("dry-run");
  Session session(invocation, Session::Keys::any);
  if (!dry_run) session.lock_for_writing();
  const PruneSummary summary = prune(invocation, session, dry_run);
  if (invocation.output.json()) invocation.output.document(summary.json);
  return summary.code;
}

}  // namespace

Command prune_command() {
  return {
      .name = "prune",
      .summary = "Free the space that no snapshot needs",
      .description =
          "Removes what only forgotten snapshots needed, and rewrites packs of which much is unneeded. A write "
          "credential is enough. When a snapshot that "
          "lives is damaged, nothing is removed.",
      .options = {{"dry-run", "", "only say how much would be freed"}},
      .examples = {{"qcbak prune --dry-run", "how much is there to free"}, {"qcbak prune", "frees it"}},
      .run = run,
  };
}

}  // namespace qcbak::cli
