// qcbak wipe run, resume
#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/dossier_file.h"
#include "cli/messages.h"
#include "cli/new_file.h"
#include "cli/text.h"
#include "cli/wipe_told.h"
#include "cli/wipe_work.h"

namespace qcbak::cli {
namespace {

[[noreturn]] void refuse(std::string what, std::string next) {
  throw Error(ErrorCode::refused, std::move(what)).with_hint(std::move(next));
}

[[noreturn]] void misused(std::string what, std::string next) {
  throw Error(ErrorCode::usage, std::move(what)).with_hint(std::move(next));
}

bool is_done(const evidence::Dossier& dossier, std::size_t medium) {
  if (evidence::destruction_of(dossier, medium) != nullptr || evidence::is_to_be_destroyed(dossier, medium))
    return true;
  const evidence::WipeRun* run = evidence::last_run(dossier, medium);
  return run != nullptr && evidence::succeeded(*run);
}

std::vector<std::size_t> media_left(const evidence::Dossier& dossier) {
  std::vector<std::size_t> left;
  for (std::size_t i = 0; i < dossier.request.media.size(); ++i)
    if (!is_done(dossier, i)) left.push_back(i);
  if (left.empty())
    refuse(std::string(tr("every medium of this dossier was dealt with")),
           std::string(tr("have it validated: qcbak wipe validate FILE --accept -o FILE")));
  return left;
}

std::size_t medium_with(const evidence::Dossier& dossier, const std::vector<std::size_t>& left,
                        const std::string& typed) {
  std::vector<std::size_t> found;
  for (const std::size_t i : left)
    if (dossier.request.media[i].serial.ends_with(typed)) found.push_back(i);
  if (found.size() != 1)
    refuse(std::string(tr("what was typed is not the end of the serial of exactly one medium that is left")),
           std::string(tr("read the serial on the disk's label, and give its last six characters with --confirm")));
  return found.front();
}

// For each that was typed. The one that is left needs not be found by it: the guard says what is wrong with what was typed.
std::vector<std::size_t> media_to_wipe(const evidence::Dossier& dossier, const std::vector<std::string>& typed) {
  const std::vector<std::size_t> left = media_left(dossier);
  if (left.size() == 1 && typed.size() == 1) return left;
  std::vector<std::size_t> media;
  for (const std::string& one : typed) {
    const std::size_t medium = medium_with(dossier, left, one);
    if (std::ranges::find(media, medium) != media.end())
      misused(say("{} was confirmed twice", one_line(one)), std::string(tr("give each medium once")));
    media.push_back(medium);
  }
  return media;
}

std::string device_with_serial(const evidence::RequestedMedium& medium) {
  std::string found;
  for (const wipe::SeenDisk& disk : wipe::disks_of_machine()) {
    if (printable(disk.identity.serial) != medium.serial) continue;
    if (!found.empty())
      refuse(say("{} and {} report the same serial", found, disk.path),
             std::string(tr("name the right one with --device")));
    found = disk.path;
  }
  if (found.empty())
    throw Error(ErrorCode::not_found, say("no disk of this machine reports the serial {}", medium.serial))
        .with_hint(std::string(tr("attach it, and look with: qcbak wipe list")));
  return found;
}

// Of the one that was typed at `index`.
std::string device_of(const Arguments& arguments, std::size_t index, std::size_t count,
                      const evidence::RequestedMedium& medium) {
  const std::vector<std::string>& named = arguments.values("device");
  if (!named.empty() && named.size() != count)
    misused(std::string(tr("there are not as many --device as --confirm")),
            std::string(tr("name the disk of each with --device, in the same order, or of none")));
  if (!named.empty()) return named[index];
  if (medium.serial_by_hand)
    misused(std::string(tr("the serial was entered by hand, so no disk can be found by it")),
            std::string(tr("name the disk with --device")));
  return device_with_serial(medium);
}

// All that a run is about.
struct Job {
  evidence::Dossier approved;  // as it was given
  evidence::Dossier dossier;   // with what was done since
  std::string output;
  std::vector<std::size_t> media;  // all that were confirmed
  std::vector<WipeTask> tasks;     // of them, what is left to do
  std::string next;                // for who comes after
};

bool is_one_signature(const evidence::Signed& one, const evidence::Signed& other) {
  return one.signature == other.signature && one.key == other.key;
}

std::vector<const evidence::WipeRun*> runs_on(const evidence::Dossier& dossier, std::size_t medium) {
  std::vector<const evidence::WipeRun*> runs;
  for (const evidence::WipeRun& run : dossier.runs)
    if (run.medium == medium) runs.push_back(&run);
  return runs;
}

// Whether `later` is `approved` with nothing but more runs.
bool continues(const evidence::Dossier& later, const evidence::Dossier& approved) {
  if (!later.approval || later.validation || !is_one_signature(later.approval->by, approved.approval->by)) return false;
  if (later.destructions.size() != approved.destructions.size()) return false;
  for (std::size_t medium = 0; medium < approved.request.media.size(); ++medium) {
    const auto before = runs_on(approved, medium), now = runs_on(later, medium);
    if (now.size() < before.size()) return false;
    for (std::size_t i = 0; i < before.size(); ++i)
      if (!is_one_signature(before[i]->by, now[i]->by)) return false;
  }
  return later.runs.size() > approved.runs.size();
}

// What was done to a medium since the approval; null when nothing was.
const evidence::WipeRun* new_run(const Job& job, std::size_t medium) {
  return runs_on(job.dossier, medium).size() > runs_on(job.approved, medium).size()
             ? evidence::last_run(job.dossier, medium)
             : nullptr;
}

std::vector<const evidence::WipeRun*> new_runs(const Job& job) {
  std::vector<const evidence::WipeRun*> runs;
  for (const std::size_t medium : job.media)
    if (const evidence::WipeRun* run = new_run(job, medium)) runs.push_back(run);
  return runs;
}

// What an earlier start of the same command has finished is in its bundle.
void take_up_bundle(const Invocation& invocation, Job& job) {
  if (job.output.empty() || !exists(job.output)) return;
  evidence::Dossier bundle;
  if (is_dossier(job.output)) bundle = read_dossier(job.output);
  if (!continues(bundle, job.dossier)) dossier_output(invocation);
  if (const auto findings = judge(invocation, bundle); !findings.empty())
    refuse(say("{} is altered or not in order: {}", printable(job.output), finding_text(findings.front())),
           say("nothing was done; see all with: qcbak verify-evidence {}", printable(job.output)));
  job.dossier = std::move(bundle);
}

void require_approved(const evidence::Dossier& dossier) {
  if (!dossier.approval)
    refuse(std::string(tr("nobody has approved this request")),
           std::string(tr("have it approved: qcbak wipe approve FILE -o FILE")));
  if (dossier.validation)
    refuse(std::string(tr("this dossier was validated already")), std::string(tr("request the wipe anew")));
}

// One medium has OUT.journal, of several each has OUT.N.journal; one that was begun among several keeps it.
std::string journal_of(const Arguments& arguments, const Job& job, std::size_t medium, std::size_t media) {
  const auto named = arguments.value("journal");
  if (named && media > 1)
    misused(std::string(tr("--journal names the journal of one medium, and there are several")),
            std::string(tr("leave it out: each medium gets a journal beside the new dossier")));
  if (named) return *named;
  const std::string numbered = job.output + "." + std::to_string(medium + 1) + ".journal";
  return media > 1 || exists(numbered) ? numbered : job.output + ".journal";
}

std::uint64_t hot_above(const Arguments& arguments) {
  const auto text = arguments.value("hot-above");
  if (!text) return wipe::CoolingOptions{}.hot_above_c;
  std::uint64_t celsius = 0;
  const char* const last = text->data() + text->size();
  const auto [end, error] = std::from_chars(text->data(), last, celsius);
  if (error != std::errc() || end != last || celsius < wipe::kHotAboveLeast_c || celsius > wipe::kHotAboveMost_c)
    misused(std::string(tr("--hot-above wants a number of degrees Celsius from 40 to 90")),
            std::string(tr("for example: --hot-above 55")));
  return celsius;
}

WipeTask task_of(const Arguments& arguments, const Job& job, const std::vector<std::string>& typed, std::size_t index,
                 std::size_t medium) {
  WipeTask task;
  task.medium = medium;
  task.requested = job.dossier.request.media[medium];
  task.order = order_of(job.dossier, medium);
  task.typed = typed[index];
  task.journal = journal_of(arguments, job, medium, typed.size());
  task.plan = evidence::plan_of(job.dossier, medium);
  task.device = device_of(arguments, index, typed.size(), task.requested);
  task.hot_above_c = hot_above(arguments);
  return task;
}

const std::string& approval_of(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  if (!arguments.has("approval"))
    misused(std::string(tr("wipe run wants the id of a wipe, or --approval FILE")),
            std::string(tr("see those that the daemon keeps: qcbak wipe status")));
  if (!arguments.has("confirm"))
    misused(std::string(tr("wipe run wants --confirm LAST6")),
            std::string(tr("read the serial on the disk's label, and give its last six characters with --confirm")));
  return arguments.values("approval").back();
}

Job job_of(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  const std::string& approval = approval_of(invocation);
  Job job;
  job.output = arguments.text("output");
  if (job.output.empty() && !arguments.has("dry-run")) dossier_output(invocation);
  job.approved = job.dossier = read_sound_dossier(invocation, approval, ErrorCode::refused);
  require_approved(job.dossier);
  job.media = media_to_wipe(job.dossier, arguments.values("confirm"));
  take_up_bundle(invocation, job);
  for (std::size_t i = 0; i < job.media.size(); ++i) {
    if (new_run(job, job.media[i]) != nullptr) continue;
    job.tasks.push_back(task_of(arguments, job, arguments.values("confirm"), i, job.media[i]));
    require_own_journal(job.dossier, job.tasks.back(), invocation.clock.now());
  }
  job.next = say("next: another person types: qcbak wipe validate {} --accept -o FILE", printable(job.output));
  // Nothing is left to do for it: it is a bundle that is there already, as any other.
  if (job.tasks.empty()) dossier_output(invocation);
  return job;
}

const evidence::RequestedMedium& requested(const Job& job, const evidence::WipeRun& run) {
  return job.dossier.request.media[run.medium];
}

Json run_json(const Job& job, const evidence::WipeRun& run) {
  return {{"medium", run.medium + 1},
          {"device", run.device},
          {"serial", requested(job, run).serial},
          {"serial_by_hand", requested(job, run).serial_by_hand},
          {"job", run.job},
          {"verdict", run.verdict},
          {"reason", run.verdict_reason},
          {"segments", run.progress.segments.size()},
          {"exit_code", run.exit_code}};
}

void tell_run(Output& output, const Job& job, const evidence::WipeRun& run) {
  const auto style = run.exit_code == 0 ? Output::Style::good : Output::Style::bad;
  output.line(output.styled(style, say("{}, serial {}: {}, {}", run.device, one_line(requested(job, run).serial),
                                       run.verdict, translate_message(run.verdict_reason))));
  if (output.quiet()) return;
  if (requested(job, run).serial_by_hand) output.line(tr("the serial was entered by hand"));
  if (static_cast<ExitCode>(run.exit_code) == ExitCode::destroy)
    output.line(tr("have this medium destroyed physically"));
}

// The worst of several: a medium to be destroyed, then a failure, then a refusal of whatever kind.
ExitCode worst_of(const std::vector<int>& codes) {
  const auto rank = [](int code) { return code == 6 ? 256 : code == 1 ? 255 : code; };
  return static_cast<ExitCode>(*std::ranges::max_element(codes, {}, rank));
}

// Of one medium the document as it is, of several with one for each.
void tell_as_json(Output& output, const Job& job, const std::vector<WipeOutcome>& outcomes, ExitCode code) {
  Json document = {{"type", "summary"}, {"id", job.dossier.request.id}, {"file", job.output}};
  Json media = Json::array();
  for (const evidence::WipeRun* run : new_runs(job)) media.push_back(run_json(job, *run));
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    if (outcomes[i].error)
      media.push_back({{"medium", job.tasks[i].medium + 1},
                       {"serial", job.tasks[i].requested.serial},
                       {"error", outcomes[i].error->what()},
                       {"exit_code", outcomes[i].error->exit_code()}});
  if (media.size() == 1) {
    document.update(media.front());
    document["journal"] = job.tasks.front().journal;
  } else {
    document["media"] = std::move(media);
    document["exit_code"] = static_cast<int>(code);
  }
  output.document(document);
}

void tell_as_text(Output& output, const Job& job) {
  const auto runs = new_runs(job);
  for (const evidence::WipeRun* run : runs) tell_run(output, job, *run);
  if (!output.quiet() && !runs.empty())
    output.line(job.next);
}

// One medium that has no run ends the command with its error, as any command; of several each error is told.
void tell_errors(Output& output, const Job& job, const std::vector<WipeOutcome>& outcomes) {
  if (outcomes.size() == 1 && outcomes.front().error && job.media.size() == 1) throw *outcomes.front().error;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i].error) continue;
    Error error = *outcomes[i].error;
    output.error(error.add_context(say("serial {}", one_line(job.tasks[i].requested.serial))));
  }
}

ExitCode tell(const Invocation& invocation, const Job& job, const std::vector<WipeOutcome>& outcomes) {
  tell_errors(invocation.output, job, outcomes);
  std::vector<int> codes;
  for (const evidence::WipeRun* run : new_runs(job)) codes.push_back(run->exit_code);
  for (const WipeOutcome& outcome : outcomes)
    if (outcome.error) codes.push_back(outcome.error->exit_code());
  const ExitCode code = worst_of(codes);
  if (invocation.output.json())
    tell_as_json(invocation.output, job, outcomes, code);
  else
    tell_as_text(invocation.output, job);
  return code;
}

void tell_rehearsal(Output& output, const Job& job, const WipeTask& task, const std::string& device) {
  const wipe::Plan& plan = task.plan;
  if (output.json())
    return output.document({{"type", "dry-run"},
                            {"id", job.dossier.request.id},
                            {"medium", task.medium + 1},
                            {"device", device},
                            {"serial", task.requested.serial},
                            {"size_bytes", task.requested.size_bytes},
                            {"plan", Json::parse(wipe::document(plan))}});
  output.line(say("{}, serial {}, {}, would be wiped by {}; nothing was written", device,
                  one_line(task.requested.serial), size_text(task.requested.size_bytes), plan.name));
  for (std::size_t i = 0; i < plan.steps.size(); ++i)
    output.line(say("step {}: {} {}", i + 1, wipe::step_kind_name(plan.steps[i].kind),
                    plan.steps[i].kind == wipe::StepKind::firmware_erase ? std::string(wipe::method_name(plan.steps[i].method))
                                                                         : to_hex(plan.steps[i].pattern)));
}

MediaOptions options_of(const Invocation& invocation, const Job& job, Rehearsal rehearsal) {
  constexpr std::int64_t kLeast_ns = 30'000'000'000;
  MediaOptions options{job.output, rehearsal, {}};
  if (const auto text = invocation.arguments.value("give-up-after")) {
    const auto given = parse_duration_ns(*text);
    if (!given || *given < kLeast_ns)
      misused(std::string(tr("--give-up-after wants a duration of at least 30s")),
              std::string(tr("for example: --give-up-after 10min")));
    options.limits.request_ns = *given;
  }
  return options;
}

ExitCode rehearse(const Invocation& invocation, Job& job) {
  WipeObserver nobody;
  const auto outcomes =
      run_media(invocation, job.dossier, job.tasks, options_of(invocation, job, Rehearsal::yes), nobody);
  tell_errors(invocation.output, job, outcomes);
  std::vector<int> codes;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    codes.push_back(outcomes[i].error ? outcomes[i].error->exit_code() : 0);
    if (!outcomes[i].error) tell_rehearsal(invocation.output, job, job.tasks[i], outcomes[i].disk->name);
  }
  return worst_of(codes);
}

void require_sound(const Invocation& invocation, const Job& job) {
  if (new_runs(job).empty()) return;
  // As others will read it.
  const auto findings = judge(invocation, read_dossier(job.output));
  if (!findings.empty())
    throw Error(ErrorCode::failed, say("the wipe is done, but its record in {} is not in order: {}",
                                       printable(job.output), finding_text(findings.front())))
        .with_hint(std::string(tr("keep the journal; look at the clock, the keys given, and the dossier")));
}

// ---- Of a wipe that the daemon keeps

enum class Start { first, again };

constexpr std::string_view kBundles = "/var/lib/qcbak-wipe";

// Where what is done here lies until the daemon has it, and the journals.
std::string bundle_of(const Arguments& arguments, const std::string& id) {
  if (const auto named = arguments.value("output")) return *named;
  make_directories(std::string(kBundles));
  return std::string(kBundles) + "/" + id + ".json";
}

std::string journal_by_id(const Arguments& arguments, const Job& job, std::size_t medium) {
  return arguments.value("journal").value_or(job.output + "." + std::to_string(medium + 1) + ".journal");
}

// Those that were begun here, as they were confirmed then.
std::vector<std::string> confirmed_before(const Arguments& arguments, const Job& job) {
  constexpr std::size_t kTyped = 6;
  std::vector<std::string> typed;
  for (const std::size_t medium : media_left(job.dossier)) {
    const std::string& serial = job.dossier.request.media[medium].serial;
    if (exists(journal_by_id(arguments, job, medium)))
      typed.push_back(serial.substr(serial.size() - std::min(serial.size(), kTyped)));
  }
  if (typed.empty())
    refuse(std::string(tr("nothing of this wipe was interrupted here")),
           std::string(tr("begin it: qcbak wipe run ID --confirm LAST6")));
  return typed;
}

void require_sound(const Invocation& invocation, const KeptDossier& kept) {
  const auto findings = evidence::check(kept.dossier, &kept.known, invocation.clock.now());
  if (!findings.empty())
    refuse(say("the daemon's dossier is altered or not in order: {}", finding_text(findings.front())),
           std::string(tr("nothing was done; see it: qcbak wipe status ID")));
}

Job job_by_id(const Invocation& invocation, const KeptDossier& kept, const std::string& output, Start start) {
  const Arguments& arguments = invocation.arguments;
  require_sound(invocation, kept);
  require_approved(kept.dossier);
  Job job;
  job.output = output;
  job.approved = job.dossier = kept.dossier;
  job.next = say("next: another person types: qcbak wipe validate {} --accept", kept.dossier.request.id.substr(0, 8));
  const std::vector<std::string> typed = start == Start::again ? confirmed_before(arguments, job) : arguments.values("confirm");
  job.media = media_to_wipe(job.dossier, typed);
  for (std::size_t i = 0; i < job.media.size(); ++i) {
    job.tasks.push_back(task_of(arguments, job, typed, i, job.media[i]));
    job.tasks.back().journal = journal_by_id(arguments, job, job.media[i]);
    require_own_journal(job.dossier, job.tasks.back(), invocation.clock.now());
  }
  return job;
}

ExitCode work_by_id(const Invocation& invocation, Start start) {
  const std::string id = fetch_dossier(invocation.arguments.operands().front()).dossier.request.id;
  const std::string output = bundle_of(invocation.arguments, id);
  bring_bundle(invocation, output);  // of a run that came to its end without the daemon
  const KeptDossier kept = fetch_dossier(id);
  Job job = job_by_id(invocation, kept, output, start);
  if (start == Start::first && invocation.arguments.has("dry-run")) return rehearse(invocation, job);
  ToldDaemon told(invocation, kept, job.tasks);
  const auto outcomes = run_media(invocation, job.dossier, job.tasks, options_of(invocation, job, Rehearsal::no), told);
  told.interrupted(outcomes);
  require_sound(invocation, job);
  bring_bundle(invocation, output);
  return tell(invocation, job, outcomes);
}

ExitCode run_by_id(const Invocation& invocation) {
  if (invocation.arguments.has("approval"))
    misused(std::string(tr("wipe run wants the id of a wipe, or --approval FILE")),
            std::string(tr("see those that the daemon keeps: qcbak wipe status")));
  if (!invocation.arguments.has("confirm"))
    misused(std::string(tr("wipe run wants --confirm LAST6")),
            std::string(tr("read the serial on the disk's label, and give its last six characters with --confirm")));
  return work_by_id(invocation, Start::first);
}

// ---- Of a dossier in a file

ExitCode wipe(const Invocation& invocation, Job job) {
  if (invocation.arguments.has("dry-run")) return rehearse(invocation, job);
  WipeObserver nobody;
  const auto outcomes =
      run_media(invocation, job.dossier, job.tasks, options_of(invocation, job, Rehearsal::no), nobody);
  require_sound(invocation, job);
  return tell(invocation, job, outcomes);
}

ExitCode run(const Invocation& invocation) {
  if (!invocation.arguments.operands().empty()) return run_by_id(invocation);
  return wipe(invocation, job_of(invocation));
}

// The same, but nothing is begun.
ExitCode resume(const Invocation& invocation) {
  if (!invocation.arguments.operands().empty()) return work_by_id(invocation, Start::again);
  Job job = job_of(invocation);
  for (const WipeTask& task : job.tasks)
    if (!exists(task.journal))
      refuse(say("there is no journal {}: the wipe of serial {} was not begun", printable(task.journal),
                 one_line(task.requested.serial)),
             std::string(tr("begin it with: qcbak wipe run")));
  return wipe(invocation, std::move(job));
}

std::vector<Option> run_options() {
  return {{"approval", "FILE", "the approved dossier"},
          {.name = "confirm",
           .value = "LAST6",
           .help = "the last six characters of a disk's serial, as they stand on its label; once for each disk",
           .times = Option::Times::many},
          {.name = "device",
           .value = "DEVICE",
           .help = "the disk, where it reports no serial; as often as --confirm, in the same order",
           .times = Option::Times::many},
          {"give-up-after", "DURATION",
           "how long a disk may take for one request before it is given up; 10min without it"},
          {"hot-above", "CELSIUS", "above which temperature a disk rests until it is cooler; 60 without it"},
          {"dry-run", "", "check everything, and write nothing"},
          {"journal", "FILE", "where the job's journal lies; beside the new dossier without it"},
          dossier_output_option(),
          signing_key_option(),
          people_option()};
}

}  // namespace

Command wipe_run_command() {
  return {
      .name = "wipe run",
      .summary = "Wipe disks that were approved for it",
      .description =
          "Overwrites disks of an approved dossier by the approved plan, reads them back, and writes a copy of the dossier "
          "with what was done, signed with your own key. Several run side by side, each in a process of its own; the dossier "
          "gets each as it comes to its end. A disk is found by its serial; where the serial was entered by hand it is named "
          "with --device. What is in use, or not the disk that was approved, is refused. An interrupted run goes on from its "
          "journal with the same command. Exit code 6: destroy a medium physically. With an id the daemon, which keeps the "
          "dossier, is told of each state before it is entered, and gets the run; what is done while it does not answer is "
          "brought by the next start.",
      .operands = {"[ID]", 0, 1},
      .options = run_options(),
      .examples = {{"qcbak wipe run --approval 2.json --public-key people.pem --confirm 00A1B2 -o 3.json",
                    "finds the disk by its serial"},
                   {"qcbak wipe run --approval 2.json --confirm 00A1B2 --confirm 00A1B3 -o 3.json",
                    "two disks side by side"},
                   {"qcbak wipe run --approval 2.json --device /dev/sdb --confirm 00A1B2 --dry-run",
                    "what would be done"}},
      .run = run,
      .common = Command::Common::output_only,
  };
}

Command wipe_resume_command() {
  return {
      .name = "wipe resume",
      .summary = "Go on with a wipe that was interrupted",
      .description =
          "The same as the \"wipe run\" that was interrupted, with the same options; but it refuses to begin anything: each "
          "medium must have its journal beside the new dossier. With an id it goes on with every disk of that wipe whose journal "
          "is on this machine, as it was confirmed when it began, and brings to the daemon what was done without it.",
      .operands = {"[ID]", 0, 1},
      .options = run_options(),
      .examples = {{"qcbak wipe resume --approval 2.json --public-key people.pem --confirm 00A1B2 -o 3.json",
                    "goes on from 3.json.journal"},
                   {"qcbak wipe resume 4f0c91aa", "after the power was gone"}},
      .run = resume,
      .common = Command::Common::output_only,
  };
}

}  // namespace qcbak::cli
