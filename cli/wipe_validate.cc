// qcbak wipe validate, confirm
#include "base/error.h"
#include "cli/dossier_file.h"
#include "cli/kept_dossier.h"
#include "cli/messages.h"
#include "cli/text.h"

namespace qcbak::cli {
namespace {

evidence::Decision decision_of(const Arguments& arguments) {
  if (arguments.has("accept") == arguments.has("reject"))
    throw Error(ErrorCode::usage, std::string(tr("wipe validate wants either --accept or --reject REASON")));
  return arguments.has("accept") ? evidence::Decision::accept : evidence::Decision::reject;
}

// A reason is signed as it was typed.
std::string reason_of(const Arguments& arguments) {
  const std::string reason = arguments.text("reject");
  if (!is_utf8(as_bytes(reason)) || one_line(reason) != reason)
    throw Error(ErrorCode::usage, say("--{} wants one line of text in UTF-8", "reject"));
  return reason;
}

std::string after_validation(evidence::Decision decision, const std::string& named) {
  return decision == evidence::Decision::accept
             ? say("next: qcbak wipe certificate {} --format html -o FILE", printable(named))
             : std::string(tr("it is rejected: request the wipe anew, or have the media destroyed physically"));
}

ExitCode validate_by_id(const Invocation& invocation, evidence::Decision decision, const std::string& reason) {
  const KeptDossier kept = fetch_dossier(invocation.arguments.operands().front());
  if (kept.dossier.validation)
    throw Error(ErrorCode::refused, say("{} is validated already", kept.dossier.request.id))
        .with_hint(say("see what it says: qcbak wipe certificate {}", kept.dossier.request.id.substr(0, 8)));
  if (!invocation.output.json() && !invocation.output.quiet()) {
    show_dossier(invocation.output, kept.dossier);
    invocation.output.flush();
  }
  evidence::Dossier dossier = kept.dossier;
  dossier.validation = evidence::WipeValidation{decision, {}};
  tell_kept(invocation, sign_and_send(invocation, kept, dossier, dossier.validation->by, reason),
            after_validation(decision, kept.dossier.request.id.substr(0, 8)));
  return ExitCode::done;
}

ExitCode run_validate(const Invocation& invocation) {
  const evidence::Decision decision = decision_of(invocation.arguments);
  const std::string reason = reason_of(invocation.arguments);
  if (is_by_id(invocation)) return validate_by_id(invocation, decision, reason);
  const std::string& from = dossier_operand(invocation);
  const std::string path = dossier_output(invocation);
  evidence::Dossier dossier = read_sound_dossier(invocation, from, ErrorCode::refused);
  if (dossier.validation)
    throw Error(ErrorCode::refused, say("{} is validated already", printable(from)))
        .with_hint(say("see what it says: qcbak wipe certificate {}", printable(from)));
  if (!invocation.output.json() && !invocation.output.quiet()) {
    show_dossier(invocation.output, dossier);
    invocation.output.flush();
  }
  dossier.validation = evidence::WipeValidation{decision, {}};
  sign_dossier(invocation, dossier, dossier.validation->by, open_signer(invocation), reason);
  write_dossier(path, dossier);
  tell_dossier(invocation, dossier, path, after_validation(decision, path));
  return ExitCode::done;
}

ExitCode confirm_by_id(const Invocation& invocation) {
  const KeptDossier kept = fetch_dossier(invocation.arguments.operands().front());
  if (kept.dossier.confirmation)
    throw Error(ErrorCode::refused, say("{} is confirmed already", kept.dossier.request.id))
        .with_hint(say("see what it says: qcbak wipe certificate {}", kept.dossier.request.id.substr(0, 8)));
  evidence::Dossier dossier = kept.dossier;
  dossier.confirmation.emplace();
  tell_kept(invocation, sign_and_send(invocation, kept, dossier, dossier.confirmation->by),
            std::string(tr("next: release the media: qcbak wipe media release ASSET")));
  return ExitCode::done;
}

ExitCode run_confirm(const Invocation& invocation) {
  if (is_by_id(invocation)) return confirm_by_id(invocation);
  const std::string& from = dossier_operand(invocation);
  const std::string path = dossier_output(invocation);
  evidence::Dossier dossier = read_sound_dossier(invocation, from, ErrorCode::refused);
  if (dossier.confirmation)
    throw Error(ErrorCode::refused, say("{} is confirmed already", printable(from)))
        .with_hint(say("see what it says: qcbak wipe certificate {}", printable(from)));
  dossier.confirmation.emplace();
  sign_dossier(invocation, dossier, dossier.confirmation->by, open_signer(invocation));
  write_dossier(path, dossier);
  tell_dossier(invocation, dossier, path, std::string(tr("the dossier is complete: file it")));
  return ExitCode::done;
}

}  // namespace

Command wipe_validate_command() {
  return {
      .name = "wipe validate",
      .summary = "Accept or reject what was done to disks, with your own key",
      .description =
          "Shows what was done, and adds your decision to a copy of the dossier, or, without -o, to the one that the daemon "
          "keeps. Who wiped a disk does not validate it. Only what was accepted gets a certificate.",
      .operands = {"FILE|ID", 1, 1},
      .options = {{"accept", "", "it was done as approved, and the outcome is plausible"},
                  {"reject", "REASON", "it does not count, and why"},
                  dossier_output_option(),
                  signing_key_option(),
                  people_option()},
      .examples = {{"qcbak wipe validate 3.json --accept --public-key people.pem -o 4.json", "by another person than the operator"}},
      .run = run_validate,
      .common = Command::Common::output_only,
  };
}

Command wipe_confirm_command() {
  return {
      .name = "wipe confirm",
      .summary = "Confirm, as the owner, that disks were wiped",
      .description =
          "Adds the signature of the data's owner to a copy of a dossier that was accepted, or, without -o, to the one that "
          "the daemon keeps.",
      .operands = {"FILE|ID", 1, 1},
      .options = {dossier_output_option(), signing_key_option(), people_option()},
      .examples = {{"qcbak wipe confirm 4.json --public-key people.pem -o 5.json", "the last page of a dossier"}},
      .run = run_confirm,
      .common = Command::Common::output_only,
  };
}

}  // namespace qcbak::cli
