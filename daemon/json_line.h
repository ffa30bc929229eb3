// Lines of JSON, as the daemon and its processes send them to each other.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"

namespace qcbak::daemon {

inline std::string line_of(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

// What `read` makes of the line's JSON. Error(failed) when it is none, or lacks something.
template <class Read>
auto read_line(std::string_view line, Read&& read) {
  nlohmann::json json;
  try {
    json = nlohmann::json::parse(line);
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorCode::failed, "a message between the daemon and its process is not what it should be");
  }
  try {
    return read(json);
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorCode::failed, "a message between the daemon and its process lacks something");
  }
}

}  // namespace qcbak::daemon
