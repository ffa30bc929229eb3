// Plans: what is done to a disk, step by step, as approvals and certificates name it. docs/sanitisation.md "Plans".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/hash.h"

namespace qcbak::wipe {

enum class StepKind { fixed, drawn, complement, random, read_back, remove_hidden_areas, firmware_erase, check_erasure };
std::string_view step_kind_name(StepKind kind);  // as in the document: "read-back"

struct Step {
  StepKind kind = StepKind::random;
  Bytes pattern;  // of a fixed step; empty otherwise
};

struct Plan {
  std::string name;
  std::uint32_t version = 1;
  std::string title;
  std::string source;
  std::vector<Step> steps;
};

// The plan by which nothing is written: the medium is destroyed physically. It alone has no steps.
inline constexpr std::string_view kDestroyPlan = "destroy";

inline constexpr std::size_t kPlanStepLimit = 64;
inline constexpr std::size_t kPatternSizeLimit = 12;
inline constexpr std::size_t kPatternTileBytes = 12288;  // a multiple of every pattern's size, and of 4 KiB

bool writes(const Step& step);
bool is_destruction(const Plan& plan);
bool overwrites(const Step& step);  // writes, or reads back: what overwrite() does
// Of an index into the steps: that of the last writing step up to it. There must be one.
std::size_t writing_step(const Plan& plan, std::size_t index);

// Error(usage) when the plan breaks a rule of docs/sanitisation.md "Plans".
void check_plan(const Plan& plan);
// Canonical JSON, of a plan that check_plan() accepts. The same plan gives the same bytes for ever.
std::string document(const Plan& plan);
crypto::Sha256 plan_hash(const Plan& plan);
// Of text that may come from anywhere. Error(damaged) unless it is what document() gives for some plan.
Plan plan_of(std::string_view document);

// The plans that come with the program, in the order of the manual; they live as long as it does.
std::span<const Plan> shipped_plans();
const Plan& destruction_plan();  // not among them
// One of either. Error(usage) for a name that none has, naming the nearest.
const Plan& shipped_plan(std::string_view name);

}  // namespace qcbak::wipe
