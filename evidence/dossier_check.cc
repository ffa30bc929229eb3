#include <algorithm>

#include "base/error.h"
#include "crypto/signing_key.h"
#include "evidence/dossier_json.h"
#include "evidence/dossier_runs.h"

namespace qcbak::evidence {
namespace {

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

using Sentences = std::vector<std::string>;

bool is_method_of_plan(wipe::FirmwareMethod used, wipe::FirmwareMethod planned) {
  if (planned != wipe::FirmwareMethod::purge_auto) return used == planned;
  return used != planned && wipe::method_row(used).category == wipe::Category::purge;
}

bool holds_erasing_command(const wipe::FirmwareProgress& firmware) {
  const wipe::CommandSet set = wipe::method_row(firmware.method).command_set;
  return std::ranges::any_of(firmware.commands,
                             [&](const wipe::CommandRecord& record) { return wipe::erases(set, record.command); });
}

// What a step by firmware says that cannot be, whatever the disk did.
Sentences wrong_erasure(const wipe::Step& planned, const wipe::StepProgress& step) {
  const wipe::FirmwareProgress& firmware = *step.firmware;
  if (!is_method_of_plan(firmware.method, planned.method)) return {"it erased by another method than its plan says"};
  const bool was_sent = firmware.acceptance != wipe::Acceptance::unseen;
  if (was_sent && !holds_erasing_command(firmware)) return {"no command that erases is among those that were sent"};
  if (firmware.completion == wipe::Completion::seen && firmware.acceptance != wipe::Acceptance::seen)
    return {"an erasure that was never accepted was completed"};
  return {};
}

// The markers that were looked at are those that were written.
Sentences wrong_remains(const std::vector<wipe::StepProgress>& steps, std::size_t index) {
  const wipe::Remains& remains = *steps[index].remains;
  const std::size_t looked_at = remains.markers_changed + remains.markers_unchanged + remains.markers_unreadable;
  const bool follows = index > 0 && steps[index - 1].firmware;
  if (!follows || looked_at != steps[index - 1].firmware->marker_offsets.size())
    return {"other markers were looked at than were written"};
  return {};
}

const std::vector<wipe::HiddenArea>& areas_of(const wipe::StepProgress& step) {
  static const std::vector<wipe::HiddenArea> kNone;
  if (step.hidden) return step.hidden->areas;
  return step.firmware ? step.firmware->hidden_areas : kNone;
}

// A disk grows by what was hidden, and by nothing else, and what was removed can be seen.
Sentences wrong_size(std::uint64_t before, const wipe::StepProgress& step) {
  bool is_explained = step.size_bytes == before;
  for (const wipe::HiddenArea& area : areas_of(step)) {
    is_explained = is_explained || (area.removed && area.size_bytes == step.size_bytes);
    if (area.removed && area.size_bytes > *step.size_bytes) return {"what was hidden is said to be gone, and is not"};
  }
  return is_explained ? Sentences{} : Sentences{"the disk grew by more than was hidden"};
}

// Every step holds what its kind leaves, and nothing else.
bool has_its_parts(const wipe::Step& planned, const wipe::StepProgress& step) {
  using enum wipe::StepKind;
  const bool hides = planned.kind == remove_hidden_areas, erases = planned.kind == firmware_erase;
  const bool has_ended = step.ended.has_value();
  if (step.hidden && !hides) return false;
  if (step.firmware && !erases) return false;
  if (step.remains && planned.kind != check_erasure) return false;
  if (step.size_bytes.has_value() != (has_ended && (hides || erases))) return false;
  return !has_ended ||
         ((!hides || step.hidden) && (!erases || step.firmware) && (planned.kind != check_erasure || step.remains));
}

Sentences wrong_firmware(const wipe::OverwriteResult& result) {
  Sentences wrong;
  const auto add = [&](std::size_t index, const Sentences& sentences) {
    for (const std::string& sentence : sentences)
      wrong.push_back("step " + std::to_string(index + 1) + ": " + sentence);
  };
  std::uint64_t size_bytes = result.geometry.size_bytes;
  const std::vector<wipe::StepProgress>& steps = result.progress.steps;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!has_its_parts(result.plan.steps[i], steps[i])) add(i, {"it does not hold what its kind leaves"});
    if (steps[i].firmware) add(i, wrong_erasure(result.plan.steps[i], steps[i]));
    if (steps[i].remains) add(i, wrong_remains(steps, i));
    if (steps[i].size_bytes) add(i, wrong_size(size_bytes, steps[i]));
    size_bytes = steps[i].size_bytes.value_or(size_bytes);
  }
  return wrong;
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
    check_plans();
    for (std::size_t i = 0; i < dossier_.runs.size(); ++i) check_run(i);
    for (std::size_t i = 0; i < dossier_.destructions.size(); ++i) check_destruction(i);
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
      if (by.statement.act != member.act || by.statement.object != dossier_.request.id ||
          !by.statement.repository.empty())
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

  // Media are wiped side by side, and on different benches: what is done to one comes after the approval, and after what was
  // done to it before.
  void check_order() {
    next_time("request", time_of(dossier_.request.by));
    if (dossier_.approval) next_time("approval", time_of(dossier_.approval->by));
    const Time approved = last_time_;
    Time latest = approved;
    for (std::size_t medium = 0; medium < dossier_.request.media.size(); ++medium) {
      last_time_ = approved;
      check_order_of(medium, approved);
      latest = std::max(latest, last_time_);
    }
    last_time_ = latest;
    if (dossier_.validation) next_time("validation", time_of(dossier_.validation->by));
    if (dossier_.confirmation) next_time("confirmation", time_of(dossier_.confirmation->by));
  }

  void check_order_of(std::size_t medium, Time approved) {
    for (std::size_t i = 0; i < dossier_.runs.size(); ++i) {
      if (dossier_.runs[i].medium != medium) continue;
      check_times_of_run(run_name(i), dossier_.runs[i], approved);
      next_time(run_name(i), time_of(dossier_.runs[i].by));
    }
    for (std::size_t i = 0; i < dossier_.destructions.size(); ++i) {
      const Destruction& destruction = dossier_.destructions[i];
      if (destruction.medium != medium) continue;
      const auto written = time_of(destruction.by);
      if (destruction.destroyed < approved || (written && destruction.destroyed > *written))
        find(destruction_name(i), "its times are not in their order");
      next_time(destruction_name(i), written);
    }
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
    if (!in_order || before > ended || (written && ended > *written)) find(name, "its times are not in their order");
  }

  void check_approval() {
    const WipeRequest& request = dossier_.request;
    if (request.media.empty()) find("request", "it names no medium");
    if (!dossier_.approval) {
      if (!dossier_.runs.empty() || !dossier_.destructions.empty() || dossier_.validation || dossier_.confirmation)
        find("approval", "it is missing, and yet more follows");
      return;
    }
    if (is_one_person(request.by, dossier_.approval->by)) find("approval", "who requested it approved it");
    const auto is_for_destruction = [](const RequestedMedium& medium) { return medium.plan == wipe::kDestroyPlan; };
    if (request.classification == kStateSecret && !std::ranges::all_of(request.media, is_for_destruction))
      find("approval", "media of the class state-secret are to be destroyed, and cannot be approved for anything else");
    if (const auto time = time_of(dossier_.approval->by); time && *time > request.expires)
      find("approval", "it was given after the request had expired");
  }

  void check_plans() {
    const std::vector<std::string>& plans = dossier_.request.plans;
    if (std::ranges::adjacent_find(plans, std::greater_equal<>()) != plans.end())
      find("request", "its plans are not in their order");
    for (const std::string& document : plans) {
      const crypto::Sha256 hash = crypto::sha256(as_bytes(document));
      if (std::ranges::find(dossier_.request.media, hash, &RequestedMedium::plan_hash) == dossier_.request.media.end())
        find("request", "it holds a plan for no medium");
    }
    for (std::size_t medium = 0; medium < dossier_.request.media.size(); ++medium) check_medium(medium);
  }

  void check_medium(std::size_t index) {
    const RequestedMedium& medium = dossier_.request.media[index];
    const std::string name = "medium " + std::to_string(index + 1);
    try {
      const wipe::Plan plan = plan_of(dossier_, index);
      if (plan.name != medium.plan) find(name, "its plan is of another name");
      if (wipe::misuses_a_name(plan))
        find(name, "its plan bears the name of one that comes with the program, and is another");
      if (!wipe::is_destruction(plan) && (medium.serial.empty() || medium.size_bytes == 0))
        find(name, "it is to be wiped, and yet has no serial or no size");
      if (medium.serial.empty() && medium.asset.empty()) find(name, "nothing tells which it is");
    } catch (const Error& error) {
      find(name, error.what());
    }
  }

  static std::string destruction_name(std::size_t i) { return "destruction " + std::to_string(i + 1); }

  void check_destruction(std::size_t i) {
    const Destruction& destruction = dossier_.destructions[i];
    const std::string name = destruction_name(i);
    if (destruction.medium >= dossier_.request.media.size())
      return find(name, "it is of a medium that nobody requested");
    if (!is_destruction_method(destruction.method)) find(name, "its method is none of those that there are");
    if (leaves_particles(destruction.method) != (destruction.particle_um > 0))
      find(name, "its size of particles does not belong to its method");
    if (destruction.witnesses.empty() || is_text_in(destruction.witnesses, destruction.by.statement.by))
      find(name, "nobody else witnessed it");
    const WipeRun* run = last_run(dossier_, destruction.medium);
    if (dossier_.request.media[destruction.medium].plan != wipe::kDestroyPlan && (run == nullptr || succeeded(*run)))
      find(name, "it was not approved: neither its plan nor a run that failed leaves nothing else");
  }

  static bool is_text_in(const std::vector<std::string>& texts, const std::string& text) {
    return std::ranges::find(texts, text) != texts.end();
  }

  static std::string run_name(std::size_t i) { return "run " + std::to_string(i + 1); }

  void check_run(std::size_t i) {
    const WipeRun& run = dossier_.runs[i];
    const std::string name = run_name(i);
    if (run.medium >= dossier_.request.media.size()) return find(name, "it is of a medium that nobody requested");
    if (dossier_.request.media[run.medium].plan == wipe::kDestroyPlan)
      return find(name, "it is of a medium that was approved for destruction only");
    if (!run.progress.segments.empty() && run.progress.segments.front().began > dossier_.request.expires)
      find(name, "it began after the approval had expired");
    check_disk(name, run, dossier_.request.media[run.medium]);
    if (const auto& heat = run.progress.heat; heat && heat->rests > 0 && heat->highest_c <= wipe::kHotAboveLeast_c)
      find(name, "the disk rested for heat, and was never hot");
    try {
      const wipe::OverwriteResult result = result_of(dossier_, run);
      check_plan(name, run, dossier_.request.media[run.medium], result.plan);
      for (std::string& sentence : wrong_firmware(result)) find(name, std::move(sentence));
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
    if (run.plan_hash != medium.plan_hash) find(name, "its plan is not the one that was approved");
    if (std::string wrong = wrong_content(plan, run.contents); !wrong.empty()) find(name, std::move(wrong));
  }

  void check_verdict(const std::string& name, const WipeRun& run, const wipe::Assessment& assessment) {
    if (run.verdict != wipe::verdict_name(assessment.verdict) || run.verdict_reason != assessment.reason)
      find(name, "its verdict is not what follows from what was done");
    if (run.exit_code != exit_code_of(assessment.verdict)) find(name, "its exit code does not belong to its verdict");
  }

  void check_validation() {
    if (dossier_.validation) {
      if (dossier_.runs.empty() && dossier_.destructions.empty()) find("validation", "nothing was done yet");
      if (was_done_by(dossier_.validation->by)) find("validation", "an operator validated it");
    }
    if (!dossier_.confirmation) return;
    if (!dossier_.validation || dossier_.validation->decision != Decision::accept)
      find("confirmation", "it confirms what nobody accepted");
    if (was_done_by(dossier_.confirmation->by)) find("confirmation", "an operator confirmed it");
  }

  bool was_done_by(const Signed& person) const {
    const auto is_of_person = [&](const auto& member) { return is_one_person(member.by, person); };
    return std::ranges::any_of(dossier_.runs, is_of_person) || std::ranges::any_of(dossier_.destructions, is_of_person);
  }

  const Dossier& dossier_;
  const Signers* known_;
  Time now_;
  Written written_;
  Time last_time_;
  std::vector<DossierFinding> findings_;
};

}  // namespace

std::vector<DossierFinding> check(const Dossier& dossier, const Signers* known, Time now) {
  return Checker(dossier, known, now).check();
}

}  // namespace qcbak::evidence
