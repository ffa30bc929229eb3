// Log entries as JSON. docs/format.md "Log export".
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "backup/repository/log.h"

namespace qcbak::evidence {

using Json = nlohmann::ordered_json;

inline constexpr int kJsonDepthLimit = 64;

// Without spaces, in one line; what is not UTF-8 becomes U+FFFD.
std::string line_of(const Json& json);
// One JSON object, not deeper than kJsonDepthLimit; null when it is none.
Json parse_object(std::string_view text);

// 2026-11-21T02:30:00.000000000Z
std::string utc_text(Time time);

// What an entry says beside its kind. With `sealed`, its sealed details were not opened and are left out.
enum class SealedDetails { opened, sealed };
using TimeText = std::string (*)(Time);
Json details_json(const repository::LogEntry& entry, SealedDetails sealed, TimeText time_text);

}  // namespace qcbak::evidence
