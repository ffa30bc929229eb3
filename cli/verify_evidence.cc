// qcbak verify-evidence
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/dossier_file.h"
#include "cli/evidence.h"
#include "cli/messages.h"
#include "cli/session.h"
#include "cli/text.h"
#include "crypto/public_key_file.h"
#include "evidence/checkpoint.h"
#include "evidence/log_export.h"

namespace qcbak::cli {
namespace {

UniqueFd open_document(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw_errno("open", printable(path));
  return fd;
}

// Nothing when there is none, or none that could be a document's first.
std::optional<std::string> first_line(evidence::LineReader& lines) {
  try {
    const auto line = lines.next(evidence::kFirstLineLimit);
    return line ? std::optional(std::string(*line)) : std::nullopt;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::damaged) throw;
    return std::nullopt;
  }
}

struct Document {
  UniqueFd fd;
  evidence::LineReader lines;
  std::string first;
  evidence::DocumentKind kind;

  explicit Document(const std::string& path)
      : fd(open_document(path)),
        lines([this, path](MutableByteView into) { return read_full(fd.get(), into, printable(path)); }),
        first(first_line(lines).value_or("")),
        kind(evidence::document_kind(evidence::parse_object(first))) {}
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;
};

evidence::CheckpointDocument check_checkpoint(Document& document, const evidence::Roots& roots) {
  if (document.lines.next(evidence::kFirstLineLimit))
    throw Error(ErrorCode::damaged, "something stands behind the checkpoint");
  return evidence::check_checkpoint(document.first, roots);
}

ExitCode say_checkpoint(Output& output, const evidence::CheckpointDocument& checkpoint) {
  if (output.json()) {
    output.document({{"kind", "checkpoint"},
                     {"repository", checkpoint.repository.hex()},
                     {"checkpoint", checkpoint_text(checkpoint.head)},
                     {"time", checkpoint.time},
                     {"made", checkpoint.made},
                     {"signer", checkpoint.signer.hex()},
                     {"findings", Json::array()}});
  } else if (!output.quiet()) {
    output.line(output.styled(Output::Style::good, tr("the checkpoint is as it was signed")));
    output.line(say("checkpoint {}", checkpoint_text(checkpoint.head)));
    output.line(say("repository {}, entry of {}, made {}", checkpoint.repository.hex(), printable(checkpoint.time),
                    printable(checkpoint.made)));
  }
  return ExitCode::done;
}

ExitCode say_log(Output& output, const std::string& path, const evidence::LogExportCheck& check) {
  const repository::LogCheck& log = check.log;
  if (output.json()) {
    output.document({{"kind", "log export"},
                     {"entries", log.entries},
                     {"last_time", log.last.number > 0 ? Json(format_time(log.last_time)) : Json(nullptr)},
                     {"checkpoint", checkpoint_text(log.last)},
                     {"made", check.made},
                     {"opened", check.opened},
                     {"sealed", check.sealed},
                     {"findings", findings_json(log.findings)}});
  } else {
    print_findings(output, printable(path), log.findings);
    if (log.findings.empty() && !output.quiet()) {
      output.line(output.styled(Output::Style::good,
                                say("all {} entries are signed, in order, and follow on each other", log.entries)));
      output.line(say("details: {} opened and as they were sealed, {} not opened", check.opened, check.sealed));
      output.line(say("exported {}", printable(check.made)));
      output.line(say("checkpoint {}", checkpoint_text(log.last)));
    }
  }
  return log.findings.empty() ? ExitCode::done : ExitCode::damaged;
}

ExitCode say_dossier(const Invocation& invocation, const std::string& path, const evidence::Dossier& dossier,
                     const std::vector<evidence::DossierFinding>& findings) {
  Output& output = invocation.output;
  if (output.json()) {
    Json summary = dossier_json(dossier);
    summary["findings"] = dossier_findings_json(findings);
    output.document(summary);
  } else {
    for (const evidence::DossierFinding& finding : findings)
      output.line(output.styled(Output::Style::bad, printable(path) + ": " + finding_text(finding)));
    if (findings.empty() && !output.quiet()) {
      output.line(output.styled(Output::Style::good, tr("the dossier is as it was signed, and in order")));
      show_dossier(output, dossier);
    }
  }
  return findings.empty() ? ExitCode::done : ExitCode::damaged;
}

ExitCode check_dossier(const Invocation& invocation, const std::string& path) {
  const bool integrity_only = invocation.arguments.has("integrity");
  const evidence::Signers known = integrity_only ? evidence::Signers{} : trusted_roots(invocation);
  const evidence::Dossier dossier = read_dossier(path);
  return say_dossier(invocation, path, dossier,
                     evidence::check(dossier, integrity_only ? nullptr : &known, invocation.clock.now()));
}

ExitCode run(const Invocation& invocation) {
  const std::string& path = invocation.arguments.operands().front();
  if (is_dossier(path)) return check_dossier(invocation, path);
  return check_evidence(invocation, invocation.arguments.operands().front(), {});
}

}  // namespace

evidence::Roots trusted_roots(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  evidence::Roots roots;
  for (const std::string& file : arguments.values("public-key")) {
    const Bytes pem = read_file(file, crypto::kPublicKeyFileLimit);
    const auto keys = in_context(printable(file), [&] { return crypto::parse_public_keys(as_text(pem)); });
    roots.insert(keys.begin(), keys.end());
  }
  if (!roots.empty()) return roots;
  const char* repository = std::getenv("QCBAK_REPO");
  if (!arguments.has("repo") && (repository == nullptr || *repository == 0))
    throw Error(ErrorCode::usage, std::string(tr("no public key was given")))
        .with_hint(std::string(tr("name its file with --public-key, as \"qcbak key export --public\" wrote it, or the "
                                  "repository with --repo")));
  Session session(invocation, Session::Keys::none);
  const repository::KeySet& keys = session.repository().log().keys;
  for (const repository::DomainId& domain : keys.domains()) roots.insert(keys.domain(domain)->root);
  return roots;
}

Option public_key_option() {
  return {.name = "public-key",
          .value = "FILE",
          .help = "the public keys to judge by, as \"qcbak key export --public\" wrote them; else those of the repository",
          .times = Option::Times::many};
}

ExitCode check_evidence(const Invocation& invocation, const std::string& path,
                        const std::vector<repository::LogHead>& known) {
  const evidence::Roots roots = trusted_roots(invocation);
  return in_context(printable(path), [&] {
    Document document(path);
    if (document.kind == evidence::DocumentKind::checkpoint)
      return say_checkpoint(invocation.output, check_checkpoint(document, roots));
    return say_log(invocation.output, path, evidence::check_log_export(document.first, document.lines, roots, known));
  });
}

repository::LogHead read_checkpoint(const std::string& path, const evidence::Roots& roots) {
  return in_context(printable(path), [&] {
    Document document(path);
    if (document.kind != evidence::DocumentKind::checkpoint)
      throw Error(ErrorCode::usage, std::string(tr("this is no checkpoint")));
    return check_checkpoint(document, roots).head;
  });
}

Json findings_json(const std::vector<repository::LogFinding>& findings) {
  Json list = Json::array();
  for (const repository::LogFinding& finding : findings)
    list.push_back({{"entry", finding.number > 0 ? Json(finding.number) : Json(nullptr)}, {"what", finding.what}});
  return list;
}

void print_findings(Output& output, const std::string& whole, const std::vector<repository::LogFinding>& findings) {
  for (const repository::LogFinding& finding : findings) {
    const std::string what = translate_message(finding.what);
    output.line(output.styled(Output::Style::bad,
                              finding.number > 0 ? say("entry {}: {}", finding.number, what) : whole + ": " + what));
  }
}

std::string checkpoint_text(const repository::LogHead& head) {
  return std::to_string(head.number) + ":" + head.hash.hex();
}

Command verify_evidence_command() {
  return {
      .name = "verify-evidence",
      .summary = "Check evidence offline",
      .description =
          "Checks a log export, a checkpoint, or the dossier of a wipe with nothing but the public keys given, or those "
          "of the repository. What was altered is named, by its entry where it has one, and the exit code is 4.",
      .operands = {"FILE", 1, 1},
      .options = {public_key_option(),
                  {"integrity", "", "of a dossier: only that nothing was altered since it was signed, by whoever that was"}},
      .examples = {{"qcbak verify-evidence log.jsonl --public-key site.pem",
                    "on a machine that never saw the repository"}},
      .run = run,
  };
}

}  // namespace qcbak::cli
