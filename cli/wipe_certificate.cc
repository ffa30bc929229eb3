// qcbak wipe certificate
#include "base/error.h"
#include "cli/daemon_call.h"
#include "cli/dossier_file.h"
#include "cli/kept_dossier.h"
#include "cli/messages.h"
#include "cli/new_file.h"
#include "cli/text.h"
#include "evidence/certificate_page.h"

namespace qcbak::cli {
namespace {

// What stands against a certificate for the first medium that gets none.
struct Missing {
  std::string why;  // empty: all of them get one
  ExitCode code = ExitCode::done;
};

Missing missing_certificate(const evidence::Dossier& dossier) {
  Missing missing;
  for (std::size_t i = 0; i < dossier.request.media.size(); ++i) {
    const std::string why = evidence::why_no_certificate(dossier, i);
    if (why.empty()) continue;
    const bool destroy = evidence::is_to_be_destroyed(dossier, i);
    if (missing.why.empty() || (destroy && missing.code != ExitCode::destroy))
      missing = {say("medium {} gets no certificate: {}", i + 1, translate_message(one_line(why))),
                 destroy ? ExitCode::destroy : ExitCode::refused};
  }
  return missing;
}

void put(const Invocation& invocation, const std::string& text) {
  const std::string path = invocation.arguments.text("output");
  if (path.empty()) return invocation.output.bytes(as_bytes(text));
  NewFile file(path, NewFile::kForAll);
  file.write(as_bytes(text));
  file.keep();
}

evidence::LogRange range_in(const Json& log) {
  const auto number = [&](const char* name) { return log.at(name).get<std::uint64_t>(); };
  return {number("first"), number("last"), number("head_number"), log.at("head").get<std::string>()};
}

bool is_to_be_certified(const KeptDossier& kept) {
  const auto& validation = kept.dossier.validation;
  return kept.reply.at("certified").is_null() && validation && validation->decision == evidence::Decision::accept;
}

// What is certified, with the range of the log that speaks of it. An operand that is a file is one; any other is an id.
struct Certified {
  evidence::Dossier dossier;
  std::optional<evidence::LogRange> log;
};
Certified certified(const Invocation& invocation) {
  const std::string& named = invocation.arguments.operands().front();
  if (exists(named)) return {read_sound_dossier(invocation, named, ErrorCode::damaged), {}};
  KeptDossier kept = fetch_dossier(named);
  if (is_to_be_certified(kept))
    kept = kept_dossier(ask_daemon(control::Method::post, "/v1/wipes/" + kept.dossier.request.id + "/certify", Json::object()));
  const Json& log = kept.reply.at("certified");
  return {std::move(kept.dossier), log.is_null() ? std::nullopt : std::optional(range_in(log))};
}

ExitCode run_certificate(const Invocation& invocation) {
  const std::string format = invocation.arguments.value("format").value_or("json");
  if (format != "json" && format != "html")
    throw Error(ErrorCode::usage, say("\"{}\" is no format of a certificate", printable(format)))
        .with_hint(std::string(tr("give json or html")));
  const Certified found = certified(invocation);
  const evidence::Dossier& dossier = found.dossier;
  const Missing missing = missing_certificate(dossier);
  if (format == "html")
    put(invocation, evidence::certificate_page(dossier, {}, found.log));
  else if (missing.why.empty())
    put(invocation, encode(evidence::Certificate{evidence::encode(dossier), found.log}));
  if (!missing.why.empty())
    invocation.output.warn(missing.code == ExitCode::destroy
                               ? say("{}; have it destroyed physically", missing.why)
                               : say("{}; it needs a run that succeeds, and somebody who accepts it", missing.why));
  return missing.code;
}

}  // namespace

Command wipe_certificate_command() {
  return {
      .name = "wipe certificate",
      .summary = "Write the certificate of a wipe",
      .description =
          "Writes the certificate of a dossier that was accepted: as JSON, which is the dossier itself and what \"qcbak "
          "verify-evidence\" checks, or as a page to print, in Vietnamese and English. A medium that was not cleared gets "
          "none: the page says so, and the exit code is 6 where it is to be destroyed, else 5. Of a wipe that the daemon keeps, the "
          "certificate also names the entries of the audit log about it.",
      .operands = {"FILE|ID", 1, 1},
      .options = {{"format", "FORMAT", "json or html; json without it"},
                  {.name = "output", .value = "FILE", .help = "where it goes; standard output without it", .letter = 'o'},
                  people_option()},
      .examples = {{"qcbak wipe certificate 4.json --format html --public-key people.pem -o certificate.html",
                    "the page for the files"}},
      .run = run_certificate,
      .common = Command::Common::output_only,
  };
}

}  // namespace qcbak::cli
