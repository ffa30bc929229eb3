// The target of a request, taken apart: "/v1/jobs/etc/runs?limit=10".
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace qcbak::daemon {

struct RequestTarget {
  std::vector<std::string> path;
  std::map<std::string, std::string> query;
};

RequestTarget parse_target(std::string_view text);  // Error(usage)
// Error(usage) unless it is missing, or a number from 1 to `most`.
std::int64_t number_of(const RequestTarget& target, const std::string& name, std::int64_t unless_given,
                       std::int64_t most);

}  // namespace qcbak::daemon
