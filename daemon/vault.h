// The repository of the configuration, opened.
#pragma once

#include <memory>
#include <string>

#include "backup/repository/repository.h"
#include "backup/storage/storage.h"
#include "config/config.h"

namespace qcbak::daemon {

// Where it is and what opens it; goes to workers as it is.
struct VaultPlace {
  std::string location;
  std::string credential_file;  // one of the two
  std::string password_file;
  std::string cache_directory;
};

// As the configuration says. A credential that is no path is one that systemd passed: Error(wrong_key) where it did not.
VaultPlace vault_place(const config::Config& config);

struct Vault {
  std::unique_ptr<storage::Storage> storage;
  std::unique_ptr<repository::Repository> repository;
};

Vault open_vault(const VaultPlace& place);

}  // namespace qcbak::daemon
