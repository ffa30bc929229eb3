// A plan as a page to print and file, in Vietnamese and English side by side. docs/people.md "The plan".
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace qcbak::evidence {

// `plan`: as `qcbak plan show ID --json` prints it. HTML5, nothing loaded from elsewhere. Error(damaged) when it lacks something.
std::string plan_page(const nlohmann::json& plan);

}  // namespace qcbak::evidence
