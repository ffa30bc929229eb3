// JSON results.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace qcbak::cli {

using Json = nlohmann::ordered_json;

// Sets `key` to a name that is bytes, not text: what is not UTF-8 becomes U+FFFD there, and `key`_hex has the bytes.
void put_name(Json& object, std::string_view key, ByteView name);
inline void put_name(Json& object, std::string_view key, std::string_view name) {
  put_name(object, key, as_bytes(name));
}
std::string to_text(const Json& value);

}  // namespace qcbak::cli
