#include "daemon/vault.h"

#include "backup/storage/local_directory.h"
#include "base/error.h"
#include "daemon/credential.h"

namespace qcbak::daemon {
namespace {

constexpr std::size_t kCredentialLimit = 4U << 20;

}  // namespace

VaultPlace vault_place(const config::Config& config) {
  VaultPlace place;
  place.location = config.repository.location;
  place.password_file = config.repository.password_file;
  place.cache_directory = config.daemon.state_dir + "/cache";
  if (!config.repository.credential.empty()) place.credential_file = credential_path(config.repository.credential);
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
    const crypto::SecretBytes password = in_context("password", [&] { return read_first_line(place.password_file); });
    vault.repository->unlock_with_password(password.view());
  }
  return vault;
}

}  // namespace qcbak::daemon
