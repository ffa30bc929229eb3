#include "daemon/vault.h"

#include <cstdlib>

#include "backup/storage/local_directory.h"
#include "base/error.h"

namespace qcbak::daemon {
namespace {

constexpr std::size_t kCredentialLimit = 4U << 20;
constexpr std::size_t kPasswordLimit = 64U << 10;

// The first line, as every command takes it from a file; one from another system ends its lines with "\r\n".
crypto::SecretBytes read_password(const std::string& path) {
  const crypto::SecretBytes file = crypto::read_secret_file(path, kPasswordLimit);
  std::string_view line = as_text(file.view());
  line = line.substr(0, line.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty()) throw Error(ErrorCode::wrong_key, path + " has an empty first line");
  return crypto::SecretBytes(as_bytes(line));
}

}  // namespace

VaultPlace vault_place(const config::Config& config) {
  VaultPlace place;
  place.location = config.repository.location;
  place.password_file = config.repository.password_file;
  place.cache_directory = config.daemon.state_dir + "/cache";
  place.credential_file = config.repository.credential;
  if (!place.credential_file.empty() && !place.credential_file.starts_with('/')) {
    const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
    if (directory == nullptr)
      throw Error(ErrorCode::wrong_key, "credential \"" + place.credential_file + "\": systemd passed none")
          .with_hint("outside of systemd, name its file with an absolute path");
    place.credential_file = std::string(directory) + "/" + place.credential_file;
  }
  return place;
}

Vault open_vault(const VaultPlace& place) {
  Vault vault;
  vault.storage = storage::open_local_directory(place.location);
  repository::OpenOptions options;
  options.cache_directory = place.cache_directory;
  vault.repository = std::make_unique<repository::Repository>(*vault.storage, std::move(options));
  if (!place.credential_file.empty()) {
    const crypto::SecretBytes credential =
        in_context("credential", [&] { return crypto::read_secret_file(place.credential_file, kCredentialLimit); });
    vault.repository->unlock_with_credential(credential.view());
  } else {
    const crypto::SecretBytes password = in_context("password", [&] { return read_password(place.password_file); });
    vault.repository->unlock_with_password(password.view());
  }
  return vault;
}

}  // namespace qcbak::daemon
