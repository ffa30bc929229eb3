#include "daemon/credential.h"

#include <cstdlib>

#include "base/error.h"

namespace qcbak::daemon {
namespace {

constexpr std::size_t kPasswordLimit = 64U << 10;

}  // namespace

std::string credential_path(const std::string& name_or_path) {
  if (name_or_path.starts_with('/')) return name_or_path;
  const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr)
    throw Error(ErrorCode::wrong_key, "credential \"" + name_or_path + "\": systemd passed none")
        .with_hint("outside of systemd, name its file with an absolute path");
  return std::string(directory) + "/" + name_or_path;
}

crypto::SecretBytes read_first_line(const std::string& path) {
  const crypto::SecretBytes file = crypto::read_secret_file(path, kPasswordLimit);
  std::string_view line = as_text(file.view());
  line = line.substr(0, line.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty()) throw Error(ErrorCode::wrong_key, path + " has an empty first line");
  return crypto::SecretBytes(as_bytes(line));
}

}  // namespace qcbak::daemon
