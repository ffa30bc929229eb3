// qcbak wipe status, reject, export, import
#include "base/error.h"
#include "cli/daemon_call.h"
#include "cli/kept_dossier.h"
#include "cli/messages.h"
#include "cli/text.h"
#include "cli/wipe_jobs.h"
#include "crypto/hash.h"

namespace qcbak::cli {
namespace {

ExitCode run_status(const Invocation& invocation) {
  if (names_jobs(invocation.arguments.operands())) return show_jobs(invocation);
  Output& output = invocation.output;
  if (invocation.arguments.has("watch"))
    throw Error(ErrorCode::usage, std::string(tr("--watch wants a file or folder")))
        .with_hint(std::string(tr("name the file that \"wipe run\" was given with -o, or its folder")));
  const bool one = !invocation.arguments.operands().empty();
  const Json found = ask_daemon(control::Method::get, one ? "/v1/wipes/" + name_in_target(invocation) : "/v1/wipes");
  if (output.json()) {
    output.document(found);
  } else if (one) {
    show_kept(output, found);
    show_dossier(output, kept_dossier(found).dossier);
  } else {
    for (const Json& each : found) show_kept(output, each);
  }
  return ExitCode::done;
}

ExitCode run_reject(const Invocation& invocation) {
  const std::string reason = invocation.arguments.operands().back();
  if (!is_utf8(as_bytes(reason)) || one_line(reason) != reason)
    throw Error(ErrorCode::usage, std::string(tr("a reason is one line of text in UTF-8")));
  const KeptDossier kept = fetch_dossier(invocation.arguments.operands().front());
  Output& output = invocation.output;
  if (!output.json() && !output.quiet()) {
    show_dossier(output, kept.dossier);
    output.flush();
  }
  Json body =
      sign(open_signing_key(invocation),
           {"wipe.reject", user_name(), kept.dossier.request.id, reason, kept.reply.at("repository").get<std::string>(),
            crypto::sha256(as_bytes(kept.document)).hex(), format_time(invocation.clock.now())});
  body["reason"] = reason;
  tell_kept(invocation, ask_daemon(control::Method::post, "/v1/wipes/" + kept.dossier.request.id + "/reject", body),
            std::string(tr("it is rejected: the media are where they were before")));
  return ExitCode::done;
}

ExitCode run_export(const Invocation& invocation) {
  if (!invocation.arguments.has("output")) throw Error(ErrorCode::usage, std::string(tr("wipe export wants -o FILE")));
  const std::string path = dossier_output(invocation);
  const KeptDossier kept = fetch_dossier(invocation.arguments.operands().front());
  write_dossier(path, kept.dossier);
  tell_dossier(
      invocation, kept.dossier, path,
      say("on a bench: qcbak wipe run --approval {} --confirm LAST6 -o FILE; then, here: qcbak wipe import FILE",
          printable(path)));
  return ExitCode::done;
}

// What the daemon has of it so far; nothing: it does not know it.
std::optional<KeptDossier> kept_already(const std::string& id) {
  try {
    return fetch_dossier(id);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    return std::nullopt;
  }
}

// Whoever signed has to be known here.
evidence::Signers keys_of_people() {
  evidence::Signers known;
  const Json people = ask_daemon(control::Method::get, "/v1/people").at("people");
  for (const Json& person : people)
    if (!person.at("key").is_null()) known.insert(crypto::SignPublic(from_hex(person.at("key").get<std::string>())));
  return known;
}

// What other benches brought stays.
evidence::Dossier joined(const evidence::Dossier& kept, const evidence::Dossier& bundle) {
  try {
    return evidence::join(kept, bundle);
  } catch (Error& error) {
    throw error.with_hint(std::string(tr("nothing was done; compare with: qcbak wipe status ID")));
  }
}

ExitCode run_import(const Invocation& invocation) {
  const std::string& path = invocation.arguments.operands().front();
  const evidence::Dossier bundle = read_dossier(path);
  const evidence::Signers known = keys_of_people();
  const auto findings = evidence::check(bundle, &known, invocation.clock.now());
  if (!findings.empty())
    throw Error(ErrorCode::refused,
                say("{} is altered or not in order: {}", printable(path), finding_text(findings.front())))
        .with_hint(say("nothing was done; see all with: qcbak verify-evidence {}", printable(path)));
  const auto kept = kept_already(bundle.request.id);
  Json reply = send_growth(bundle.request.id, kept ? kept->document : "", kept && kept->dossier.approval ? joined(kept->dossier, bundle) : bundle,
                           Origin::bundle);
  if (reply.is_null()) {
    if (!invocation.output.quiet()) invocation.output.warn(tr("all of it is here already"));
    reply = kept->reply;
  }
  tell_kept(invocation, reply, say("next: qcbak wipe validate {} --accept", bundle.request.id.substr(0, 8)));
  return ExitCode::done;
}

}  // namespace

Command wipe_status_command() {
  return {
      .name = "wipe status",
      .summary = "Show how far wipes are",
      .description =
          "Without operands, prints each wipe that the daemon keeps, with where its media stand; with an id, also who signed "
          "what. With a bundle, also before it is there, or a folder: one line for each medium that a \"wipe run\" works on or "
          "worked on there. That is read from what these runs keep beside their journals; nothing is changed. What is done and "
          "left counts from the last start.",
      .operands = {"[ID|FILE|FOLDER...]", 0, Operands::kAny},
      .options = {{"watch", "", "of files: look again every second, until nobody works on any of them"}},
      .examples = {{"qcbak wipe status", "what is under way"},
                   {"qcbak wipe status 3.json", "all media of this run"},
                   {"qcbak wipe status --watch .", "all in this folder, as it goes on"}},
      .run = run_status,
      .common = Command::Common::output_only,
  };
}

Command wipe_reject_command() {
  return {
      .name = "wipe reject",
      .summary = "Refuse a request to wipe media, with your own key",
      .description =
          "Refuses a request that the daemon keeps. Its media are where they were before. Needs the role approver.",
      .operands = {"ID REASON", 2, 2},
      .options = {signing_key_option()},
      .examples = {{"qcbak wipe reject 4f0c91aa 'the disk is still needed'", "the reason is in the log"}},
      .run = run_reject,
      .common = Command::Common::output_only,
  };
}

Command wipe_export_command() {
  return {
      .name = "wipe export",
      .summary = "Write the dossier of a wipe to a file",
      .description = "Writes the dossier as it is kept, for a bench or for the files.",
      .operands = {"ID", 1, 1},
      .options = {dossier_output_option()},
      .examples = {{"qcbak wipe export 4f0c91aa -o 2.json", "for a machine without network"}},
      .run = run_export,
      .common = Command::Common::output_only,
  };
}

Command wipe_import_command() {
  return {
      .name = "wipe import",
      .summary = "Bring what a bench did to the daemon",
      .description =
          "Checks the whole dossier with the keys of people that the daemon has, and adds what the daemon does not "
          "have yet. "
          "The log says that it was imported. Importing it again changes nothing.",
      .operands = {"BUNDLE", 1, 1},
      .examples = {{"qcbak wipe import 3.json", "after \"qcbak wipe run --approval\" on a bench"}},
      .run = run_import,
      .common = Command::Common::output_only,
  };
}

}  // namespace qcbak::cli
