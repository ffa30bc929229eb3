#include "wipe/plan.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/nearest.h"

namespace qcbak::wipe {
namespace {

constexpr std::size_t kPlanDocumentLimit = 64U << 10;
constexpr std::string_view kSampledSuffix = "-sampled";

constexpr std::pair<StepKind, std::string_view> kKindNames[] = {
    {StepKind::fixed, "fixed"},
    {StepKind::drawn, "drawn"},
    {StepKind::complement, "complement"},
    {StepKind::random, "random"},
    {StepKind::read_back, "read-back"},
    {StepKind::sample, "sample"},
    {StepKind::remove_hidden_areas, "remove-hidden-areas"},
    {StepKind::firmware_erase, "firmware-erase"},
    {StepKind::check_erasure, "check-erasure"},
    {StepKind::discard, "discard"},
};

using Json = nlohmann::json;  // its objects sort their keys by byte

[[noreturn]] void refuse(const Plan& plan, const std::string& reason) {
  throw Error(ErrorCode::usage, "the plan " + printable(plan.name) + " " + reason);
}

std::string step_text(std::size_t index) { return "step " + std::to_string(index + 1); }

bool is_printable_ascii(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

void check_texts(const Plan& plan) {
  for (const std::string_view text :
       {std::string_view(plan.name), std::string_view(plan.title), std::string_view(plan.source)})
    if (!is_printable_ascii(text)) refuse(plan, "has a name, title or source that is empty or not plain ASCII");
  if (plan.version == 0) refuse(plan, "has no version");
}

void check_pattern(const Plan& plan, std::size_t index) {
  const Step& step = plan.steps[index];
  const std::size_t size = step.pattern.size();
  if (step.kind != StepKind::fixed) {
    if (size != 0) refuse(plan, "has a pattern in " + step_text(index) + ", which writes none");
  } else if (size == 0 || size > kPatternSizeLimit || kPatternTileBytes % size != 0) {
    refuse(plan, "has a pattern in " + step_text(index) + " whose length is not 1, 2, 3, 4, 6, 8 or 12 bytes");
  }
}

void check_complement(const Plan& plan, std::size_t index) {
  if (plan.steps[index].kind != StepKind::complement) return;
  const StepKind before = index == 0 ? StepKind::random : plan.steps[index - 1].kind;
  if (before != StepKind::fixed && before != StepKind::drawn && before != StepKind::complement)
    refuse(plan, "has nothing for " + step_text(index) + " to be the complement of");
}

enum class Readback { none_needed, missing };

// What was written last has to be read back before the plan ends or the firmware changes it.
void check_readback(const Plan& plan) {
  Readback state = Readback::none_needed;
  bool wrote = false;
  for (const Step& step : plan.steps) {
    if (verifies(step) && !wrote) refuse(plan, "reads back what it did not write");
    if (!overwrites(step) && state == Readback::missing) refuse(plan, "does not read back its last pass");
    if (writes(step)) state = Readback::missing;
    if (verifies(step)) state = Readback::none_needed;
    wrote = wrote || writes(step);
  }
  if (state == Readback::missing) refuse(plan, "does not read back its last pass");
}

std::size_t count(const Plan& plan, StepKind kind) {
  return static_cast<std::size_t>(std::ranges::count(plan.steps, kind, &Step::kind));
}

// What is hidden is found before anything is written: the disk is larger from then on.
void check_hidden_areas(const Plan& plan) {
  const std::size_t steps = count(plan, StepKind::remove_hidden_areas);
  if (steps > 1 || (steps == 1 && plan.steps.front().kind != StepKind::remove_hidden_areas))
    refuse(plan, "removes hidden areas elsewhere than in its first step");
}

void check_erasure_steps(const Plan& plan) {
  if (count(plan, StepKind::firmware_erase) > 1) refuse(plan, "erases by firmware more than once");
  for (std::size_t index = 0; index < plan.steps.size(); ++index) {
    const bool erased = index > 0 && plan.steps[index - 1].kind == StepKind::firmware_erase;
    if (erased != (plan.steps[index].kind == StepKind::check_erasure))
      refuse(plan, erased ? "does not check an erasure by firmware in the step after it"
                          : "checks an erasure in " + step_text(index) + " that the step before it does not do");
    if (plan.steps[index].method != FirmwareMethod::purge_auto && plan.steps[index].kind != StepKind::firmware_erase)
      refuse(plan, "has a method in " + step_text(index) + ", which erases by none");
  }
  if (plan.steps.back().kind == StepKind::firmware_erase)
    refuse(plan, "does not check an erasure by firmware in the step after it");
}

void check_discard(const Plan& plan) {
  const std::size_t steps = count(plan, StepKind::discard);
  if (steps > 1 || (steps == 1 && plan.steps.back().kind != StepKind::discard))
    refuse(plan, "discards elsewhere than in its last step");
}

void check_purpose(const Plan& plan) {
  const auto erases = [](const Step& step) { return writes(step) || step.kind == StepKind::firmware_erase; };
  if (!std::ranges::any_of(plan.steps, erases)) refuse(plan, "neither writes nor erases anything");
}

std::size_t draw_number(const Plan& plan, std::size_t index) {
  const auto end = plan.steps.begin() + static_cast<std::ptrdiff_t>(index) + 1;
  return static_cast<std::size_t>(
      std::count_if(plan.steps.begin(), end, [](const Step& step) { return step.kind == StepKind::drawn; }));
}

Json step_document(const Plan& plan, std::size_t index) {
  const Step& step = plan.steps[index];
  Json json{{"kind", step_kind_name(step.kind)}};
  if (step.kind == StepKind::fixed) json["pattern"] = to_hex(step.pattern);
  if (step.kind == StepKind::drawn) json["draw"] = draw_number(plan, index);
  if (step.kind == StepKind::complement) json["of"] = writing_step(plan, index - 1) + 1;
  if (verifies(step)) json["of"] = writing_step(plan, index) + 1;
  if (step.method != FirmwareMethod::purge_auto) json["method"] = method_name(step.method);
  return json;
}

std::string_view category(const Plan& plan) {
  const bool by_firmware =
      std::ranges::any_of(plan.steps, [](const Step& step) { return step.kind == StepKind::firmware_erase; });
  if (is_destruction(plan)) return "destroy";
  return by_firmware ? "by-firmware" : "clear";
}

Step step_of(const Json& json) {
  Step step{step_kind_of(json.at("kind").get<std::string>())};
  if (step.kind == StepKind::fixed) step.pattern = from_hex(json.at("pattern").get<std::string>());
  if (json.contains("method")) step.method = method_of_name(json.at("method").get<std::string>());
  return step;
}

}  // namespace

std::string_view step_kind_name(StepKind kind) {
  const auto* const found = std::ranges::find(kKindNames, kind, &std::pair<StepKind, std::string_view>::first);
  check(found != std::end(kKindNames), "every kind of step has a name");
  return found->second;
}

StepKind step_kind_of(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& [kind, kind_name] : kKindNames) {
    if (kind_name == name) return kind;
    names.emplace_back(kind_name);
  }
  Error error(ErrorCode::usage, "no step is called " + printable(name));
  if (const std::string meant = nearest(name, names); !meant.empty()) error.with_hint("perhaps " + meant + " is meant");
  throw error;
}

bool writes(const Step& step) {
  return step.kind == StepKind::fixed || step.kind == StepKind::drawn || step.kind == StepKind::complement ||
         step.kind == StepKind::random;
}

bool verifies(const Step& step) { return step.kind == StepKind::read_back || step.kind == StepKind::sample; }

bool overwrites(const Step& step) { return writes(step) || verifies(step); }

std::size_t writing_step(const Plan& plan, std::size_t index) {
  check(index < plan.steps.size(), "the step is one of the plan");
  while (!writes(plan.steps[index])) {
    check(index > 0, "a step of the plan writes before this one");
    --index;
  }
  return index;
}

bool is_destruction(const Plan& plan) { return plan.name == kDestroyPlan; }

void check_plan(const Plan& plan) {
  check_texts(plan);
  if (is_destruction(plan)) {
    if (!plan.steps.empty()) refuse(plan, "has steps, and what is destroyed needs none");
    return;
  }
  if (plan.steps.empty() || plan.steps.size() > kPlanStepLimit)
    refuse(plan, "has no steps, or more than " + std::to_string(kPlanStepLimit));
  for (std::size_t index = 0; index < plan.steps.size(); ++index) {
    check_pattern(plan, index);
    check_complement(plan, index);
  }
  check_purpose(plan);
  check_readback(plan);
  check_hidden_areas(plan);
  check_erasure_steps(plan);
  check_discard(plan);
}

std::string document(const Plan& plan) {
  check_plan(plan);
  Json steps = Json::array();
  for (std::size_t index = 0; index < plan.steps.size(); ++index) steps.push_back(step_document(plan, index));
  const Json json{{"category", category(plan)}, {"format", "qcbak plan 1"},  {"name", plan.name},
                  {"source", plan.source},      {"steps", std::move(steps)}, {"title", plan.title},
                  {"version", plan.version}};
  return json.dump();
}

Plan plan_of(std::string_view text) {
  try {
    if (text.size() > kPlanDocumentLimit) throw Error(ErrorCode::damaged, "the document of a plan is too long");
    const Json json = Json::parse(text);
    Plan plan{json.at("name").get<std::string>(),
              json.at("version").get<std::uint32_t>(),
              json.at("title").get<std::string>(),
              json.at("source").get<std::string>(),
              {}};
    for (const Json& step : json.at("steps")) plan.steps.push_back(step_of(step));
    if (document(plan) == text) return plan;
  } catch (const Json::exception&) {
    // Said below.
  } catch (const Error&) {
    // Likewise.
  }
  throw Error(ErrorCode::damaged, "this is no document of a plan");
}

crypto::Sha256 plan_hash(const Plan& plan) { return crypto::sha256(as_bytes(document(plan))); }

Plan sampled(const Plan& plan) {
  Plan other = plan;
  for (Step& step : other.steps)
    if (step.kind == StepKind::read_back) step.kind = StepKind::sample;
  if (count(other, StepKind::sample) == count(plan, StepKind::sample))
    refuse(plan, "reads nothing back that could be sampled");
  other.name += kSampledSuffix;
  other.title += ", a sample read back";
  return other;
}

void require_own_name(const Plan& plan) {
  for (const Plan& shipped : shipped_plans())
    if (plan.name == shipped.name || plan.name == shipped.name + std::string(kSampledSuffix))
      refuse(plan, "bears the name of one that comes with the program");
}

bool misuses_a_name(const Plan& plan) {
  const auto is_pretended = [&](const Plan& known) {
    return plan.name == known.name && plan.version == known.version && document(plan) != document(known);
  };
  return std::ranges::any_of(shipped_plans(), [&](const Plan& shipped) {
    return is_pretended(shipped) || (std::ranges::any_of(shipped.steps, verifies) && is_pretended(sampled(shipped)));
  });
}

const Plan& shipped_plan(std::string_view name) {
  if (name == kDestroyPlan) return destruction_plan();
  std::vector<std::string> names{std::string(kDestroyPlan)};
  for (const Plan& plan : shipped_plans()) {
    if (plan.name == name) return plan;
    names.push_back(plan.name);
  }
  const std::string meant = nearest(name, names);
  Error error(ErrorCode::usage, "no plan is called " + printable(name));
  if (!meant.empty()) error.with_hint("perhaps " + meant + " is meant");
  throw error;
}

}  // namespace qcbak::wipe
