// Where a password comes from: a file, a command, or the terminal. Never from argv or from a variable's own value.
#pragma once

#include <optional>
#include <string>

#include "cli/command.h"
#include "crypto/secret.h"

namespace qcbak::cli {

inline constexpr std::size_t kPasswordLeast = 8;  // bytes, for new ones
inline constexpr std::size_t kPasswordMost = 4096;

// What --password-file, --password-command, QCBAK_PASSWORD_FILE or QCBAK_PASSWORD_COMMAND names (in this order), else
// asked for on the terminal. Error(wrong_key) when there is nothing of all that.
crypto::SecretBytes read_password(const Invocation& invocation);
// The same for a password that is to be set: asked for twice on the terminal; refused when it is too short.
crypto::SecretBytes read_first_password(const Invocation& invocation);
// From --new-password-file or QCBAK_NEW_PASSWORD_FILE, else from the terminal, twice.
crypto::SecretBytes read_new_password(const Invocation& invocation);
// The passphrase of a signing key: from QCBAK_SIGN_PASSWORD_FILE, else from the terminal.
crypto::SecretBytes read_passphrase(const Invocation& invocation);
// One to be set: from --new-password-file or QCBAK_SIGN_PASSWORD_FILE, else from the terminal, twice.
crypto::SecretBytes read_new_passphrase(const Invocation& invocation);

// Of an account at a daemon: from --password-file, else from the terminal.
crypto::SecretBytes read_account_password(const Invocation& invocation);
// One to be set: from --new-password-file, else from the terminal, twice. Whether it is good enough the daemon says.
crypto::SecretBytes read_new_account_password(const Invocation& invocation);

std::string ask_on_terminal(const Invocation& invocation, const std::string& question);  // what is typed can be seen
// Asks a question on the terminal that only "y" or "yes" ("c", "có") answers. False when standard input is none.
bool confirmed_on_terminal(const Invocation& invocation, const std::string& question);
bool input_is_terminal();

}  // namespace qcbak::cli
