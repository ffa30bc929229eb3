// qcbak wipe request, approve
#include "base/error.h"
#include "cli/daemon_call.h"
#include "cli/dossier_file.h"
#include "cli/kept_dossier.h"
#include "cli/messages.h"
#include "cli/site_plan.h"
#include "cli/text.h"
#include "wipe/linux_disks.h"

namespace qcbak::cli {
namespace {

constexpr std::int64_t kUsualTerm_ns = 14LL * 24 * 3600 * 1'000'000'000;

// Devices, or asset numbers of media that no machine can see any more.
std::size_t count_of_media(const Arguments& arguments) {
  return arguments.operands().empty() ? arguments.values("asset").size() : arguments.operands().size();
}

// Of an option given once for each device, or not at all.
std::string of_device(const Arguments& arguments, const std::string& option, std::size_t device) {
  const std::vector<std::string>& given = arguments.values(option);
  if (given.empty()) return "";
  if (given.size() != count_of_media(arguments))
    throw Error(ErrorCode::usage, say("give --{} once for each device, in their order", option));
  return plain_line(option, given[device]);
}

std::string serial_of(const Arguments& arguments, const wipe::SeenDisk& disk, std::size_t device) {
  const std::string reported = printable(disk.identity.serial);
  const std::string typed = of_device(arguments, "serial", device);
  if (reported.empty() && typed.empty())
    throw Error(ErrorCode::usage, say("{} reports no serial", one_line(disk.path)))
        .with_hint(std::string(tr("read it from the label, and name it with --serial")));
  if (!reported.empty() && !typed.empty() && typed != reported)
    throw Error(ErrorCode::refused, say("{} reports the serial {}, not {}", one_line(disk.path), reported, typed))
        .with_hint(std::string(tr("look for the right disk: qcbak wipe list")));
  return reported.empty() ? typed : reported;
}

evidence::RequestedMedium medium_of(const Invocation& invocation, const wipe::Plan& plan, std::size_t device) {
  const Arguments& arguments = invocation.arguments;
  const wipe::SeenDisk disk = wipe::look_at(arguments.operands()[device]);
  for (const std::string& refusal : disk.refusals)
    invocation.output.warn(say("it cannot be wiped as it is now: {}", translate_message(refusal)));
  return {of_device(arguments, "asset", device),
          serial_of(arguments, disk, device),
          disk.identity.serial.empty(),
          printable(disk.identity.model),
          printable(disk.identity.vendor),
          disk.geometry.size_bytes,
          plan.name,
          wipe::plan_hash(plan)};
}

// By its label alone: only what is to be destroyed need not be seen by a machine.
evidence::RequestedMedium medium_by_label(const Arguments& arguments, const wipe::Plan& plan, std::size_t at) {
  evidence::RequestedMedium medium;
  medium.asset = of_device(arguments, "asset", at);
  medium.serial = of_device(arguments, "serial", at);
  medium.serial_by_hand = true;
  medium.model = of_device(arguments, "model", at);
  medium.plan = plan.name;
  medium.plan_hash = wipe::plan_hash(plan);
  return medium;
}

void require_media(const Arguments& arguments, const wipe::Plan& plan) {
  if (!arguments.operands().empty()) return;
  if (!wipe::is_destruction(plan))
    throw Error(ErrorCode::usage, std::string(tr("wipe request wants the devices")))
        .with_hint(std::string(tr("look at the disks: qcbak wipe list")));
  if (arguments.values("asset").empty() || arguments.values("asset").size() > evidence::kDossierMediaLimit)
    throw Error(ErrorCode::usage, std::string(tr("name the media that are to be destroyed with --asset, at most 256 of them")));
}

std::string chosen(const Arguments& arguments, const std::string& option, bool (*exists)(std::string_view),
                   const std::string& unless_given, std::string_view all) {
  const std::string text = arguments.value(option).value_or(unless_given);
  if (!exists(text)) throw Error(ErrorCode::usage, say("--{} wants one of: {}", option, all));
  return text;
}

evidence::RequestedMedium medium_of_device(const Invocation& invocation, const wipe::Plan& plan, std::size_t device,
                                           const std::string&) {
  return medium_of(invocation, plan, device);
}

struct MediaIdTag;
using MediaListId = FixedId<MediaIdTag, 16>;

using MediumOf = evidence::RequestedMedium (*)(const Invocation&, const wipe::Plan&, std::size_t operand,
                                                const std::string& classification);

evidence::WipeRequest request_of(const Invocation& invocation, MediumOf medium_of) {
  const Arguments& arguments = invocation.arguments;
  evidence::WipeRequest request;
  request.id = invocation.random.id<MediaListId>().hex();
  request.reason = chosen(arguments, "reason", evidence::is_wipe_reason, "", "disposal, transfer, reuse, repair");
  request.classification = chosen(arguments, "classification", evidence::is_classification, "not-stated",
                                  "not-stated, ordinary, sensitive, state-secret");
  request.destination = plain_line("destination", arguments.text("destination"));
  const Time now = invocation.clock.now();
  request.expires = arguments.time("expires").value_or(Time{now.ns + kUsualTerm_ns});
  if (request.expires <= now)
    throw Error(ErrorCode::usage, std::string(tr("it would have expired already")))
        .with_hint(std::string(tr("give --expires a time to come")));
  const wipe::Plan plan = chosen_plan(arguments);
  require_media(arguments, plan);
  request.plans = {wipe::document(plan)};
  for (std::size_t i = 0; i < count_of_media(arguments); ++i)
    request.media.push_back(arguments.operands().empty() ? medium_by_label(arguments, plan, i) : medium_of(invocation, plan, i, request.classification));
  return request;
}

// ---- Through the daemon

std::string csv_field(const std::string& text) {
  std::string field = "\"";
  for (const char c : text) field += c == '"' ? std::string("\"\"") : std::string(1, c);
  return field + "\"";
}

// What the daemon's inventory has of it; nothing: it is not there.
std::optional<Json> medium_in_inventory(const std::string& asset) {
  try {
    return ask_daemon(control::Method::get, "/v1/media/" + percent_encoded(asset));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    return std::nullopt;
  }
}

void put_into_inventory(const evidence::RequestedMedium& medium, const std::string& classification) {
  const std::string csv = "asset,make,model,serial,size_bytes,classification\n" + csv_field(medium.asset) + "," +
                          csv_field(medium.vendor) + "," + csv_field(medium.model) + "," + csv_field(medium.serial) + "," +
                          std::to_string(medium.size_bytes) + "," + classification + "\n";
  ask_daemon(control::Method::post, "/v1/media", {{"csv", csv}});
}

// By what the label says, unless this machine sees the disk with that serial.
evidence::RequestedMedium medium_by_asset(const std::string& asset, const wipe::Plan& plan) {
  const auto known = medium_in_inventory(asset);
  if (!known)
    throw Error(ErrorCode::not_found, say("there is no medium \"{}\" in the inventory", printable(asset)))
        .with_hint(std::string(tr("take it in: qcbak wipe media import FILE")));
  const auto text = [&](const char* name) { return known->at(name).get<std::string>(); };
  evidence::RequestedMedium medium{asset, text("serial"), true, text("model"), text("make"), known->at("size_bytes").get<std::uint64_t>(),
                                   plan.name, wipe::plan_hash(plan)};
  if (medium.serial.empty() && !wipe::is_destruction(plan))
    throw Error(ErrorCode::usage, say("the inventory has no serial of medium {}", printable(asset)))
        .with_hint(std::string(tr("read it from the label, and import it: qcbak wipe media import FILE")));
  for (const wipe::SeenDisk& disk : wipe::disks_of_machine()) {
    if (medium.serial.empty() || printable(disk.identity.serial) != medium.serial) continue;
    medium.serial_by_hand = false;
    medium.model = printable(disk.identity.model);
    medium.vendor = printable(disk.identity.vendor);
    medium.size_bytes = disk.geometry.size_bytes;
  }
  return medium;
}

// An operand that begins with / or ./ is a device, any other an asset number.
evidence::RequestedMedium medium_for_daemon(const Invocation& invocation, const wipe::Plan& plan, std::size_t operand,
                                            const std::string& classification) {
  const std::string& named = invocation.arguments.operands()[operand];
  if (!named.starts_with('/') && !named.starts_with("./")) return medium_by_asset(named, plan);
  evidence::RequestedMedium medium = medium_of(invocation, plan, operand);
  if (medium.asset.empty())
    throw Error(ErrorCode::usage, say("{} has no asset number", one_line(named)))
        .with_hint(std::string(tr("name it with --asset")));
  if (!medium_in_inventory(medium.asset)) put_into_inventory(medium, classification);
  return medium;
}

ExitCode request_by_daemon(const Invocation& invocation) {
  KeptDossier none;
  evidence::Dossier dossier;
  dossier.request = request_of(invocation, medium_for_daemon);
  const Json reply = sign_and_send(invocation, none, dossier, dossier.request.by);
  tell_kept(invocation, reply,
            say("next: an approver, who is not you, types: qcbak wipe approve {}", reply.at("id").get<std::string>().substr(0, 8)));
  return ExitCode::done;
}

ExitCode run_request(const Invocation& invocation) {
  if (is_by_id(invocation)) return request_by_daemon(invocation);
  const std::string path = dossier_output(invocation);
  evidence::Dossier dossier;
  dossier.request = request_of(invocation, medium_of_device);
  if (dossier.request.classification == evidence::kStateSecret && invocation.arguments.value("plan") != wipe::kDestroyPlan)
    throw Error(ErrorCode::refused, std::string(tr("media of the class state-secret cannot be requested for a wipe")))
        .with_hint(std::string(tr("have them destroyed physically: request them with --plan destroy")));
  sign_dossier(invocation, dossier, dossier.request.by, open_signer(invocation));
  write_dossier(path, dossier);
  tell_dossier(invocation, dossier, path,
               say("next: an approver, who is not you, types: qcbak wipe approve {} -o FILE", printable(path)));
  return ExitCode::done;
}

std::string next_after_approval(const evidence::Dossier& dossier, const std::string& path) {
  for (std::size_t i = 0; i < dossier.request.media.size(); ++i)
    if (!evidence::is_to_be_destroyed(dossier, i))
      return say("next: the operator types: qcbak wipe run --approval {} --confirm LAST6 -o FILE", printable(path));
  return say("next: who had them destroyed types: qcbak wipe destroyed {} --method M --witness NAME -o FILE", printable(path));
}

std::string next_by_id(const evidence::Dossier& dossier, const std::string& id) {
  for (std::size_t i = 0; i < dossier.request.media.size(); ++i)
    if (!evidence::is_to_be_destroyed(dossier, i)) return say("next: the operator types: qcbak wipe run {} --confirm LAST6", id);
  return say("next: who had them destroyed types: qcbak wipe destroyed {} --method M --witness NAME", id);
}

ExitCode approve_by_id(const Invocation& invocation) {
  const KeptDossier kept = fetch_dossier(invocation.arguments.operands().front());
  const std::string id = kept.dossier.request.id;
  if (kept.dossier.approval)
    throw Error(ErrorCode::refused, say("{} is approved already", id))
        .with_hint(say("wipe by it: qcbak wipe run {} --confirm LAST6", id.substr(0, 8)));
  if (!invocation.output.json() && !invocation.output.quiet()) {
    show_dossier(invocation.output, kept.dossier);
    invocation.output.flush();
  }
  evidence::Dossier dossier = kept.dossier;
  dossier.approval.emplace();
  tell_kept(invocation, sign_and_send(invocation, kept, dossier, dossier.approval->by),
            next_by_id(dossier, id.substr(0, 8)));
  return ExitCode::done;
}

ExitCode run_approve(const Invocation& invocation) {
  if (is_by_id(invocation)) return approve_by_id(invocation);
  const std::string& from = dossier_operand(invocation);
  const std::string path = dossier_output(invocation);
  evidence::Dossier dossier = read_sound_dossier(invocation, from, ErrorCode::refused);
  if (dossier.approval)
    throw Error(ErrorCode::refused, say("{} is approved already", printable(from)))
        .with_hint(say("wipe by it: qcbak wipe run --approval {} --confirm LAST6 -o FILE", printable(from)));
  if (!invocation.output.json() && !invocation.output.quiet()) {
    show_dossier(invocation.output, dossier);
    invocation.output.flush();
  }
  dossier.approval.emplace();
  sign_dossier(invocation, dossier, dossier.approval->by, open_signer(invocation));
  write_dossier(path, dossier);
  tell_dossier(invocation, dossier, path, next_after_approval(dossier, path));
  return ExitCode::done;
}

}  // namespace

Command wipe_request_command() {
  return {
      .name = "wipe request",
      .summary = "Request that disks be wiped",
      .description =
          "Puts the disks with their identity and size, the plan, the reason and the destination into a new dossier, signed "
          "with your own key. Another person approves it. --asset and --serial are given once for each device, in their "
          "order. With --plan destroy, media that no machine can see any more are named by --asset alone, with what their "
          "labels say in --serial and --model. Without -o it goes to the daemon, where media are named by their asset "
          "numbers too.",
      .operands = {"[DEVICE|ASSET...]", 0, evidence::kDossierMediaLimit},
      .options = {{"plan", "NAME", "what is done to them, see \"qcbak wipe plans\"; or destroy"},
                  {"plan-file", "FILE", "a plan of your own instead, in TOML"},
                  {"sample", "", "read back a sample of at least 10 % instead of the whole disk: another plan, with -sampled after its name"},
                  {"reason", "REASON", "disposal, transfer, reuse or repair"},
                  {"destination", "TEXT", "where the disks go"},
                  {"classification", "CLASS", "of the data: ordinary, sensitive or state-secret; not-stated without it"},
                  {.name = "asset", .value = "TAG", .help = "the asset number of a disk", .times = Option::Times::many},
                  {.name = "serial",
                   .value = "SERIAL",
                   .help = "the serial on the label of a disk that reports none",
                   .times = Option::Times::many},
                  {.name = "model",
                   .value = "TEXT",
                   .help = "what is on the label of a medium that no machine can see",
                   .times = Option::Times::many},
                  {"expires", "TIME", "until when the wipe may begin; 14 days from now without it"},
                  dossier_output_option(),
                  signing_key_option(),
                  people_option()},
      .examples = {{"qcbak wipe request /dev/sdb --plan hmg-is5-enhanced --reason disposal --asset TS-0412 -o 1.json",
                    "the first page of a dossier"},
                   {"qcbak wipe request TS-0412 --plan hmg-is5-enhanced --reason disposal", "of a medium in the daemon's inventory"}},
      .run = run_request,
      .common = Command::Common::output_only,
  };
}

Command wipe_approve_command() {
  return {
      .name = "wipe approve",
      .summary = "Approve a request to wipe disks, with your own key",
      .description =
          "Shows the request, and adds your signature to a copy of the dossier, or, without -o, to the one that the daemon "
          "keeps. Nobody approves what they requested. It binds each disk's serial, model and size and the plan, until the "
          "request expires.",
      .operands = {"FILE|ID", 1, 1},
      .options = {dossier_output_option(), signing_key_option(), people_option()},
      .examples = {{"qcbak wipe approve 1.json --public-key people.pem -o 2.json", "asks for the passphrase of your key"}},
      .run = run_approve,
      .common = Command::Common::output_only,
  };
}

}  // namespace qcbak::cli
