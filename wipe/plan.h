// Plans: what is done to a disk, step by step, as approvals and certificates name it. docs/sanitisation.md "Plans".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/hash.h"
#include "wipe/firmware_method.h"

namespace qcbak::wipe {

enum class StepKind {
  fixed,
  drawn,
  complement,
  random,
  read_back,
  sample,
  remove_hidden_areas,
  firmware_erase,
  check_erasure,
  discard,
};
std::string_view step_kind_name(StepKind kind);  // as in the document: "read-back"
// Error(usage) for a name that is none, naming the nearest.
StepKind step_kind_of(std::string_view name);

struct Step {
  StepKind kind = StepKind::random;
  Bytes pattern = {};                                  // of a fixed step; empty otherwise
  FirmwareMethod method = FirmwareMethod::purge_auto;  // of a step that erases by firmware
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
bool verifies(const Step& step);    // reads back what was written, or a sample of it
bool overwrites(const Step& step);  // writes or verifies: what is done to the disk by reading and writing
// Of an index into the steps: that of the last writing step up to it. There must be one.
std::size_t writing_step(const Plan& plan, std::size_t index);

// Error(usage) when the plan breaks a rule of docs/sanitisation.md "Plans".
void check_plan(const Plan& plan);
// Canonical JSON, of a plan that check_plan() accepts. The same plan gives the same bytes for ever.
std::string document(const Plan& plan);
crypto::Sha256 plan_hash(const Plan& plan);
// Of text that may come from anywhere. Error(damaged) unless it is what document() gives for some plan.
Plan plan_of(std::string_view document);

// The same plan with a sample instead of each read-back, and with a name of its own. Error(usage) when it reads nothing back.
Plan sampled(const Plan& plan);

// The plans that come with the program, in the order of the manual; they live as long as it does.
std::span<const Plan> shipped_plans();
const Plan& destruction_plan();  // not among them
// One of either. Error(usage) for a name that none has, naming the nearest.
const Plan& shipped_plan(std::string_view name);
// Error(usage) when a plan that comes with the program bears that name, or would when it is sampled.
void require_own_name(const Plan& plan);
// Whether it has the name and version of a plan that comes with the program, and is another.
bool misuses_a_name(const Plan& plan);

}  // namespace qcbak::wipe
