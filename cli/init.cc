// qcbak init
#include <set>

#include "backup/repository/repository.h"
#include "backup/storage/local_directory.h"
#include "base/unique_fd.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/password.h"
#include "cli/session.h"
#include "cli/snapshot_choice.h"
#include "cli/text.h"

namespace qcbak::cli {
namespace {

crypto::Suite chosen_suite(const std::string& name) {
  if (name.empty() || name == "auto") return crypto::preferred_suite();
  if (const auto suite = crypto::suite_from_name(name)) return *suite;
  throw Error(ErrorCode::usage, say("there is no cipher \"{}\"", printable(name)))
      .with_hint(say("choose one of: {}", "auto, aes-256-gcm, xchacha20-poly1305"));
}

std::vector<std::string> chosen_domains(const Arguments& arguments) {
  std::vector<std::string> names = arguments.values("domain");
  if (names.empty()) names.emplace_back("default");
  std::set<std::string> seen;
  for (const std::string& name : names) {
    require_utf8(name, tr("the name of a domain"));
    if (name.empty() || name.size() > 100 || !seen.insert(name).second)
      throw Error(ErrorCode::usage, say("the names of domains are different and not empty: \"{}\"", name));
  }
  return names;
}

ExitCode run(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  const std::string place = repository_place(arguments);
  repository::CreateOptions options;
  options.suite = chosen_suite(arguments.text("cipher"));
  options.domains = chosen_domains(arguments);
  if (const auto custodian = arguments.value("custodian"))
    options.custodian = require_utf8(*custodian, tr("the name of a custodian"));
  if (options.custodian.empty() || options.custodian.size() > 100)
    throw Error(ErrorCode::usage,
                std::string(tr("the name of a custodian is not empty, and not longer than 100 bytes")));
  options.keys_directory = arguments.text("keys");

  const crypto::SecretBytes password = read_first_password(invocation);
  const auto storage = storage::create_local_directory(place);
  if (!options.keys_directory.empty()) make_directories(options.keys_directory);
  repository::create_repository(*storage, options, password.view(), invocation.clock.now(), invocation.random);
  repository::OpenOptions open;
  open.keys_directory = options.keys_directory;
  const repository::Repository made(*storage, open);

  Output& output = invocation.output;
  if (output.json()) {
    output.document({{"id", made.config().id.hex()},
                     {"location", storage->description()},
                     {"cipher", crypto::suite_name(made.config().suite)},
                     {"domains", options.domains}});
    return ExitCode::done;
  }
  if (output.quiet()) return ExitCode::done;
  output.line(say("made repository {} at {}", made.config().id.hex(), one_line(storage->description())));
  output.line(say("cipher {}, domains: {}", crypto::suite_name(made.config().suite),
                  fmt::to_string(fmt::join(options.domains, ", "))));
  output.line("");
  output.line(tr("Now:"));
  output.line(tr("  Keep the password where a fire here does not reach it. Without it nobody restores anything."));
  if (!options.keys_directory.empty())
    output.line(
        tr("  Keep the folder of keys apart from the repository, and a copy of it. Without it the password opens "
           "nothing."));
  output.line(tr("  Give machines a credential of their own that cannot read:  qcbak key credential write -o FILE"));
  output.line(tr("  Back up:  qcbak backup /etc"));
  return ExitCode::done;
}

}  // namespace

Command init_command() {
  return {
      .name = "init",
      .summary = "Make a new repository",
      .description =
          "Makes the directory that --repo or QCBAK_REPO names, when it is missing, and a repository in it. The "
          "password "
          "is read from where QCBAK_PASSWORD_FILE or QCBAK_PASSWORD_COMMAND say, or asked for twice.",
      .options =
          {
              {"cipher", "NAME",
               "auto, aes-256-gcm or xchacha20-poly1305; auto takes AES where the processor has instructions for it"},
              {.name = "domain",
               .value = "NAME",
               .help = "a domain, with keys of its own; may be given several times; \"default\" without it",
               .times = Option::Times::many},
              {"custodian", "NAME", "who holds the password; \"default\" without it"},
          },
      .examples =
          {
              {"qcbak init --repo /srv/backup", "asks for a new password on the terminal"},
              {"QCBAK_PASSWORD_FILE=/root/qcbak.password qcbak init --repo /srv/backup --keys /media/keys",
               "keeps the custodians' keys apart from the data"},
          },
      .run = run,
  };
}

}  // namespace qcbak::cli
