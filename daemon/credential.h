// Secrets that the configuration names: by the path of a file, or as credentials that systemd passed.
#pragma once

#include <string>

#include "crypto/secret.h"

namespace qcbak::daemon {

// Where it lies. A name that is no absolute path is of one that systemd passed: Error(wrong_key) where it did not.
std::string credential_path(const std::string& name_or_path);

// The first line of the file, as every command takes a password; one from another system ends its lines with "\r\n".
// Error(wrong_key): it is empty.
crypto::SecretBytes read_first_line(const std::string& path);

}  // namespace qcbak::daemon
