// qcbak wipe run
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/error.h"
#include "cli/dossier_file.h"
#include "cli/messages.h"
#include "cli/new_file.h"
#include "cli/progress_display.h"
#include "cli/text.h"
#include "crypto/hash.h"
#include "wipe/linux_block_device.h"

namespace qcbak::cli {
namespace {

[[noreturn]] void refuse(std::string what, std::string next) {
  throw Error(ErrorCode::refused, std::move(what)).with_hint(std::move(next));
}

bool is_done(const evidence::Dossier& dossier, std::size_t medium) {
  if (evidence::destruction_of(dossier, medium) != nullptr || evidence::is_to_be_destroyed(dossier, medium)) return true;
  const evidence::WipeRun* run = evidence::last_run(dossier, medium);
  return run != nullptr && evidence::succeeded(*run);
}

// The one that is left, or of several the one whose serial was typed.
std::size_t medium_to_wipe(const evidence::Dossier& dossier, const std::string& typed) {
  std::vector<std::size_t> left, typed_ones;
  for (std::size_t i = 0; i < dossier.request.media.size(); ++i) {
    if (is_done(dossier, i)) continue;
    left.push_back(i);
    if (dossier.request.media[i].serial.ends_with(typed)) typed_ones.push_back(i);
  }
  if (left.empty()) refuse(std::string(tr("every medium of this dossier was dealt with")), std::string(tr("have it validated: qcbak wipe validate FILE --accept -o FILE")));
  if (left.size() == 1) return left.front();
  if (typed_ones.size() != 1)
    refuse(std::string(tr("what was typed is not the end of the serial of exactly one medium that is left")),
           std::string(tr("read the serial on the disk's label, and give its last six characters with --confirm")));
  return typed_ones.front();
}

std::string device_with_serial(const evidence::RequestedMedium& medium) {
  std::string found;
  for (const wipe::SeenDisk& disk : wipe::disks_of_machine()) {
    if (printable(disk.identity.serial) != medium.serial) continue;
    if (!found.empty())
      refuse(say("{} and {} report the same serial", found, disk.path), std::string(tr("name the right one with --device")));
    found = disk.path;
  }
  if (found.empty())
    throw Error(ErrorCode::not_found, say("no disk of this machine reports the serial {}", medium.serial))
        .with_hint(std::string(tr("attach it, and look with: qcbak wipe list")));
  return found;
}

std::string device_of(const Arguments& arguments, const evidence::RequestedMedium& medium) {
  if (const auto device = arguments.value("device")) return *device;
  if (medium.serial_by_hand)
    throw Error(ErrorCode::usage, std::string(tr("the serial was entered by hand, so no disk can be found by it")))
        .with_hint(std::string(tr("name the disk with --device")));
  return device_with_serial(medium);
}

// The raw text of the disk where it is the one that was approved, so that the guard compares bytes.
std::string approved_text(const std::string& approved, const std::string& found) {
  return printable(found) == approved ? found : approved;
}

wipe::ApprovedTarget target_of(const evidence::RequestedMedium& medium, const wipe::Inspection& inspection) {
  const wipe::Identity& identity = inspection.identity();
  if (printable(identity.vendor) != medium.vendor)
    refuse(say("{} is of another vendor than was approved", inspection.name()), std::string(tr("look for the right disk: qcbak wipe list")));
  return {approved_text(medium.model, identity.model), approved_text(medium.serial, identity.serial),
          medium.serial_by_hand ? wipe::SerialOrigin::entered_by_hand : wipe::SerialOrigin::reported, medium.size_bytes,
          medium.plan_hash};
}

// docs/sanitisation.md "The journal": what gives leave for this job and no other.
crypto::Sha256 order_of(const evidence::Dossier& dossier, std::size_t medium) {
  Bytes order = from_hex(dossier.approval->by.statement.sha256);
  append_le(order, static_cast<std::uint32_t>(medium + 1));
  return crypto::sha256(order);
}

std::string job_id(const wipe::JobSecret& secret) {
  constexpr std::size_t kSize = 16;
  return to_hex(crypto::hkdf_sha256(secret.view(), {}, as_bytes("qcbak1 wipe job"), kSize).view());
}

void require_in_time(const evidence::Dossier& dossier, Time begins) {
  if (begins > dossier.request.expires)
    refuse(say("the approval expired {}", format_time(dossier.request.expires)), std::string(tr("request the wipe anew")));
  const auto approved = parse_time(dossier.approval->by.statement.time);
  if (!approved || begins < *approved)
    refuse(say("the clock of this machine is before the time of the approval, {}", one_line(dossier.approval->by.statement.time)),
           std::string(tr("set the clock, and try again")));
}

void require_approved(const evidence::Dossier& dossier) {
  if (!dossier.approval)
    refuse(std::string(tr("nobody has approved this request")), std::string(tr("have it approved: qcbak wipe approve FILE -o FILE")));
  if (dossier.validation)
    refuse(std::string(tr("this dossier was validated already")), std::string(tr("request the wipe anew")));
}

// All that a run is about.
struct Job {
  evidence::Dossier dossier;
  std::size_t medium = 0;
  std::string typed;
  std::string output;
  std::string journal;
  const evidence::RequestedMedium& requested() const { return dossier.request.media[medium]; }
};

Job job_of(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  const auto approval = arguments.value("approval");
  if (!approval || !arguments.operands().empty())
    throw Error(ErrorCode::usage, std::string(tr("wipes through the daemon are not in this version, only those with files")))
        .with_hint(std::string(tr("give the approved dossier with --approval FILE, and name the new one with -o FILE")));
  if (!arguments.has("confirm"))
    throw Error(ErrorCode::usage, std::string(tr("wipe run wants --confirm LAST6")))
        .with_hint(std::string(tr("read the serial on the disk's label, and give its last six characters with --confirm")));
  Job job;
  job.output = arguments.has("dry-run") && !arguments.has("output") ? "" : dossier_output(invocation);
  job.journal = arguments.value("journal").value_or(job.output + ".journal");
  job.typed = arguments.text("confirm");
  job.dossier = read_sound_dossier(invocation, *approval, ErrorCode::refused);
  require_approved(job.dossier);
  job.medium = medium_to_wipe(job.dossier, job.typed);
  return job;
}

wipe::Journal open_journal(const Invocation& invocation, const Job& job, const wipe::ConfirmedTarget& target,
                           const wipe::Plan& plan) {
  const crypto::Sha256 order = order_of(job.dossier, job.medium);
  if (!exists(job.journal)) {
    require_in_time(job.dossier, invocation.clock.now());
    wipe::JobBeginning beginning = wipe::begin_job(target, plan, invocation.clock, invocation.random);
    beginning.order = order;
    return wipe::Journal::create(job.journal, beginning);
  }
  wipe::Journal journal = in_context(printable(job.journal), [&] { return wipe::Journal::open(job.journal); });
  const std::string next(tr("name a new journal with --journal"));
  if (journal.beginning().order != order) refuse(say("{} is the journal of another job", printable(job.journal)), next);
  for (const evidence::WipeRun& run : job.dossier.runs)
    if (run.job == job_id(journal.beginning().secret))
      refuse(say("the job of {} is in the dossier already", printable(job.journal)), next);
  require_in_time(job.dossier, journal.beginning().time);
  if (!invocation.output.quiet()) invocation.output.warn(say("going on from {}", printable(job.journal)));
  return journal;
}

// Both from where this run began, so that rate and time left are right when it goes on from a journal.
std::function<void(const wipe::OverwriteProgress&)> shown_in(Progress& shown, const wipe::Plan& plan) {
  return [&shown, steps = plan.steps.size(), first = std::optional<std::uint64_t>()](const wipe::OverwriteProgress& now) mutable {
    const std::uint64_t at = now.step * now.size_bytes + now.done_bytes;
    if (!first) {
      first = at;
      shown.total_bytes = steps * now.size_bytes - at;
    }
    shown.done_bytes = at - std::min(at, *first);
    *shown.current.lock() = say("step {} of {}", now.step + 1, steps);
  };
}

wipe::OverwriteResult overwrite(const Invocation& invocation, wipe::BlockDevice& device, wipe::ConfirmedTarget target,
                                const wipe::Plan& plan, wipe::Journal& journal) try {
  Progress shown;
  ProgressDisplay display(invocation, shown, std::string(tr("Wiping")));
  wipe::OverwriteOptions options;
  options.progress = shown_in(shown, plan);
  return wipe::overwrite(device, std::move(target), plan, journal, options, invocation.clock, invocation.stop);
} catch (Error& error) {
  if (error.code() == ErrorCode::interrupted)
    error.with_hint(std::string(tr("the disk is not cleared yet: go on with the same command")));
  throw;
}

void add_surroundings(evidence::WipeRun& run) {
  utsname machine{};
  if (::uname(&machine) != 0) throw_errno("ask for", "the name of this machine");
  run.tool = std::string("qcbak ") + QCBAK_VERSION;
  run.host = printable(machine.nodename);
  run.kernel = printable(std::string(machine.sysname) + " " + machine.release);
}

evidence::WipeRun record_of(const Job& job, const wipe::LinuxBlockDevice& device, const wipe::OverwriteResult& result,
                            const wipe::Journal& journal) {
  evidence::WipeRun run;
  run.medium = job.medium;
  run.job = job_id(journal.beginning().secret);
  run.plan_hash = result.plan_hash;
  run.identity = {printable(result.identity.vendor), printable(result.identity.model), printable(result.identity.serial),
                  printable(result.identity.firmware), printable(result.identity.wwid)};
  run.geometry = result.geometry;
  run.device = printable(device.name());
  run.attachment = device.attachment();
  run.contents = result.contents;
  run.progress = result.progress;
  add_surroundings(run);
  return run;
}

void add_verdict(const evidence::Dossier& dossier, evidence::WipeRun& run) {
  const wipe::Assessment assessment = evidence::assess(dossier, static_cast<std::size_t>(&run - dossier.runs.data()));
  run.verdict = wipe::verdict_name(assessment.verdict);
  run.verdict_reason = assessment.reason;
  run.exit_code = evidence::exit_code_of(assessment.verdict);
}

ExitCode tell(const Invocation& invocation, const Job& job, const evidence::WipeRun& run) {
  Output& output = invocation.output;
  const auto code = static_cast<ExitCode>(run.exit_code);
  const bool by_hand = job.requested().serial_by_hand;
  if (output.json()) {
    output.document({{"type", "summary"},
                     {"id", job.dossier.request.id},
                     {"medium", run.medium + 1},
                     {"device", run.device},
                     {"serial", job.requested().serial},
                     {"serial_by_hand", by_hand},
                     {"job", run.job},
                     {"verdict", run.verdict},
                     {"reason", run.verdict_reason},
                     {"segments", run.progress.segments.size()},
                     {"exit_code", run.exit_code},
                     {"file", job.output},
                     {"journal", job.journal}});
    return code;
  }
  const auto style = code == ExitCode::done ? Output::Style::good : Output::Style::bad;
  output.line(output.styled(style, say("{}, serial {}: {}, {}", run.device, one_line(job.requested().serial), run.verdict,
                                       translate_message(run.verdict_reason))));
  if (output.quiet()) return code;
  if (by_hand) output.line(tr("the serial was entered by hand"));
  if (code == ExitCode::destroy) output.line(tr("have this medium destroyed physically"));
  output.line(say("next: another person types: qcbak wipe validate {} --accept -o FILE", printable(job.output)));
  return code;
}

ExitCode tell_dry_run(const Invocation& invocation, const Job& job, const std::string& device, const wipe::Plan& plan) {
  Output& output = invocation.output;
  if (output.json()) {
    output.document({{"type", "dry-run"},
                     {"id", job.dossier.request.id},
                     {"medium", job.medium + 1},
                     {"device", device},
                     {"serial", job.requested().serial},
                     {"size_bytes", job.requested().size_bytes},
                     {"plan", Json::parse(wipe::document(plan))}});
    return ExitCode::done;
  }
  output.line(say("{}, serial {}, {}, would be wiped by {}; nothing was written", device, one_line(job.requested().serial),
                  size_text(job.requested().size_bytes), plan.name));
  for (std::size_t i = 0; i < plan.steps.size(); ++i)
    output.line(say("step {}: {} {}", i + 1, wipe::step_kind_name(plan.steps[i].kind), to_hex(plan.steps[i].pattern)));
  return ExitCode::done;
}

void require_sound(const Invocation& invocation, const Job& job) {
  // As others will read it.
  const auto findings = judge(invocation, read_dossier(job.output));
  if (!findings.empty())
    throw Error(ErrorCode::failed, say("the wipe is done, but its record in {} is not in order: {}", printable(job.output),
                                       finding_text(findings.front())))
        .with_hint(std::string(tr("keep the journal; look at the clock, the keys given, and the dossier")));
}

ExitCode run(const Invocation& invocation) {
  Job job = job_of(invocation);
  const wipe::Plan plan = evidence::plan_of(job.dossier, job.medium);
  if (!exists(job.journal)) require_in_time(job.dossier, invocation.clock.now());
  wipe::LinuxBlockDevice device(device_of(invocation.arguments, job.requested()));
  const wipe::Inspection inspection = wipe::inspect(device);
  wipe::ConfirmedTarget target = wipe::confirm(inspection, target_of(job.requested(), inspection), job.typed);
  if (invocation.arguments.has("dry-run")) return tell_dry_run(invocation, job, device.name(), plan);
  const Signer signer = open_signer(invocation);
  require_known(invocation, signer);
  wipe::Journal journal = open_journal(invocation, job, target, plan);
  const wipe::OverwriteResult result = overwrite(invocation, device, std::move(target), plan, journal);
  evidence::WipeRun& run = evidence::add(job.dossier, record_of(job, device, result, journal));
  add_verdict(job.dossier, run);
  evidence::sign(job.dossier, run.by, signer.name, "", signer.seed, invocation.clock.now());
  write_dossier(job.output, job.dossier);
  require_sound(invocation, job);
  return tell(invocation, job, run);
}

}  // namespace

Command wipe_run_command() {
  return {
      .name = "wipe run",
      .summary = "Wipe a disk that was approved for it",
      .description =
          "Overwrites one disk of an approved dossier by the approved plan, reads it back, and writes a copy of the dossier "
          "with what was done, signed with your own key. The disk is found by its serial; where the serial was entered by "
          "hand it is named with --device. What is in use, or not the disk that was approved, is refused. An interrupted run "
          "goes on from its journal with the same command. Exit code 6: destroy the medium physically.",
      .operands = {"[ID]", 0, 1},
      .options = {{"approval", "FILE", "the approved dossier"},
                  {"confirm", "LAST6", "the last six characters of the serial, as they stand on the disk's label"},
                  {"device", "DEVICE", "the disk, where it reports no serial"},
                  {"dry-run", "", "check everything, and write nothing"},
                  {"journal", "FILE", "where the job's journal lies; the name of the new dossier with .journal without it"},
                  dossier_output_option(),
                  signing_key_option(),
                  people_option()},
      .examples = {{"qcbak wipe run --approval 2.json --public-key people.pem --confirm 00A1B2 -o 3.json",
                    "finds the disk by its serial"},
                   {"qcbak wipe run --approval 2.json --device /dev/sdb --confirm 00A1B2 --dry-run",
                    "what would be done"}},
      .run = run,
      .common = Command::Common::output_only,
  };
}

}  // namespace qcbak::cli
