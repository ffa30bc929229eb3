// qcbak user list, add, enrol, lock, unlock
#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/command.h"
#include "cli/daemon_call.h"
#include "cli/messages.h"
#include "cli/new_file.h"
#include "cli/output.h"
#include "cli/password.h"
#include "cli/signing.h"
#include "cli/text.h"
#include "crypto/hash.h"
#include "crypto/public_key_file.h"
#include "crypto/signing_key.h"

namespace qcbak::cli {
namespace {

void tell(Output& output, const Json& person, const std::string& what) {
  if (output.json()) {
    output.document(person);
  } else if (!output.quiet()) {
    output.line(what);
    if (!person.at("fingerprint").is_null()) output.line(say("fingerprint {}", text_or_dash(person, "fingerprint")));
  }
}

ExitCode run_list(const Invocation& invocation) {
  const Json people = ask_daemon(control::Method::get, "/v1/people").at("people");
  Output& output = invocation.output;
  if (output.json()) {
    output.document(people);
    return ExitCode::done;
  }
  Table table({{std::string(tr("NAME"))},
               {std::string(tr("SINCE"))},
               {std::string(tr("ADDED BY"))},
               {std::string(tr("STATE"))},
               {std::string(tr("ACCOUNT"))},
               {std::string(tr("FINGERPRINT OF THE KEY"))}});
  for (const Json& person : people)
    table.add({text_or_dash(person, "name"), text_or_dash(person, "since"), text_or_dash(person, "added_by"),
               std::string(person.at("locked").get<bool>() ? tr("locked") : tr("active")),
               person.at("account").is_null() ? "-" : text_or_dash(person.at("account"), "state"), text_or_dash(person, "fingerprint")});
  if (!table.empty()) output.table(table);
  return ExitCode::done;
}

ExitCode run_add(const Invocation& invocation) {
  const std::string& name = name_in_target(invocation);
  const std::string path = invocation.arguments.text("key");
  if (path.empty()) throw Error(ErrorCode::usage, std::string(tr("user add wants --key FILE")));
  const Bytes file = read_file(path, crypto::kPublicKeyFileLimit);
  in_context(one_line(path), [&] { crypto::parse_public_keys(as_text(file)); });
  const Json person =
      ask_daemon(control::Method::post, "/v1/people/" + name + "/key", {{"public_key", std::string(as_text(file))}});
  tell(invocation.output, person,
       say("user {} signs with this key from now on; have them compare its fingerprint", name));
  return ExitCode::done;
}

// Makes the file of a new key, and the one of its public half.
void make_key(const Invocation& invocation, const std::string& path, const std::string& public_path,
              ByteView passphrase) {
  const crypto::SignSeed seed = crypto::SignSeed::random(invocation.random);
  const std::size_t slash = path.rfind('/');
  if (slash != std::string::npos && slash > 0) make_directories(path.substr(0, slash));
  write_file_durably(path, crypto::protect_signing_key(seed, user_name(), passphrase, invocation.random));
  write_file_durably(public_path, as_bytes(crypto::encode_public_key(crypto::sign_public(seed))));
}

crypto::SignPublic public_half(const std::string& path) {
  return in_context(one_line(path),
                    [&] { return crypto::SigningKeyFile(read_file(path, crypto::kSigningKeyFileLimit)).key(); });
}

Json hand_in(const crypto::SignPublic& key, Json body) {
  body["public_key"] = crypto::encode_public_key(key);
  return ask_daemon(control::Method::post, "/v1/people/" + user_name() + "/key", body);
}

// A first key, or once more the one that is there.
ExitCode enrol(const Invocation& invocation, const std::string& path) {
  if (!exists(path)) make_key(invocation, path, path + ".pub", read_new_passphrase(invocation).view());
  const crypto::SignPublic key = public_half(path);
  try {
    tell(invocation.output, hand_in(key, Json::object()), say("user {} is enrolled", user_name()));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::io) throw;
    invocation.output.warn(say("your key is in {}, and no daemon was told: {}", one_line(path), error.what()));
    if (invocation.output.json())
      invocation.output.document({{"name", user_name()}, {"fingerprint", crypto::fingerprint(key)}, {"file", path}});
    else
      invocation.output.line(
          say("have an administrator add it: qcbak user add {} --key {}.pub", user_name(), one_line(path)));
  }
  return ExitCode::done;
}

// The new key lies beside the old one until the daemon has it, so that neither is ever lost.
ExitCode replace(const Invocation& invocation, const std::string& path) {
  const crypto::SignSeed before = open_signing_key(invocation);
  const std::string next = path + ".new";
  if (!exists(next)) make_key(invocation, next, next + ".pub", read_new_passphrase(invocation).view());
  const crypto::SignPublic key = public_half(next);
  const std::string repository = ask_daemon(control::Method::get, "/v1/people").at("repository").get<std::string>();
  const Json person =
      hand_in(key, sign(before, {"person.key", user_name(), key.hex(), "", repository, crypto::sha256(key.view()).hex(),
                                 format_time(invocation.clock.now())}));
  for (const std::string end : {".pub", ""}) {
    const std::string from = next + end, to = path + end;
    if (::rename(from.c_str(), to.c_str()) != 0) throw_errno("rename to", to);
  }
  tell(invocation.output, person, say("user {} signs with a new key from now on", user_name()));
  return ExitCode::done;
}

ExitCode run_enrol(const Invocation& invocation) {
  const std::string path = signing_key_path(invocation);
  return invocation.arguments.has("replace") ? replace(invocation, path) : enrol(invocation, path);
}

ExitCode run_lock(const Invocation& invocation) {
  const std::string& name = name_in_target(invocation);
  tell(invocation.output, ask_daemon(control::Method::post, "/v1/people/" + name + "/lock"),
       say("user {} is locked, and refused everything", name));
  return ExitCode::done;
}

ExitCode run_unlock(const Invocation& invocation) {
  const std::string& name = name_in_target(invocation);
  tell(invocation.output, ask_daemon(control::Method::post, "/v1/people/" + name + "/unlock"),
       say("user {} is no longer locked", name));
  return ExitCode::done;
}

}  // namespace

Command user_list_command() {
  return {
      .name = "user list",
      .summary = "List people and the keys they sign with",
      .description =
          "Prints who has a key, its fingerprint, since when, who registered it, and the state of an account for the "
          "network. Everybody can compare their own fingerprint here.",
      .examples = {{"qcbak user list", "who signs with which key"}},
      .run = run_list,
      .common = Command::Common::output_only,
  };
}

Command user_add_command() {
  return {
      .name = "user add",
      .summary = "Register a person's public key",
      .description =
          "An administrator registers the key that somebody made with \"qcbak user enrol\" on another machine, or a "
          "new one "
          "for who lost theirs. A plan is never approved with a key that its submitter registered.",
      .operands = {"NAME", 1, 1},
      .options = {{"key", "FILE", "the public key: the file that ends with .pub"}},
      .examples = {{"qcbak user add lan --key lan.pub", "user lan signs with this key"}},
      .run = run_add,
      .common = Command::Common::output_only,
  };
}

Command user_enrol_command() {
  return {
      .name = "user enrol",
      .summary = "Make a signing key of your own",
      .description =
          "Makes a key that only you can use, sealed under a passphrase, and hands its public half to the daemon. The "
          "passphrase "
          "is the first line of the file that QCBAK_SIGN_PASSWORD_FILE names, or it is asked for twice. Keep the "
          "fingerprint that is printed.",
      .options = {signing_key_option(),
                  {"replace", "", "make a new key; the one before signs for it"},
                  {"new-password-file", "FILE", "its first line is the new passphrase"}},
      .examples = {{"qcbak user enrol", "asks for a new passphrase"}},
      .run = run_enrol,
      .common = Command::Common::output_only,
  };
}

Command user_lock_command() {
  return {
      .name = "user lock",
      .summary = "Refuse a person everything",
      .description =
          "An administrator locks somebody out: whatever roles they have, the daemon refuses them from now on.",
      .operands = {"NAME", 1, 1},
      .examples = {{"qcbak user lock minh", "at once"}},
      .run = run_lock,
      .common = Command::Common::output_only,
  };
}

Command user_unlock_command() {
  return {
      .name = "user unlock",
      .summary = "Let a locked person in again",
      .description =
          "An administrator takes back what \"qcbak user lock\" did, opens an account that was locked after failed log-ins, "
          "and one that was suspended because it was not used for 30 days. Nobody unlocks themselves.",
      .operands = {"NAME", 1, 1},
      .examples = {{"qcbak user unlock minh", "at once"}},
      .run = run_unlock,
      .common = Command::Common::output_only,
  };
}

}  // namespace qcbak::cli
