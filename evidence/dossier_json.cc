#include "evidence/dossier_json.h"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "evidence/log_json.h"

namespace qcbak::evidence {
namespace {

using Canonical = nlohmann::json;  // its objects sort their keys by byte

constexpr std::uint64_t kNumberLimit = (1ULL << 53) - 1;  // RFC 8785 §3.2.2.3: what every reader holds exactly
constexpr std::size_t kTextLimit = 64U << 10;
constexpr std::size_t kJobSize = 16;

[[noreturn]] void refuse(const std::string& reason) { throw Error(ErrorCode::damaged, reason); }

// ---- Writing

Canonical signing_json(const Signed& by) {
  return {
      {"public_key", by.key.hex()}, {"signature", by.signature.hex()}, {"statement", control::encode(by.statement)}};
}

Canonical medium_json(const RequestedMedium& medium) {
  return {{"asset", medium.asset},
          {"model", medium.model},
          {"plan", medium.plan},
          {"plan_sha256", medium.plan_hash.hex()},
          {"serial", medium.serial},
          {"serial_by_hand", medium.serial_by_hand},
          {"size_bytes", medium.size_bytes},
          {"vendor", medium.vendor}};
}

Canonical body_of(const WipeRequest& request) {
  Canonical media = Canonical::array();
  for (const RequestedMedium& medium : request.media) media.push_back(medium_json(medium));
  return {{"classification", request.classification},
          {"destination", request.destination},
          {"expires", utc_seconds(request.expires)},
          {"id", request.id},
          {"media", std::move(media)},
          {"plans", request.plans},
          {"reason", request.reason}};
}

Canonical body_of(const WipeApproval&) { return Canonical::object(); }
Canonical body_of(const WipeConfirmation&) { return Canonical::object(); }
Canonical body_of(const WipeValidation& validation) {
  return {{"decision", validation.decision == Decision::accept ? "accept" : "reject"}};
}

Canonical ranges_json(const wipe::RangeSet& set) {
  Canonical ranges = Canonical::array();
  for (const wipe::Range& range : set.ranges()) ranges.push_back({range.offset, range.size_bytes});
  return ranges;
}

Canonical time_json(const std::optional<Time>& time) {
  return time ? Canonical(utc_seconds(*time)) : Canonical(nullptr);
}

Canonical command_json(const wipe::CommandRecord& record) {
  const wipe::CommandResult& result = record.result;
  return {{"command", to_hex(record.command)},
          {"driver_status", result.driver_status},
          {"errno", result.error},
          {"first", utc_seconds(record.first)},
          {"host_status", result.host_status},
          {"last", utc_seconds(record.last)},
          {"nvme_result", result.nvme_result},
          {"nvme_status", result.nvme_status},
          {"sense", to_hex(result.sense)},
          {"status", result.status},
          {"times", record.times}};
}

Canonical commands_json(const std::vector<wipe::CommandRecord>& records) {
  Canonical commands = Canonical::array();
  for (const wipe::CommandRecord& record : records) commands.push_back(command_json(record));
  return commands;
}

Canonical areas_json(const std::vector<wipe::HiddenArea>& hidden) {
  Canonical areas = Canonical::array();
  for (const wipe::HiddenArea& area : hidden)
    areas.push_back({{"hidden_bytes", area.hidden_bytes},
                     {"kind", wipe::hidden_kind_name(area.kind)},
                     {"removed", area.removed},
                     {"size_bytes", area.size_bytes}});
  return areas;
}

// In the order of the enumerations.
constexpr std::array<std::string_view, 5> kPhases = {"begun", "marked", "sending", "accepted", "completed"};
constexpr std::array<std::string_view, 3> kAcceptances = {"unseen", "seen", "refused"};
constexpr std::array<std::string_view, 3> kCompletions = {"unseen", "seen", "failed"};
constexpr std::array<std::string_view, 3> kHiddenKinds = {"HPA", "DCO", "AMAC"};

Canonical firmware_json(const wipe::FirmwareProgress& progress) {
  return {{"acceptance", kAcceptances.at(static_cast<std::size_t>(progress.acceptance))},
          {"attempt", progress.attempt},
          {"commands", commands_json(progress.commands)},
          {"completion", kCompletions.at(static_cast<std::size_t>(progress.completion))},
          {"hidden_areas", areas_json(progress.hidden_areas)},
          {"markers", progress.marker_offsets},
          {"method", wipe::method_name(progress.method)},
          {"password_remains", progress.password_remains},
          {"phase", kPhases.at(static_cast<std::size_t>(progress.phase))}};
}

Canonical remains_json(const wipe::Remains& remains) {
  return {{"histogram", remains.histogram},
          {"markers_changed", remains.markers_changed},
          {"markers_unchanged", remains.markers_unchanged},
          {"markers_unreadable", remains.markers_unreadable},
          {"sampled_bytes", remains.sampled_bytes},
          {"signatures", remains.signatures}};
}

Canonical step_json(const wipe::StepProgress& step, const std::string& content) {
  Canonical json = {{"bad", ranges_json(step.bad)},
                    {"began", time_json(step.began)},
                    {"content", content},
                    {"done_bytes", step.done_bytes},
                    {"ended", time_json(step.ended)},
                    {"errors", step.errors},
                    {"healed", ranges_json(step.healed)},
                    {"mismatching", ranges_json(step.mismatching)},
                    {"restarts", step.restarts},
                    {"retries", step.retries},
                    {"set_aside", ranges_json(step.set_aside)},
                    {"unreadable", ranges_json(step.unreadable)},
                    {"watermark", step.watermark}};
  if (step.firmware) json["firmware"] = firmware_json(*step.firmware);
  if (step.hidden)
    json["hidden"] = {{"areas", areas_json(step.hidden->areas)}, {"commands", commands_json(step.hidden->commands)}};
  if (step.remains) json["remains"] = remains_json(*step.remains);
  if (step.size_bytes) json["size_bytes"] = *step.size_bytes;
  return json;
}

Canonical segment_json(const wipe::Segment& segment) {
  return {{"began", utc_seconds(segment.began)},
          {"last", utc_seconds(segment.last)},
          {"offset", segment.offset},
          {"step", segment.step + 1}};
}

Canonical health_json(const wipe::Health& health) {
  Canonical json = Canonical::object();
  for (const wipe::HealthFact& fact : wipe::health_facts())
    if (const auto& value = health.*fact.value) json[std::string(fact.name)] = *value;
  return json;
}

Canonical body_of(const WipeRun& run) {
  Canonical steps = Canonical::array(), segments = Canonical::array();
  for (std::size_t i = 0; i < run.progress.steps.size(); ++i)
    steps.push_back(step_json(run.progress.steps[i], run.contents.at(i)));
  for (const wipe::Segment& segment : run.progress.segments) segments.push_back(segment_json(segment));
  Canonical body = {{"device",
           {{"disk_sequence", run.attachment.disk_sequence},
            {"name", run.device},
            {"removable", run.attachment.removable},
            {"rotational", run.attachment.rotational}}},
          {"exit", run.exit_code},
          {"geometry",
           {{"logical_sector_bytes", run.geometry.logical_sector_bytes},
            {"physical_block_bytes", run.geometry.physical_block_bytes},
            {"size_bytes", run.geometry.size_bytes}}},
          {"host", run.host},
          {"identity",
           {{"firmware", run.identity.firmware},
            {"model", run.identity.model},
            {"serial", run.identity.serial},
            {"vendor", run.identity.vendor},
            {"wwid", run.identity.wwid}}},
          {"job", run.job},
          {"kernel", run.kernel},
          {"medium", run.medium + 1},
          {"plan_sha256", run.plan_hash.hex()},
          {"segments", std::move(segments)},
          {"steps", std::move(steps)},
          {"tool", run.tool},
          {"verdict", run.verdict},
          {"verdict_reason", run.verdict_reason}};
  if (!run.given_up.empty()) body["given_up"] = run.given_up;
  if (!run.sandbox.empty()) body["sandbox"] = run.sandbox;
  if (run.health_before) body["health_before"] = health_json(*run.health_before);
  if (run.health_after) body["health_after"] = health_json(*run.health_after);
  if (run.progress.heat)
    body["heat"] = {{"highest_c", run.progress.heat->highest_c}, {"rests", run.progress.heat->rests}};
  return body;
}

Canonical body_of(const Destruction& destruction) {
  Canonical photographs = Canonical::array();
  for (const Photograph& photograph : destruction.photographs)
    photographs.push_back({{"name", photograph.name}, {"sha256", photograph.hash.hex()}});
  return {{"destroyed", utc_seconds(destruction.destroyed)},
          {"medium", destruction.medium + 1},
          {"method", destruction.method},
          {"particle_um", destruction.particle_um},
          {"photographs", std::move(photographs)},
          {"place", destruction.place},
          {"witnesses", destruction.witnesses}};
}

// A member with what its signature covers beside it: `scope`, with the member at `place` in it.
class Writer {
 public:
  Written write(const Dossier& dossier) {
    add(dossier.request, "request", "wipe.request");
    if (dossier.approval) add(*dossier.approval, "approval", "wipe.approve");
    approved_ = whole_;
    for (std::size_t i = 0; i < dossier.runs.size(); ++i) add_run(dossier.runs[i], i);
    for (std::size_t i = 0; i < dossier.destructions.size(); ++i) add_destruction(dossier.destructions[i], i);
    if (dossier.validation) add(*dossier.validation, "validation", "wipe.validate");
    if (dossier.confirmation) add(*dossier.confirmation, "confirmation", "wipe.confirm");
    written_.text = whole_.dump();
    return std::move(written_);
  }

 private:
  template <class Member>
  void add(const Member& member, const char* name, const char* act) {
    whole_[name] = sign(member, name, act, [&](Canonical body) {
      Canonical covered = whole_;
      covered[name] = std::move(body);
      return covered;
    });
  }

  // Runs of other media are not covered, so that disks can be finished in any order, and on different benches.
  void add_run(const WipeRun& run, std::size_t index) {
    const Canonical signed_run = sign(run, "run " + std::to_string(index + 1), "wipe.run", [&](Canonical body) {
      Canonical covered = approved_;
      covered["runs"] = runs_of(run.medium);
      covered["runs"].push_back(std::move(body));
      return covered;
    });
    whole_["runs"].push_back(signed_run);
  }

  void add_destruction(const Destruction& destruction, std::size_t index) {
    const std::string name = "destruction " + std::to_string(index + 1);
    const Canonical signed_one = sign(destruction, name, "wipe.destroyed", [&](Canonical body) {
      Canonical covered = approved_;
      covered["runs"] = runs_of(destruction.medium);
      covered["destructions"] = Canonical::array({std::move(body)});
      return covered;
    });
    whole_["destructions"].push_back(signed_one);
  }

  Canonical runs_of(std::size_t medium) const {
    Canonical runs = Canonical::array();
    const auto at = whole_.find("runs");
    if (at == whole_.end()) return runs;
    for (const Canonical& run : *at)
      if (run.at("medium") == medium + 1) runs.push_back(run);
    return runs;
  }

  template <class Member, class Cover>
  Canonical sign(const Member& member, std::string name, const char* act, Cover&& cover) {
    Canonical body = body_of(member);
    body["public_key"] = member.by.key.hex();
    written_.members.push_back({std::move(name), act, &member.by, crypto::sha256(as_bytes(cover(body).dump()))});
    body.update(signing_json(member.by));
    return body;
  }

  Canonical whole_{{"format", kDossierFormat}};
  Canonical approved_;
  Written written_;
};

// ---- Reading

const Json& member(const Json& json, const char* name) {
  const auto at = json.find(name);
  if (at == json.end()) refuse("it lacks \"" + std::string(name) + "\"");
  return *at;
}

std::string as_text_of(const Json& value) {
  if (!value.is_string() || value.get_ref<const std::string&>().size() > kTextLimit)
    refuse("a text in it is none, or too long");
  return value.get<std::string>();
}
std::string text(const Json& json, const char* name) { return as_text_of(member(json, name)); }

std::uint64_t as_number(const Json& value, std::uint64_t most = kNumberLimit) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > most) refuse("a number in it is none, or too large");
  return value.get<std::uint64_t>();
}
std::uint64_t number(const Json& json, const char* name, std::uint64_t most = kNumberLimit) {
  return as_number(member(json, name), most);
}

// Counted from 1 in the file.
std::size_t index(const Json& json, const char* name, std::size_t limit) {
  const std::uint64_t counted = number(json, name, limit);
  if (counted == 0) refuse("\"" + std::string(name) + "\" is counted from 1");
  return counted - 1;
}

bool flag(const Json& json, const char* name) {
  const Json& value = member(json, name);
  if (!value.is_boolean()) refuse("\"" + std::string(name) + "\" is neither true nor false");
  return value.get<bool>();
}

const Json& list(const Json& json, const char* name, std::size_t limit) {
  const Json& value = member(json, name);
  if (!value.is_array() || value.size() > limit) refuse("\"" + std::string(name) + "\" is no list, or too long");
  return value;
}

template <class Id>
Id id(const Json& json, const char* name) {
  const Bytes bytes = from_hex(text(json, name));
  if (bytes.size() != Id::kSize) refuse("\"" + std::string(name) + "\" has another length");
  return Id(bytes);
}

std::string job_text(const Json& json, const char* name) {
  const std::string hex = text(json, name);
  if (from_hex(hex).size() != kJobSize) refuse("\"" + std::string(name) + "\" has another length");
  return hex;
}

Time as_time(const Json& value) {
  const auto time = value.is_string() ? parse_time(value.get_ref<const std::string&>()) : std::nullopt;
  if (!time) refuse("a time in it is none");
  return *time;
}

std::optional<Time> time_or_null(const Json& value) {
  return value.is_null() ? std::nullopt : std::optional(as_time(value));
}

Signed read_signing(const Json& json) {
  Signed by;
  by.key = id<crypto::SignPublic>(json, "public_key");
  by.signature = id<crypto::Signature>(json, "signature");
  try {
    by.statement = control::parse_statement(text(json, "statement"));
  } catch (const Error&) {
    refuse("a statement in it is none");
  }
  return by;
}

RequestedMedium read_medium(const Json& json) {
  return {text(json, "asset"),          text(json, "serial"),
          flag(json, "serial_by_hand"), text(json, "model"),
          text(json, "vendor"),         number(json, "size_bytes"),
          text(json, "plan"),           id<crypto::Sha256>(json, "plan_sha256")};
}

WipeRequest read_request(const Json& json) {
  WipeRequest request{job_text(json, "id"),
                      text(json, "reason"),
                      text(json, "destination"),
                      text(json, "classification"),
                      as_time(member(json, "expires")),
                      {},
                      {},
                      read_signing(json)};
  if (!is_wipe_reason(request.reason)) refuse("the reason is none of those that there are");
  if (!is_classification(request.classification)) refuse("the classification is none of those that there are");
  for (const Json& plan : list(json, "plans", kDossierMediaLimit)) request.plans.push_back(as_text_of(plan));
  for (const Json& medium : list(json, "media", kDossierMediaLimit)) request.media.push_back(read_medium(medium));
  return request;
}

wipe::RangeSet read_ranges(const Json& json, const char* name) {
  wipe::RangeSet set;
  std::uint64_t least = 0;  // where the next may begin
  for (const Json& pair : list(json, name, wipe::RangeSet::kRangeLimit)) {
    if (!pair.is_array() || pair.size() != 2) refuse("a range in it is none");
    const wipe::Range range{as_number(pair[0]), as_number(pair[1])};
    if (range.offset < least || range.size_bytes == 0) refuse("the ranges are not in their order");
    set.add(range);
    least = range.end() + 1;
  }
  return set;
}

template <class Value, std::size_t Size>
Value one_of(const Json& json, const char* name, const std::array<std::string_view, Size>& names) {
  const auto found = std::ranges::find(names, text(json, name));
  if (found == names.end()) refuse("\"" + std::string(name) + "\" is none of those that there are");
  return static_cast<Value>(found - names.begin());
}

template <class Integer>
Integer small_number(const Json& json, const char* name) {
  return static_cast<Integer>(number(json, name, std::numeric_limits<Integer>::max()));
}

wipe::CommandRecord read_command(const Json& json) {
  constexpr std::uint64_t kErrnoLimit = 4095;
  wipe::CommandRecord record;
  record.command = from_hex(text(json, "command"));
  record.times = small_number<std::uint32_t>(json, "times");
  record.first = as_time(member(json, "first"));
  record.last = as_time(member(json, "last"));
  wipe::CommandResult& result = record.result;
  result.error = static_cast<int>(number(json, "errno", kErrnoLimit));
  result.status = small_number<std::uint8_t>(json, "status");
  result.host_status = small_number<std::uint16_t>(json, "host_status");
  result.driver_status = small_number<std::uint16_t>(json, "driver_status");
  result.sense = from_hex(text(json, "sense"));
  result.nvme_status = small_number<std::uint16_t>(json, "nvme_status");
  result.nvme_result = small_number<std::uint32_t>(json, "nvme_result");
  return record;
}

std::vector<wipe::CommandRecord> read_commands(const Json& json) {
  std::vector<wipe::CommandRecord> commands;
  for (const Json& command : list(json, "commands", wipe::kTranscriptLimit)) commands.push_back(read_command(command));
  return commands;
}

std::vector<wipe::HiddenArea> read_areas(const Json& json, const char* name) {
  std::vector<wipe::HiddenArea> areas;
  for (const Json& area : list(json, name, kHiddenKinds.size()))
    areas.push_back({one_of<wipe::HiddenKind>(area, "kind", kHiddenKinds), number(area, "hidden_bytes"),
                     number(area, "size_bytes"), flag(area, "removed")});
  return areas;
}

wipe::FirmwareMethod read_method(const Json& json) {
  const std::string name = text(json, "method");
  const auto row = std::ranges::find(wipe::method_rows(), name, &wipe::MethodRow::name);
  if (row == wipe::method_rows().end()) refuse("a method in it is none");
  return row->method;
}

wipe::FirmwareProgress read_firmware(const Json& json) {
  wipe::FirmwareProgress progress;
  progress.method = read_method(json);
  progress.phase = one_of<wipe::FirmwarePhase>(json, "phase", kPhases);
  progress.acceptance = one_of<wipe::Acceptance>(json, "acceptance", kAcceptances);
  progress.completion = one_of<wipe::Completion>(json, "completion", kCompletions);
  progress.password_remains = flag(json, "password_remains");
  progress.attempt = small_number<std::uint32_t>(json, "attempt");
  for (const Json& offset : list(json, "markers", wipe::kMarkerLimit))
    progress.marker_offsets.push_back(as_number(offset));
  progress.hidden_areas = read_areas(json, "hidden_areas");
  progress.commands = read_commands(json);
  return progress;
}

wipe::Remains read_remains(const Json& json) {
  wipe::Remains remains;
  const Json& histogram = list(json, "histogram", remains.histogram.size());
  if (histogram.size() != remains.histogram.size()) refuse("a histogram in it is none");
  for (std::size_t i = 0; i < remains.histogram.size(); ++i) remains.histogram[i] = as_number(histogram[i]);
  remains.markers_changed = number(json, "markers_changed", wipe::kMarkerLimit);
  remains.markers_unchanged = number(json, "markers_unchanged", wipe::kMarkerLimit);
  remains.markers_unreadable = number(json, "markers_unreadable", wipe::kMarkerLimit);
  remains.sampled_bytes = number(json, "sampled_bytes");
  for (const Json& signature : list(json, "signatures", wipe::kSignatureLimit))
    remains.signatures.push_back(as_text_of(signature));
  return remains;
}

void read_firmware_parts(const Json& json, wipe::StepProgress& step) {
  if (json.contains("firmware")) step.firmware = read_firmware(member(json, "firmware"));
  if (json.contains("hidden"))
    step.hidden =
        wipe::HiddenRemoval{read_areas(member(json, "hidden"), "areas"), read_commands(member(json, "hidden"))};
  if (json.contains("remains")) step.remains = read_remains(member(json, "remains"));
  if (json.contains("size_bytes")) step.size_bytes = number(json, "size_bytes");
}

wipe::StepProgress read_step(const Json& json) {
  wipe::StepProgress step;
  step.began = time_or_null(member(json, "began"));
  step.ended = time_or_null(member(json, "ended"));
  step.watermark = number(json, "watermark");
  step.done_bytes = number(json, "done_bytes");
  step.errors = number(json, "errors");
  step.retries = number(json, "retries");
  step.restarts = number(json, "restarts");
  step.set_aside = read_ranges(json, "set_aside");
  step.bad = read_ranges(json, "bad");
  step.unreadable = read_ranges(json, "unreadable");
  step.mismatching = read_ranges(json, "mismatching");
  step.healed = read_ranges(json, "healed");
  read_firmware_parts(json, step);
  return step;
}

wipe::Segment read_segment(const Json& json) {
  return {as_time(member(json, "began")), as_time(member(json, "last")),
          static_cast<std::uint32_t>(index(json, "step", wipe::kPlanStepLimit)), number(json, "offset")};
}

wipe::Identity read_identity(const Json& json) {
  return {text(json, "vendor"), text(json, "model"), text(json, "serial"), text(json, "firmware"), text(json, "wwid")};
}

wipe::Geometry read_geometry(const Json& json) {
  constexpr std::uint64_t kMost = ~std::uint32_t{0};
  return {number(json, "size_bytes"), static_cast<std::uint32_t>(number(json, "logical_sector_bytes", kMost)),
          static_cast<std::uint32_t>(number(json, "physical_block_bytes", kMost))};
}

wipe::Health read_health(const Json& json) {
  if (!json.is_object()) refuse("a disk's health in it is none");
  wipe::Health health;
  for (const wipe::HealthFact& fact : wipe::health_facts())
    if (const auto at = json.find(fact.name); at != json.end()) health.*fact.value = as_number(*at, fact.most);
  return health;
}

void read_health_parts(const Json& json, WipeRun& run) {
  if (json.contains("health_before")) run.health_before = read_health(member(json, "health_before"));
  if (json.contains("health_after")) run.health_after = read_health(member(json, "health_after"));
  if (!json.contains("heat")) return;
  const Json& heat = member(json, "heat");
  run.progress.heat =
      wipe::Heat{number(heat, "rests", wipe::kRestLimit), number(heat, "highest_c", wipe::kTemperatureLimit_c)};
}

WipeRun read_run(const Json& json) {
  WipeRun run;
  run.medium = index(json, "medium", kDossierMediaLimit);
  run.job = job_text(json, "job");
  run.plan_hash = id<crypto::Sha256>(json, "plan_sha256");
  run.identity = read_identity(member(json, "identity"));
  run.geometry = read_geometry(member(json, "geometry"));
  const Json& device = member(json, "device");
  run.device = text(device, "name");
  run.attachment = {number(device, "disk_sequence"), flag(device, "removable"), flag(device, "rotational")};
  run.tool = text(json, "tool");
  run.host = text(json, "host");
  run.kernel = text(json, "kernel");
  if (json.contains("given_up")) run.given_up = text(json, "given_up");
  if (json.contains("sandbox"))
    for (const Json& name : list(json, "sandbox", kSandboxNameLimit)) run.sandbox.push_back(as_text_of(name));
  if (!run.given_up.empty() && !wipe::given_up_named(run.given_up)) refuse("\"given_up\" is none of those that there are");
  read_health_parts(json, run);
  for (const Json& step : list(json, "steps", wipe::kPlanStepLimit)) {
    run.progress.steps.push_back(read_step(step));
    run.contents.push_back(text(step, "content"));
  }
  for (const Json& segment : list(json, "segments", wipe::kSegmentLimit))
    run.progress.segments.push_back(read_segment(segment));
  run.verdict = text(json, "verdict");
  run.verdict_reason = text(json, "verdict_reason");
  run.exit_code = static_cast<int>(number(json, "exit", 255));
  run.by = read_signing(json);
  return run;
}

Photograph read_photograph(const Json& json) { return {text(json, "name"), id<crypto::Sha256>(json, "sha256")}; }

Destruction read_destruction(const Json& json) {
  Destruction destruction;
  destruction.medium = index(json, "medium", kDossierMediaLimit);
  destruction.method = text(json, "method");
  destruction.particle_um = static_cast<std::uint32_t>(number(json, "particle_um", ~std::uint32_t{0}));
  destruction.place = text(json, "place");
  destruction.destroyed = as_time(member(json, "destroyed"));
  for (const Json& witness : list(json, "witnesses", kWitnessLimit))
    destruction.witnesses.push_back(as_text_of(witness));
  for (const Json& photograph : list(json, "photographs", kPhotographLimit))
    destruction.photographs.push_back(read_photograph(photograph));
  destruction.by = read_signing(json);
  return destruction;
}

// One after the other as they are read; whatever cannot stand there would not come out as it went in.
void read_runs(const Json& json, Dossier& dossier) {
  for (const Json& each : list(json, "runs", kDossierRunLimit)) {
    WipeRun run = read_run(each);
    if (!dossier.runs.empty() && run.medium < dossier.runs.back().medium) refuse("its runs are not in their order");
    dossier.runs.push_back(std::move(run));
  }
}

void read_destructions(const Json& json, Dossier& dossier) {
  for (const Json& each : list(json, "destructions", kDossierMediaLimit)) {
    Destruction destruction = read_destruction(each);
    if (!dossier.destructions.empty() && destruction.medium <= dossier.destructions.back().medium)
      refuse("its destructions are not in their order");
    dossier.destructions.push_back(std::move(destruction));
  }
}

WipeValidation read_validation(const Json& json) {
  const std::string decision = text(json, "decision");
  if (decision != "accept" && decision != "reject") refuse("the decision is neither accept nor reject");
  return {decision == "accept" ? Decision::accept : Decision::reject, read_signing(json)};
}

Dossier read(const Json& json) {
  if (text(json, "format") != kDossierFormat) refuse("it is of another format, or of a later version");
  Dossier dossier;
  dossier.request = read_request(member(json, "request"));
  if (json.contains("approval")) dossier.approval = WipeApproval{read_signing(member(json, "approval"))};
  if (json.contains("runs")) read_runs(json, dossier);
  if (json.contains("destructions")) read_destructions(json, dossier);
  if (json.contains("validation")) dossier.validation = read_validation(member(json, "validation"));
  if (json.contains("confirmation"))
    dossier.confirmation = WipeConfirmation{read_signing(member(json, "confirmation"))};
  return dossier;
}

}  // namespace

Written write(const Dossier& dossier) { return Writer().write(dossier); }

Dossier parse_dossier(std::string_view text) {
  if (text.size() > kDossierLimit) refuse("it is too long for a dossier");
  if (!text.ends_with('\n')) refuse("it was cut off, or altered at its end");
  const Json json = parse_object(text.substr(0, text.size() - 1));
  if (json.is_null()) refuse("it is no JSON any more");
  Dossier dossier = read(json);
  if (encode(dossier) != text) refuse("it is not as it was written");
  return dossier;
}

std::string encode(const Dossier& dossier) { return write(dossier).text + "\n"; }

}  // namespace qcbak::evidence
