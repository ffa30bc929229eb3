// qcbak key list, add, remove, passwd, credential, export
#include <algorithm>

#include "backup/repository/custodians.h"
#include "cli/confirm.h"
#include "cli/messages.h"
#include "cli/new_file.h"
#include "cli/output.h"
#include "cli/password.h"
#include "cli/session.h"
#include "cli/snapshot_choice.h"
#include "crypto/public_key_file.h"

namespace qcbak::cli {
namespace {

using repository::DomainId;
using repository::KeySet;
using repository::WriteContext;

// The domains to change: those named with --domain, else all that the password opens.
std::vector<WriteContext> chosen_domains(Session& session, const Arguments& arguments) {
  std::vector<WriteContext> contexts;
  if (arguments.has("domain"))
    for (const std::string& name : arguments.values("domain"))
      contexts.push_back(session.context(session.repository().domain(name)));
  else
    for (const repository::DomainKeys& domain : session.repository().domains())
      contexts.push_back(session.context(domain));
  return contexts;
}

Option domain_option() {
  return {.name = "domain",
          .value = "NAME",
          .help = "only in this domain; may be given several times; without it, in all that the password opens",
          .times = Option::Times::many};
}

std::string key_name(const Arguments& arguments) {
  const std::string name = require_utf8(arguments.text("name"), tr("the name of a key"));
  if (name.empty() || name.size() > 100)
    throw Error(ErrorCode::usage, std::string(tr("a key wants a name of 1 to 100 bytes: --name NAME")));
  return name;
}

struct KeyRow {
  std::string kind;
  std::string id;
  std::string name;
  std::string domain;
  Time created;
  Json details;
};

std::string_view protection_name(const repository::SlotObject& slot) {
  if (std::holds_alternative<repository::PasswordProtection>(slot.protection)) return "password";
  return std::holds_alternative<repository::SharesProtection>(slot.protection) ? "shares" : "recipient";
}

std::vector<KeyRow> key_rows(const KeySet& keys) {
  std::vector<KeyRow> rows;
  for (const DomainId& domain : keys.domains()) {
    const std::string domain_name = keys.domain(domain)->name;
    const auto grants = keys.all<repository::GrantObject>(domain);
    for (const auto& [name, slot] : keys.all<repository::SlotObject>(domain)) {
      Json epochs = Json::array();
      for (const auto& [grant_name, grant] : grants)
        if (grant->custodian == slot->custodian) epochs.push_back(grant->epoch);
      rows.push_back({"custodian",
                      name.hex(),
                      slot->name,
                      domain_name,
                      slot->created,
                      {{"protection", protection_name(*slot)}, {"epochs", std::move(epochs)}}});
    }
    const auto slots = keys.all<repository::SlotObject>(domain);
    for (const auto& [name, writer] : keys.all<repository::WriterObject>(domain)) {
      // A custodian's own key is part of the custodian.
      const crypto::SignPublic& sign = writer->sign;
      if (std::any_of(slots.begin(), slots.end(), [&](const auto& slot) { return slot.second->sign == sign; }))
        continue;
      rows.push_back({"writer", name.hex(), writer->name, domain_name, writer->created, Json::object()});
    }
    for (const auto& [name, epoch] : keys.all<repository::EpochObject>(domain))
      rows.push_back({"epoch", name.hex(), std::to_string(epoch->number), domain_name, epoch->created, Json::object()});
    for (const auto& [name, drill] : keys.all<repository::DrillObject>(domain))
      rows.push_back({"drill", name.hex(), drill->name, domain_name, drill->created, Json::object()});
  }
  return rows;
}

ExitCode run_list(const Invocation& invocation) {
  Session session(invocation, Session::Keys::none);
  const std::vector<KeyRow> rows = key_rows(session.repository().log().keys);
  Output& output = invocation.output;
  if (output.json()) {
    Json list = Json::array();
    for (const KeyRow& row : rows) {
      Json object = {{"kind", row.kind},
                     {"id", row.id},
                     {"name", row.name},
                     {"domain", row.domain},
                     {"created", format_time(row.created)}};
      object.update(row.details);
      list.push_back(std::move(object));
    }
    output.document(list);
    return ExitCode::done;
  }
  Table table({{std::string(tr("KEY"))},
               {std::string(tr("ID"))},
               {std::string(tr("NAME"))},
               {std::string(tr("DOMAIN"))},
               {std::string(tr("SINCE"))},
               {std::string(tr("DETAILS"))}});
  for (const KeyRow& row : rows) {
    std::string details;
    if (row.kind == "custodian") {
      std::string epochs;
      for (const Json& epoch : row.details["epochs"]) epochs += (epochs.empty() ? "" : ", ") + epoch.dump();
      details = say("{}, epochs {}", tr(row.details["protection"].get<std::string>()), epochs);
    }
    table.add({std::string(tr(row.kind)), short_id(row.id), printable(row.name), printable(row.domain),
               format_time(row.created), details});
  }
  output.table(table);
  return ExitCode::done;
}

ExitCode run_add(const Invocation& invocation) {
  const std::string name = key_name(invocation.arguments);
  Session session(invocation, Session::Keys::password);
  const std::vector<WriteContext> contexts = chosen_domains(session, invocation.arguments);
  const crypto::SecretBytes password = read_new_password(invocation);
  session.lock_for_writing();
  Json ids = Json::array();
  for (const WriteContext& context : contexts)
    ids.push_back(
        {{"domain", context.domain.name}, {"id", repository::add_custodian(context, name, password.view()).hex()}});
  Output& output = invocation.output;
  if (output.json())
    output.document({{"name", name}, {"keys", std::move(ids)}});
  else if (!output.quiet())
    output.line(
        say("custodian \"{}\" opens the repository from now on, with what was stored before too", printable(name)));
  return ExitCode::done;
}

ExitCode run_remove(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  const std::string& which = arguments.operands().front();
  require_confirmation(invocation, say("Remove the key \"{}\"?", printable(which)));
  Session session(invocation, Session::Keys::password);
  session.lock_for_writing();
  Json removed = Json::array();
  std::optional<Error> not_found;
  bool custodian = false;
  for (const WriteContext& context : chosen_domains(session, arguments)) {
    try {
      const repository::RemovedKey key = repository::remove_key(context, which);
      custodian |= key.kind == repository::RemovedKey::Kind::custodian;
      removed.push_back({{"domain", context.domain.name}, {"name", key.name}});
    } catch (const Error& error) {
      if (error.code() != ErrorCode::not_found) throw;
      not_found = error;
    }
  }
  if (removed.empty() && not_found) throw *not_found;
  Output& output = invocation.output;
  if (output.json()) {
    output.document({{"removed", std::move(removed)}});
    return ExitCode::done;
  }
  if (output.quiet()) return ExitCode::done;
  output.line(say("removed the key \"{}\"", printable(which)));
  if (custodian)
    output.line(
        tr("What they could read before they can still read in copies of the repository that exist. They also know the "
           "keys of the "
           "present epoch: keep them away from the storage from now on."));
  return ExitCode::done;
}

ExitCode run_passwd(const Invocation& invocation) {
  Session session(invocation, Session::Keys::password);
  const std::vector<WriteContext> contexts = chosen_domains(session, invocation.arguments);
  const crypto::SecretBytes password = read_new_password(invocation);
  session.lock_for_writing();
  Json ids = Json::array();
  for (const WriteContext& context : contexts)
    ids.push_back({{"domain", context.domain.name},
                   {"id", repository::change_password(context, session.password(), password.view()).hex()}});
  Output& output = invocation.output;
  if (output.json()) {
    output.document({{"keys", std::move(ids)}});
    return ExitCode::done;
  }
  if (output.quiet()) return ExitCode::done;
  output.line(tr("the password was changed"));
  output.line(tr("Copies of the repository that were made before still open with the old one."));
  return ExitCode::done;
}

ExitCode run_credential(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  const std::string& word = arguments.operands().front();
  if (word != "write" && word != "read")
    throw Error(ErrorCode::usage, say("there is no credential \"{}\"", printable(word)))
        .with_hint(say("choose one of: {}", "write, read"));
  const auto kind = word == "read" ? repository::CredentialKind::read : repository::CredentialKind::write;
  const std::string path = arguments.text("output");
  if (path.empty()) throw Error(ErrorCode::usage, std::string(tr("key credential wants -o FILE")));
  const std::string name =
      arguments.has("name") ? key_name(arguments) : word + " " + format_time(invocation.clock.now());

  Session session(invocation, Session::Keys::password);
  NewFile file(path, NewFile::kOwnerOnly);
  session.lock_for_writing();
  const crypto::SecretBytes credential = repository::issue_credential(chosen_domains(session, arguments), kind, name);
  file.write(credential.view());
  file.keep();
  Output& output = invocation.output;
  if (output.json()) {
    output.document({{"kind", word}, {"name", name}, {"file", path}});
    return ExitCode::done;
  }
  if (output.quiet()) return ExitCode::done;
  output.line(say("wrote the {} credential \"{}\" to {}", tr(word), printable(name), one_line(path)));
  output.line(
      kind == repository::CredentialKind::read
          ? tr("It reads everything that is stored until the keys are changed. Guard it like the password.")
          : tr("It backs up, lists, forgets and prunes, and cannot read content. Name it with QCBAK_CREDENTIAL_FILE."));
  return ExitCode::done;
}

// A root of a domain, as the log names it.
struct RootKey {
  std::string domain;
  crypto::SignPublic key;
};

std::vector<RootKey> root_keys(const KeySet& keys) {
  std::vector<RootKey> roots;
  for (const DomainId& domain : keys.domains()) roots.push_back({keys.domain(domain)->name, keys.domain(domain)->root});
  return roots;
}

ExitCode run_export(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  if (!arguments.has("public"))
    throw Error(ErrorCode::usage, std::string(tr("\"key export\" of secret keys is not in this version")))
        .with_hint(std::string(tr("for the public keys: --public")));
  const std::string path = arguments.text("output");
  if (path.empty()) throw Error(ErrorCode::usage, std::string(tr("key export wants -o FILE")));
  Session session(invocation, Session::Keys::none);
  const std::vector<RootKey> roots = root_keys(session.repository().log().keys);
  std::string pem;
  for (const RootKey& root : roots) pem += crypto::encode_public_key(root.key);
  NewFile file(path, NewFile::kForAll);
  file.write(as_bytes(pem));
  file.keep();
  Output& output = invocation.output;
  if (output.json()) {
    Json list = Json::array();
    for (const RootKey& root : roots)
      list.push_back({{"domain", root.domain}, {"key", root.key.hex()}, {"fingerprint", crypto::fingerprint(root.key)}});
    output.document({{"file", path}, {"keys", std::move(list)}});
  } else if (!output.quiet()) {
    for (const RootKey& root : roots) {
      output.line(say("domain \"{}\", SHA-256 of its root's public key:", printable(root.domain)));
      output.line("  " + crypto::fingerprint(root.key));
    }
    output.line(tr("Give the file to who checks evidence, and these digits on paper."));
  }
  return ExitCode::done;
}

}  // namespace

Command key_list_command() {
  return {
      .name = "key list",
      .summary = "List who holds keys",
      .description =
          "Lists custodians, writers (exported credentials), epochs and drill recipients. Needs no key: what is listed "
          "is public.",
      .examples = {{"qcbak key list", "who could open what"}},
      .run = run_list,
  };
}

Command key_add_command() {
  return {
      .name = "key add",
      .summary = "Add a custodian with a password of their own",
      .description =
          "Adds somebody who opens the repository with a password of their own. The existing password comes from where "
          "it always does; the new one from "
          "--new-password-file or QCBAK_NEW_PASSWORD_FILE, or it is asked for twice.",
      .options = {{"name", "NAME", "what the custodian is called"},
                  {"new-password-file", "FILE", "its first line is the new password"},
                  domain_option()},
      .examples = {{"qcbak key add --name 'Tran Van B'", "asks for the new password"}},
      .run = run_add,
  };
}

Command key_remove_command() {
  return {
      .name = "key remove",
      .summary = "Take a custodian's key or a credential away",
      .description =
          "Removes a custodian, or revokes an exported credential, by its name or the first digits of its id. The last "
          "custodian stays. Removing does not reach into "
          "copies of the repository that somebody made before.",
      .operands = {"NAME|ID", 1, 1},
      .options = {yes_option(), domain_option()},
      .examples = {{"qcbak key remove 'Tran Van B'", "asks first"},
                   {"qcbak key remove 1f3a90c2 --yes", "by its id, from a script"}},
      .run = run_remove,
  };
}

Command key_passwd_command() {
  return {
      .name = "key passwd",
      .summary = "Change the password",
      .description =
          "The custodian whose password opens the repository gets another one: from --new-password-file or "
          "QCBAK_NEW_PASSWORD_FILE, or it is asked for "
          "twice. Nothing is encrypted anew.",
      .options = {{"new-password-file", "FILE", "its first line is the new password"}, domain_option()},
      .examples = {{"qcbak key passwd", "asks for the old and the new one"}},
      .run = run_passwd,
  };
}

Command key_credential_command() {
  return {
      .name = "key credential",
      .summary = "Export a credential for a machine",
      .description =
          "Writes a file that is used instead of a password. \"write\" backs up, lists, forgets and prunes, and cannot "
          "read what is stored; "
          "\"read\" reads too. Each has a key of its own, which `key remove` revokes.",
      .operands = {"write|read", 1, 1},
      .options = {{.name = "output", .value = "FILE", .help = "a new file; only its owner may read it", .letter = 'o'},
                  {"name", "NAME", "what `key list` calls it"},
                  domain_option()},
      .examples = {{"qcbak key credential write -o /etc/qcbak/credential --name db1",
                    "for a machine that must not read its backups"}},
      .run = run_credential,
  };
}

Command key_export_command() {
  return {
      .name = "key export",
      .summary = "Export the public keys that evidence is checked with",
      .description =
          "Writes the public keys of the domains' roots as a PEM file, which openssl reads too, and prints their fingerprints. Needs no key: "
          "whoever receives the file compares the fingerprints with digits that came another way, on paper.",
      .options = {{"public", "", "the public keys; secret ones are not in this version"},
                  {.name = "output", .value = "FILE", .help = "a new file", .letter = 'o'}},
      .examples = {{"qcbak key export --public -o site.pem", "for an auditor"}},
      .run = run_export,
  };
}

}  // namespace qcbak::cli
