#include "cli/signing.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/config_home.h"
#include "cli/messages.h"
#include "cli/password.h"
#include "cli/remote_session.h"
#include "cli/text.h"
#include "crypto/signing_key.h"

namespace qcbak::cli {

Option signing_key_option() {
  return {"signing-key", "FILE", "your signing key; ~/.config/qcbak/signing.key without it"};
}

std::string unix_user_name() {
  const passwd* entry = ::getpwuid(::geteuid());
  if (entry == nullptr) throw Error(ErrorCode::failed, say("user {} has no name on this machine", ::geteuid()));
  return entry->pw_name;
}

std::string user_name() {
  const auto session = remote_session();
  return session ? session->name : unix_user_name();
}

std::string signing_key_path(const Invocation& invocation) {
  if (const auto named = invocation.arguments.value("signing-key")) return *named;
  const auto home = config_home();
  if (!home)
    throw Error(ErrorCode::usage, std::string(tr("it is not known where your signing key is")))
        .with_hint(std::string(tr("name it with --signing-key")));
  return *home + "/signing.key";
}

Signer open_signer(const Invocation& invocation) {
  const std::string path = signing_key_path(invocation);
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    throw Error(ErrorCode::wrong_key, say("you have no signing key at {}", one_line(path)))
        .with_hint(std::string(tr("make one: qcbak user enrol")));
  const crypto::SigningKeyFile file(read_file(path, crypto::kSigningKeyFileLimit));
  return {file.name(), file.open(read_passphrase(invocation).view())};
}

crypto::SignSeed open_signing_key(const Invocation& invocation) { return open_signer(invocation).seed; }

Json sign(const crypto::SignSeed& seed, const control::Statement& statement) {
  const std::string text = control::encode(statement);
  return {{"statement", text}, {"signature", crypto::sign_statement(seed, text).hex()}};
}

}  // namespace qcbak::cli
