// A site's own plan of wiping, as its TOML file says it: names and texts, which the right wing knows the meaning of.
// docs/sanitisation.md "Site plans".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace qcbak::config {

struct WipePlanStep {
  std::string kind;     // "read-back"
  std::string pattern;  // hexadecimal; empty: none
  std::string method;   // "nvme-format-user"; empty: none
  int line = 0;
};

struct WipePlan {
  std::string file;
  std::string name, title, source;
  std::uint32_t version = 1;
  std::vector<WipePlanStep> steps;
};

inline constexpr std::size_t kWipePlanFileLimit = 64U << 10;
inline constexpr std::size_t kWipePlanStepLimit = 64;

// Error(usage) "FILE:LINE: KEY: what is wrong", with the nearest name for a key that does not exist; Error(io) when the file
// cannot be read.
WipePlan read_wipe_plan(const std::string& path);
WipePlan parse_wipe_plan(std::string_view text, const std::string& file);

}  // namespace qcbak::config
