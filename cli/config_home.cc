#include "cli/config_home.h"

#include <cstdlib>

namespace qcbak::cli {

std::optional<std::string> config_home() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  if (config != nullptr && *config == '/') return std::string(config) + "/qcbak";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return std::string(home) + "/.config/qcbak";
  return std::nullopt;
}

}  // namespace qcbak::cli
