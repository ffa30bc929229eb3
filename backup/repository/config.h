// The config object. docs/format.md "Config".
#pragma once

#include <vector>

#include "backup/repository/format.h"
#include "base/clock.h"

namespace qcbak::repository {

inline constexpr std::string_view kConfigPath = "config";
inline constexpr std::uint64_t kFormatVersion = 1;

struct Config {
  RepositoryId id;
  crypto::Suite suite = crypto::Suite::aes_256_gcm;
  Time created;
  std::vector<std::string> mandatory_flags;
  std::vector<std::string> optional_flags;
};

Config new_config(crypto::Suite suite, Time now, Random& random);
Bytes encode_config(const Config& config);
// Error(unsupported) for a version or mandatory flag this program does not know, Error(damaged) for anything malformed.
Config parse_config(ByteView stored);

}  // namespace qcbak::repository
