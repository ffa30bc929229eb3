#include "evidence/dossier.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "crypto/signing_key.h"
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
  return {{"public_key", by.key.hex()}, {"signature", by.signature.hex()}, {"statement", control::encode(by.statement)}};
}

Canonical medium_json(const RequestedMedium& medium) {
  return {{"asset", medium.asset},           {"model", medium.model},
          {"plan", medium.plan},             {"plan_sha256", medium.plan_hash.hex()},
          {"serial", medium.serial},         {"serial_by_hand", medium.serial_by_hand},
          {"size_bytes", medium.size_bytes}, {"vendor", medium.vendor}};
}

Canonical body_of(const WipeRequest& request) {
  Canonical media = Canonical::array();
  for (const RequestedMedium& medium : request.media) media.push_back(medium_json(medium));
  return {{"classification", request.classification},
          {"destination", request.destination},
          {"expires", utc_seconds(request.expires)},
          {"id", request.id},
          {"media", std::move(media)},
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

Canonical time_json(const std::optional<Time>& time) { return time ? Canonical(utc_seconds(*time)) : Canonical(nullptr); }

Canonical step_json(const wipe::StepProgress& step, const std::string& content) {
  return {{"bad", ranges_json(step.bad)},
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
}

Canonical segment_json(const wipe::Segment& segment) {
  return {{"began", utc_seconds(segment.began)},
          {"last", utc_seconds(segment.last)},
          {"offset", segment.offset},
          {"step", segment.step + 1}};
}

Canonical body_of(const WipeRun& run) {
  Canonical steps = Canonical::array(), segments = Canonical::array();
  for (std::size_t i = 0; i < run.progress.steps.size(); ++i)
    steps.push_back(step_json(run.progress.steps[i], run.contents.at(i)));
  for (const wipe::Segment& segment : run.progress.segments) segments.push_back(segment_json(segment));
  return {{"device",
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
          {"plan_document", run.plan_document},
          {"segments", std::move(segments)},
          {"steps", std::move(steps)},
          {"tool", run.tool},
          {"verdict", run.verdict},
          {"verdict_reason", run.verdict_reason}};
}

// Calls `take(name, act, by, body, put)` for each member in the order they were signed; put(dossier, body) places it.
template <class Take>
void each_member(const Dossier& dossier, Take&& take) {
  const auto member = [](const char* name) { return [name](Canonical& whole, Canonical body) { whole[name] = std::move(body); }; };
  take("request", "wipe.request", dossier.request.by, body_of(dossier.request), member("request"));
  if (dossier.approval)
    take("approval", "wipe.approve", dossier.approval->by, body_of(*dossier.approval), member("approval"));
  for (std::size_t i = 0; i < dossier.runs.size(); ++i)
    take("run " + std::to_string(i + 1), "wipe.run", dossier.runs[i].by, body_of(dossier.runs[i]),
         [i](Canonical& whole, Canonical body) { whole["runs"][i] = std::move(body); });
  if (dossier.validation)
    take("validation", "wipe.validate", dossier.validation->by, body_of(*dossier.validation), member("validation"));
  if (dossier.confirmation)
    take("confirmation", "wipe.confirm", dossier.confirmation->by, body_of(*dossier.confirmation),
         member("confirmation"));
}

// What a member's signature covers, beside the member itself.
struct Covered {
  std::string name;
  std::string act;
  const Signed* by = nullptr;
  crypto::Sha256 hash;
};

struct Written {
  std::string text;  // without its LF
  std::vector<Covered> members;
};

Written write(const Dossier& dossier) {
  Canonical whole{{"format", kDossierFormat}};
  Written written;
  each_member(dossier, [&](std::string name, const char* act, const Signed& by, Canonical body, auto&& put) {
    body["public_key"] = by.key.hex();
    put(whole, body);
    written.members.push_back({std::move(name), act, &by, crypto::sha256(as_bytes(whole.dump()))});
    body.update(signing_json(by));
    put(whole, std::move(body));
  });
  written.text = whole.dump();
  return written;
}

// ---- Reading

const Json& member(const Json& json, const char* name) {
  const auto at = json.find(name);
  if (at == json.end()) refuse("it lacks \"" + std::string(name) + "\"");
  return *at;
}

std::string text(const Json& json, const char* name) {
  const Json& value = member(json, name);
  if (!value.is_string() || value.get_ref<const std::string&>().size() > kTextLimit)
    refuse("\"" + std::string(name) + "\" is no text, or too long");
  return value.get<std::string>();
}

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
  WipeRequest request{job_text(json, "id"),          text(json, "reason"), text(json, "destination"),
                      text(json, "classification"), as_time(member(json, "expires")), {}, read_signing(json)};
  if (!is_wipe_reason(request.reason)) refuse("the reason is none of those that there are");
  if (!is_classification(request.classification)) refuse("the classification is none of those that there are");
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

WipeRun read_run(const Json& json) {
  WipeRun run;
  run.medium = index(json, "medium", kDossierMediaLimit);
  run.job = job_text(json, "job");
  run.plan_document = text(json, "plan_document");
  run.identity = read_identity(member(json, "identity"));
  run.geometry = read_geometry(member(json, "geometry"));
  const Json& device = member(json, "device");
  run.device = text(device, "name");
  run.attachment = {number(device, "disk_sequence"), flag(device, "removable"), flag(device, "rotational")};
  run.tool = text(json, "tool");
  run.host = text(json, "host");
  run.kernel = text(json, "kernel");
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
  if (json.contains("runs"))
    for (const Json& run : list(json, "runs", kDossierRunLimit)) dossier.runs.push_back(read_run(run));
  if (json.contains("validation")) dossier.validation = read_validation(member(json, "validation"));
  if (json.contains("confirmation")) dossier.confirmation = WipeConfirmation{read_signing(member(json, "confirmation"))};
  return dossier;
}

// ---- What was done

wipe::OverwriteResult result_of(const WipeRun& run) {
  wipe::Plan plan = wipe::plan_of(run.plan_document);
  if (run.progress.steps.size() > plan.steps.size()) refuse("it has more steps than its plan");
  return {{}, run.identity, run.geometry, plan, wipe::plan_hash(plan), run.contents, run.progress};
}

std::string wrong_content(const wipe::Plan& plan, const std::vector<std::string>& contents) {
  Bytes before;
  for (std::size_t i = 0; i < contents.size(); ++i) {
    const wipe::Step& step = plan.steps[i];
    std::string expected = step.kind == wipe::StepKind::random ? "random" : "";
    if (step.kind == wipe::StepKind::fixed) expected = to_hex(step.pattern);
    if (step.kind == wipe::StepKind::complement) {
      for (std::byte& byte : before) byte = ~byte;
      expected = to_hex(before);
    }
    if (step.kind == wipe::StepKind::drawn) {
      if (contents[i].size() != 2) return "step " + std::to_string(i + 1) + " did not write what the plan says";
      expected = contents[i];
    }
    if (contents[i] != expected) return "step " + std::to_string(i + 1) + " did not write what the plan says";
    before = wipe::writes(step) && expected != "random" ? from_hex(expected) : Bytes{};
  }
  return {};
}

constexpr std::int64_t kAhead_ns = 15LL * 60 * 1'000'000'000;

class Checker {
 public:
  Checker(const Dossier& dossier, const Signers* known, Time now) : dossier_(dossier), known_(known), now_(now) {}

  std::vector<DossierFinding> check() {
    written_ = write(dossier_);
    check_signatures();
    check_names();
    check_order();
    check_approval();
    for (std::size_t i = 0; i < dossier_.runs.size(); ++i) check_run(i);
    check_validation();
    return std::move(findings_);
  }

 private:
  void find(std::string member, std::string what) { findings_.push_back({std::move(member), std::move(what)}); }

  void check_signatures() {
    for (const Covered& member : written_.members) {
      const Signed& by = *member.by;
      if (!crypto::verify_statement(by.key, control::encode(by.statement), by.signature))
        find(member.name, "its signature does not hold");
      if (by.statement.sha256 != member.hash.hex()) find(member.name, "something else was signed");
      if (by.statement.act != member.act || by.statement.object != dossier_.request.id || !by.statement.repository.empty())
        find(member.name, "what was signed is another act, or of another request");
      if (known_ != nullptr && !known_->contains(by.key))
        find(member.name, "it was signed with a key that is not among those given: " + by.key.hex());
    }
  }

  void check_names() {
    for (std::size_t i = 0; i < written_.members.size(); ++i)
      for (std::size_t j = 0; j < i; ++j) {
        const Signed &one = *written_.members[j].by, &other = *written_.members[i].by;
        if ((one.statement.by == other.statement.by) != (one.key == other.key))
          find(written_.members[i].name, "the name and the key of who signed do not belong together elsewhere in it");
      }
  }

  static bool is_one_person(const Signed& one, const Signed& other) {
    return one.statement.by == other.statement.by || one.key == other.key;
  }

  // Never without a zone: it would mean another time on another machine.
  static std::optional<Time> time_of(const Signed& by) {
    constexpr std::size_t kLeast = std::string_view("2026-11-21T02:30:00Z").size();
    return by.statement.time.size() < kLeast ? std::nullopt : parse_time(by.statement.time);
  }

  void next_time(const std::string& member, std::optional<Time> time) {
    if (!time) return find(member, "its time is none");
    if (*time < last_time_) find(member, "its time is before that of what it follows");
    if (time->ns > now_.ns + kAhead_ns) find(member, "its time is yet to come");
    last_time_ = std::max(last_time_, *time);
  }

  // Media may be wiped side by side: a run begins after the approval, and is signed after the run before was.
  void check_order() {
    next_time("request", time_of(dossier_.request.by));
    if (dossier_.approval) next_time("approval", time_of(dossier_.approval->by));
    const Time approved = last_time_;
    for (std::size_t i = 0; i < dossier_.runs.size(); ++i) {
      const std::string name = run_name(i);
      check_times_of_run(name, dossier_.runs[i], approved);
      next_time(name, time_of(dossier_.runs[i].by));
    }
    if (dossier_.validation) next_time("validation", time_of(dossier_.validation->by));
    if (dossier_.confirmation) next_time("confirmation", time_of(dossier_.confirmation->by));
  }

  void check_times_of_run(const std::string& name, const WipeRun& run, Time approved) {
    Time before = approved;
    bool in_order = !run.progress.segments.empty();
    for (const wipe::Segment& segment : run.progress.segments) {
      in_order = in_order && before <= segment.began && segment.began <= segment.last;
      before = segment.last;
    }
    const Time ended = before;
    before = approved;
    for (const wipe::StepProgress& step : run.progress.steps) {
      if (!step.began) continue;
      in_order = in_order && before <= *step.began && (!step.ended || *step.began <= *step.ended);
      before = step.ended.value_or(*step.began);
    }
    const auto written = time_of(run.by);
    if (!in_order || before > ended || (written && ended > *written))
      find(name, "its times are not in their order");
  }

  void check_approval() {
    const WipeRequest& request = dossier_.request;
    if (request.media.empty()) find("request", "it names no medium");
    if (!dossier_.approval) {
      if (!dossier_.runs.empty() || dossier_.validation || dossier_.confirmation)
        find("approval", "it is missing, and yet more follows");
      return;
    }
    if (is_one_person(request.by, dossier_.approval->by)) find("approval", "who requested it approved it");
    if (request.classification == kStateSecret)
      find("approval", "media of the class state-secret are to be destroyed, and cannot be approved for a plan");
    if (const auto time = time_of(dossier_.approval->by); time && *time > request.expires)
      find("approval", "it was given after the request had expired");
  }

  static std::string run_name(std::size_t i) { return "run " + std::to_string(i + 1); }

  void check_run(std::size_t i) {
    const WipeRun& run = dossier_.runs[i];
    const std::string name = run_name(i);
    if (run.medium >= dossier_.request.media.size()) return find(name, "it is of a medium that nobody requested");
    if (!run.progress.segments.empty() && run.progress.segments.front().began > dossier_.request.expires)
      find(name, "it began after the approval had expired");
    check_disk(name, run, dossier_.request.media[run.medium]);
    try {
      const wipe::OverwriteResult result = result_of(run);
      check_plan(name, run, dossier_.request.media[run.medium], result.plan);
      check_verdict(name, run, assess(dossier_, i));
    } catch (const Error& error) {
      find(name, error.what());
    }
  }

  void check_disk(const std::string& name, const WipeRun& run, const RequestedMedium& medium) {
    const bool by_hand = run.identity.serial.empty() && medium.serial_by_hand;
    if (medium.serial.empty() || (!by_hand && run.identity.serial != medium.serial))
      find(name, "its serial is not the one that was approved");
    if (run.identity.model != medium.model || run.identity.vendor != medium.vendor)
      find(name, "its vendor or model is not the one that was approved");
    if (run.geometry.size_bytes != medium.size_bytes) find(name, "its size is not the one that was approved");
  }

  void check_plan(const std::string& name, const WipeRun& run, const RequestedMedium& medium, const wipe::Plan& plan) {
    if (wipe::plan_hash(plan) != medium.plan_hash || plan.name != medium.plan)
      find(name, "its plan is not the one that was approved");
    if (std::string wrong = wrong_content(plan, run.contents); !wrong.empty()) find(name, std::move(wrong));
  }

  void check_verdict(const std::string& name, const WipeRun& run, const wipe::Assessment& assessment) {
    if (run.verdict != wipe::verdict_name(assessment.verdict) || run.verdict_reason != assessment.reason)
      find(name, "its verdict is not what follows from what was done");
    if (run.exit_code != exit_code_of(assessment.verdict)) find(name, "its exit code does not belong to its verdict");
  }

  void check_validation() {
    if (dossier_.validation) {
      if (dossier_.runs.empty()) find("validation", "nothing was done yet");
      for (const WipeRun& run : dossier_.runs)
        if (is_one_person(run.by, dossier_.validation->by)) return find("validation", "an operator validated it");
    }
    if (dossier_.confirmation && (!dossier_.validation || dossier_.validation->decision != Decision::accept))
      find("confirmation", "it confirms what nobody accepted");
  }

  const Dossier& dossier_;
  const Signers* known_;
  Time now_;
  Written written_;
  Time last_time_;
  std::vector<DossierFinding> findings_;
};

template <std::size_t Size>
bool is_one_of(std::string_view text, const std::array<std::string_view, Size>& texts) {
  return std::ranges::find(texts, text) != texts.end();
}

Signed& last_signed(Dossier& dossier) {
  if (dossier.confirmation) return dossier.confirmation->by;
  if (dossier.validation) return dossier.validation->by;
  if (!dossier.runs.empty()) return dossier.runs.back().by;
  if (dossier.approval) return dossier.approval->by;
  return dossier.request.by;
}

}  // namespace

std::string utc_seconds(Time time) {
  constexpr std::size_t kWithoutFraction = std::string_view("2026-11-21T02:30:00").size();
  return utc_text(time).substr(0, kWithoutFraction) + "Z";
}

bool is_wipe_reason(std::string_view text) {
  return is_one_of<4>(text, {"disposal", "transfer", "reuse", "repair"});
}

bool is_classification(std::string_view text) {
  return is_one_of<4>(text, {"not-stated", "ordinary", "sensitive", kStateSecret});
}

bool looks_like_dossier(std::string_view beginning) {
  constexpr std::size_t kNear = 4096, kVeryNear = 64;
  return beginning.substr(0, kNear).find("qcbak dossier") != beginning.npos ||
         beginning.starts_with("{\"approval\":{\"public_key\"") ||
         beginning.substr(0, kVeryNear).find("\"request\":{") != beginning.npos;
}

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

void sign_last(Dossier& dossier, std::string_view by, std::string reason, const crypto::SignSeed& seed, Time now) {
  Signed& last = last_signed(dossier);
  last = {};
  last.key = crypto::sign_public(seed);
  const Covered covered = write(dossier).members.back();
  last.statement = {covered.act,        std::string(by), dossier.request.id, std::move(reason), "",
                    covered.hash.hex(), format_time(now)};
  last.signature = crypto::sign_statement(seed, control::encode(last.statement));
}

wipe::Assessment assess(const Dossier& dossier, std::size_t run) {
  const WipeRun& assessed = dossier.runs.at(run);
  wipe::Facts facts = wipe::facts_of(result_of(assessed));
  for (std::size_t i = 0; i < run; ++i)
    if (dossier.runs[i].medium == assessed.medium)
      facts.mismatched_before =
          facts.mismatched_before || wipe::facts_of(result_of(dossier.runs[i])).mismatching_bytes > 0;
  return wipe::assess(facts);
}

int exit_code_of(wipe::Verdict verdict) {
  if (wipe::is_success(verdict)) return 0;
  return verdict == wipe::Verdict::destroy ? 6 : 1;
}

const WipeRun* last_run(const Dossier& dossier, std::size_t medium) {
  const auto at = std::find_if(dossier.runs.rbegin(), dossier.runs.rend(),
                               [medium](const WipeRun& run) { return run.medium == medium; });
  return at == dossier.runs.rend() ? nullptr : &*at;
}

bool succeeded(const WipeRun& run) { return run.exit_code == 0; }

std::string why_no_certificate(const Dossier& dossier, std::size_t medium) {
  const WipeRun* run = last_run(dossier, medium);
  if (run == nullptr) return "nothing was done to this medium";
  if (!succeeded(*run)) return "this medium is not cleared: " + run->verdict_reason;
  if (!dossier.validation) return "nobody has validated what was done";
  if (dossier.validation->decision != Decision::accept) return "what was done was rejected";
  return {};
}

std::vector<DossierFinding> check(const Dossier& dossier, const Signers* known, Time now) {
  return Checker(dossier, known, now).check();
}

std::vector<SignedMember> signed_members(const Dossier& dossier) {
  std::vector<SignedMember> members;
  each_member(dossier, [&](std::string name, const char*, const Signed& by, const Canonical&, auto&&) {
    members.push_back({std::move(name), &by});
  });
  return members;
}

}  // namespace qcbak::evidence
