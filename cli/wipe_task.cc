#include "cli/wipe_task.h"

#include <sys/utsname.h>

#include "base/error.h"
#include "cli/messages.h"
#include "cli/new_file.h"
#include "cli/text.h"
#include "crypto/hash.h"

namespace qcbak::cli {
namespace {

[[noreturn]] void refuse(std::string what, std::string next) {
  throw Error(ErrorCode::refused, std::move(what)).with_hint(std::move(next));
}

// The raw text of the disk where it is the one that was approved, so that the guard compares bytes.
std::string approved_text(const std::string& approved, const std::string& found) {
  return printable(found) == approved ? found : approved;
}

wipe::JournalContent read_journal(const std::string& path) {
  return in_context(printable(path), [&] { return wipe::parse_journal(read_file(path, wipe::kJournalLimit)); });
}

// overwrite() asks the journal again.
std::vector<std::uint64_t> grown_sizes(const WipeTask& task) {
  if (!exists(task.journal)) return {};
  const wipe::JournalContent journal = read_journal(task.journal);
  if (journal.beginning.order != task.order) return {};
  return wipe::sizes_of_disk(journal.beginning, journal.progress ? &*journal.progress : nullptr);
}

void add_surroundings(evidence::WipeRun& run) {
  utsname machine{};
  if (::uname(&machine) != 0) throw_errno("ask for", "the name of this machine");
  run.tool = std::string("qcbak ") + QCBAK_VERSION;
  run.host = printable(machine.nodename);
  run.kernel = printable(std::string(machine.sysname) + " " + machine.release);
}

std::vector<std::string> contents_of(const wipe::Plan& plan, const wipe::JobSecret& secret) {
  std::vector<std::string> contents;
  for (std::size_t i = 0; i < plan.steps.size(); ++i)
    contents.push_back(wipe::writes(plan.steps[i]) ? wipe::PassContent(plan, i, secret).description() : "");
  return contents;
}

}  // namespace

crypto::Sha256 order_of(const evidence::Dossier& dossier, std::size_t medium) {
  Bytes order = from_hex(dossier.approval->by.statement.sha256);
  append_le(order, static_cast<std::uint32_t>(medium + 1));
  return crypto::sha256(order);
}

wipe::ApprovedTarget target_of(const WipeTask& task, const wipe::Inspection& inspection) {
  const evidence::RequestedMedium& medium = task.requested;
  const wipe::Identity& identity = inspection.identity();
  if (printable(identity.vendor) != medium.vendor)
    refuse(say("{} is of another vendor than was approved", inspection.name()),
           std::string(tr("look for the right disk: qcbak wipe list")));
  return {approved_text(medium.model, identity.model), approved_text(medium.serial, identity.serial),
          medium.serial_by_hand ? wipe::SerialOrigin::entered_by_hand : wipe::SerialOrigin::reported, medium.size_bytes,
          medium.plan_hash, grown_sizes(task)};
}

std::string job_id(const wipe::JobSecret& secret) {
  constexpr std::size_t kSize = 16;
  return to_hex(crypto::hkdf_sha256(secret.view(), {}, as_bytes("qcbak1 wipe job"), kSize).view());
}

void require_in_time(const evidence::Dossier& dossier, Time begins) {
  if (begins > dossier.request.expires)
    refuse(say("the approval expired {}", format_time(dossier.request.expires)),
           std::string(tr("request the wipe anew")));
  const auto approved = parse_time(dossier.approval->by.statement.time);
  if (!approved || begins < *approved)
    refuse(say("the clock of this machine is before the time of the approval, {}",
               one_line(dossier.approval->by.statement.time)),
           std::string(tr("set the clock, and try again")));
}

void require_own_journal(const evidence::Dossier& dossier, const WipeTask& task, Time now) {
  if (!exists(task.journal)) return require_in_time(dossier, now);
  const wipe::JobBeginning beginning = read_journal(task.journal).beginning;
  const std::string next(tr("name a new journal with --journal"));
  if (beginning.order != task.order) refuse(say("{} is the journal of another job", printable(task.journal)), next);
  for (const evidence::WipeRun& run : dossier.runs)
    if (run.job == job_id(beginning.secret))
      refuse(say("the job of {} is in the dossier already", printable(task.journal)), next);
  require_in_time(dossier, beginning.time);
}

evidence::WipeRun record_of(const WipeTask& task, const DiskFacts& disk) {
  const wipe::JournalContent journal = read_journal(task.journal);
  const wipe::JobBeginning& job = journal.beginning;
  evidence::WipeRun run;
  run.medium = task.medium;
  run.job = job_id(job.secret);
  run.plan_hash = wipe::plan_hash(task.plan);
  run.identity = {printable(job.identity.vendor), printable(job.identity.model), printable(job.identity.serial),
                  printable(job.identity.firmware), printable(job.identity.wwid)};
  run.geometry = disk.geometry;
  run.geometry.size_bytes = job.size_bytes;  // as it was approved: the steps say how it grew
  run.device = printable(disk.name);
  run.attachment = disk.attachment;
  run.sandbox = disk.sandbox;
  run.health_before = job.health;
  run.health_after = disk.health_after;
  run.contents = contents_of(task.plan, job.secret);
  run.progress = journal.progress.value_or(wipe::Progress{});
  add_surroundings(run);
  return run;
}

}  // namespace qcbak::cli
