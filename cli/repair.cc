// qcbak repair
#include "backup/repair.h"

#include "backup/storage/local_directory.h"
#include "cli/confirm.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/progress_display.h"
#include "cli/session.h"

namespace qcbak::cli {
namespace {

void append_all(std::vector<std::string>& to, const std::vector<std::string>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

void add(RepairResult& total, RepairResult part) {
  append_all(total.healed_objects, part.healed_objects);
  append_all(total.salvaged_packs, part.salvaged_packs);
  append_all(total.indexes_rebuilt, part.indexes_rebuilt);
  append_all(total.unproven_packs, part.unproven_packs);
  total.records_salvaged += part.records_salvaged;
  total.records_lost += part.records_lost;
  total.references_rebuilt += part.references_rebuilt;
  total.packs_indexed += part.packs_indexed;
  for (RepairResult::Loss& loss : part.losses) total.losses.push_back(std::move(loss));
}

Json as_json(const RepairResult& result, bool dry_run) {
  Json losses = Json::array();
  for (const RepairResult::Loss& loss : result.losses) {
    Json object = {{"snapshot", loss.snapshot}};
    put_name(object, "path", loss.path);
    object["what"] = loss.what;
    losses.push_back(std::move(object));
  }
  return {{"type", "summary"},
          {"dry_run", dry_run},
          {"healed_objects", result.healed_objects},
          {"salvaged_packs", result.salvaged_packs},
          {"records_salvaged", result.records_salvaged},
          {"records_lost", result.records_lost},
          {"references_rebuilt", result.references_rebuilt},
          {"indexes_rebuilt", result.indexes_rebuilt},
          {"packs_indexed", result.packs_indexed},
          {"unproven_packs", result.unproven_packs},
          {"losses", std::move(losses)}};
}

void report(Output& output, const RepairResult& result, bool dry_run) {
  if (output.quiet()) {
    for (const RepairResult::Loss& loss : result.losses)
      output.warn(say("lost in snapshot {}: {}: {}", short_id(loss.snapshot), printable(loss.path), loss.what));
    return;
  }
  if (dry_run) output.line(tr("dry run: nothing is changed; this is what would be done"));
  for (const std::string& object : result.healed_objects) output.line(say("healed from the copy: {}", object));
  for (const std::string& pack : result.salvaged_packs) output.line(say("salvaged what is good of pack {}", pack));
  for (const std::string& index : result.indexes_rebuilt) output.line(say("index made anew: {}", index));
  if (result.packs_indexed > 0)
    output.line(counted(result.packs_indexed, "{} pack entered into an index", "{} packs entered into an index"));
  if (result.references_rebuilt > 0)
    output.line(counted(result.references_rebuilt, "{} reference node made anew", "{} reference nodes made anew"));
  for (const std::string& pack : result.unproven_packs)
    output.line(output.styled(Output::Style::bad, say("left as it is, for want of a reading key: {}", pack)));
  for (const RepairResult::Loss& loss : result.losses)
    output.line(output.styled(Output::Style::bad, say("lost in snapshot {}: {}: {}", short_id(loss.snapshot),
                                                      printable(loss.path), one_line(loss.what))));
  output.line(say("{} records salvaged, {} lost", result.records_salvaged, result.records_lost));
  if (!result.losses.empty())
    output.line(
        tr("Next: back up again while the files are still there, or repair --from another copy of the repository."));
}

ExitCode run(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  const bool dry_run = arguments.has("dry-run");
  RepairOptions options;
  if (dry_run) options.act = RepairOptions::Act::only_report;
  std::unique_ptr<storage::Storage> copy;
  if (const auto from = arguments.value("from")) {
    copy = storage::open_local_directory(*from);
    options.healthy_copy = copy.get();
  }
  if (!dry_run)
    require_confirmation(invocation, say("Repair the repository at {}?", one_line(repository_place(arguments))));

  RepairResult result;
  // Before it can even be opened: what the log and the keys are made of.
  if (copy) {
    const auto storage = storage::open_local_directory(repository_place(arguments));
    std::unique_ptr<storage::Storage::WriterLock> lock;
    if (!dry_run) lock = wait_for_lock(invocation, *storage);
    result.healed_objects = heal_foundations(*storage, *copy, options.act);
  }
  Session session(invocation, Session::Keys::any);
  if (!dry_run) session.lock_for_writing();
  Progress progress;
  {
    const ProgressDisplay display(invocation, progress, std::string(tr("Repairing")));
    for (const repository::DomainKeys& domain : session.repository().domains())
      add(result, qcbak::repair(session.context(domain), options, progress, invocation.stop));
  }
  if (invocation.output.json())
    invocation.output.document(as_json(result, dry_run));
  else
    report(invocation.output, result, dry_run);
  const bool damaged_still = !result.losses.empty() || !result.unproven_packs.empty() ||
                             (dry_run && (!result.salvaged_packs.empty() || !result.healed_objects.empty()));
  return damaged_still ? ExitCode::damaged : ExitCode::done;
}

}  // namespace

Command repair_command() {
  return {
      .name = "repair",
      .summary = "Salvage what is good of a damaged repository",
      .description =
          "Copies what is good out of damaged packs to new ones, makes damaged indexes anew, and with --from takes "
          "whole objects from another copy of "
          "the repository. Nothing that is good is removed or rewritten. What cannot be restored any more is named, by "
          "snapshot and "
          "file; the exit code is then 4.",
      .options =
          {
              {"dry-run", "", "only say what would be done"},
              {"from", "REPO", "another copy of the same repository, to take whole objects from"},
              yes_option(),
          },
      .later = {"distrust-since"},
      .examples =
          {
              {"qcbak repair --dry-run", "what is lost, and what can be saved"},
              {"qcbak repair --from /media/copy/repository --yes", "heals from a copy, without asking"},
          },
      .run = run,
  };
}

}  // namespace qcbak::cli
