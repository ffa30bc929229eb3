// The plan as a document: the jobs with all that they are, in one canonical form that can be approved. docs/people.md "The
// plan".
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace qcbak::daemon {

// JSON, keys in ascending order, no blanks: the same jobs give the same bytes.
std::string plan_document(const config::Config& config);

// What a plan says of each job, by its name, as JSON. Error(damaged) when the document is none that this version knows.
using PlanTerms = std::map<std::string, std::string>;
PlanTerms plan_terms(std::string_view document);
// Is the job as these terms have it? A setting that they do not know, because they are of an earlier version, counts as
// approved at its default.
bool is_as_approved(const config::Job& job, const config::Config& config, std::string_view terms);

// What changes from one plan to the next, in the order of the jobs' names. An empty `before` is a plan without jobs.
struct SettingChange {
  std::string setting;        // "retention.last"
  std::string before, after;  // JSON; "null": it was not there, or is not any longer
};
struct PlanChange {
  std::string job;  // empty: of the plan itself
  enum class Kind { added, removed, changed } kind = Kind::changed;
  std::vector<SettingChange> settings;  // that changed
};
std::vector<PlanChange> plan_changes(std::string_view before, std::string_view after);

}  // namespace qcbak::daemon
