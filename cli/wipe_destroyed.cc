// qcbak wipe destroyed
#include <charconv>

#include "base/error.h"
#include "cli/dossier_file.h"
#include "cli/kept_dossier.h"
#include "cli/messages.h"
#include "cli/text.h"
#include "crypto/hash.h"

namespace qcbak::cli {
namespace {

constexpr std::size_t kPhotographBytes = 64U << 20;
constexpr std::uint32_t kMicrometres = 1000;  // of a millimetre

// "2", "0.5mm": at most three digits behind the point.
std::uint32_t micrometres_of(std::string text) {
  const std::string given = text;
  if (text.ends_with("mm")) text.resize(text.size() - 2);
  double millimetres = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, millimetres, std::chars_format::fixed);
  constexpr double kMost = 1000;
  const double micrometres = millimetres * kMicrometres;
  if (error != std::errc() || at != end || millimetres > kMost || micrometres < 1)
    throw Error(ErrorCode::usage, say("\"{}\" is no size of particles", printable(given)))
        .with_hint(std::string(tr("give it in millimetres: --particle-size 2mm")));
  return static_cast<std::uint32_t>(micrometres + 0.5);
}

evidence::Photograph photograph_of(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  return {printable(name), crypto::sha256(read_file(path, kPhotographBytes))};
}

// As the dossier holds it.
Time to_the_second(Time time) {
  constexpr std::int64_t kSecond_ns = 1'000'000'000;
  return {time.ns / kSecond_ns * kSecond_ns};
}

std::string method_of(const Arguments& arguments) {
  const std::string method = arguments.text("method");
  if (!evidence::is_destruction_method(method))
    throw Error(ErrorCode::usage,
                say("--{} wants one of: {}", "method", "shred, disintegrate, pulverize, incinerate, melt"));
  return method;
}

std::uint32_t particles_of(const Arguments& arguments, const std::string& method) {
  const auto given = arguments.value("particle-size");
  if (evidence::leaves_particles(method) != given.has_value())
    throw Error(ErrorCode::usage, given ? say("{} leaves no particles", method)
                                        : say("{} leaves particles: say how large the largest are", method))
        .with_hint(
            std::string(given ? tr("leave out --particle-size") : tr("give it in millimetres: --particle-size 2mm")));
  return given ? micrometres_of(*given) : 0;
}

bool may_be_destroyed(const evidence::Dossier& dossier, std::size_t medium) {
  if (evidence::destruction_of(dossier, medium) != nullptr) return false;
  const evidence::WipeRun* run = evidence::last_run(dossier, medium);
  return evidence::is_to_be_destroyed(dossier, medium) || (run != nullptr && !evidence::succeeded(*run));
}

// The one that was named, or the only one that is left.
std::size_t medium_of(const Arguments& arguments, const evidence::Dossier& dossier) {
  std::vector<std::size_t> left;
  for (std::size_t i = 0; i < dossier.request.media.size(); ++i)
    if (may_be_destroyed(dossier, i)) left.push_back(i);
  const std::size_t named = arguments.number("medium", 0, 0, evidence::kDossierMediaLimit);
  if (named > 0) {
    if (std::ranges::find(left, named - 1) != left.end()) return named - 1;
    throw Error(ErrorCode::refused, say("medium {} is not to be destroyed, or was destroyed already", named))
        .with_hint(std::string(tr("request it with --plan destroy")));
  }
  if (left.size() == 1) return left.front();
  if (left.empty())
    throw Error(ErrorCode::refused, std::string(tr("no medium of this dossier is to be destroyed, or all were")))
        .with_hint(std::string(tr("request them with --plan destroy")));
  throw Error(ErrorCode::usage, std::string(tr("several media are to be destroyed")))
      .with_hint(std::string(tr("say which with --medium, counted from 1")));
}

evidence::Destruction destruction_of(const Invocation& invocation, const evidence::Dossier& dossier) {
  const Arguments& arguments = invocation.arguments;
  evidence::Destruction destruction;
  destruction.medium = medium_of(arguments, dossier);
  destruction.method = method_of(arguments);
  destruction.particle_um = particles_of(arguments, destruction.method);
  destruction.place = plain_line("place", arguments.text("place"));
  destruction.destroyed = to_the_second(arguments.time("date").value_or(invocation.clock.now()));
  for (const std::string& witness : arguments.values("witness"))
    destruction.witnesses.push_back(plain_line("witness", witness));
  if (destruction.witnesses.empty())
    throw Error(ErrorCode::usage, std::string(tr("somebody else has to have seen it")))
        .with_hint(std::string(tr("name each witness with --witness")));
  for (const std::string& path : arguments.values("photograph")) destruction.photographs.push_back(photograph_of(path));
  return destruction;
}

void require_open(const evidence::Dossier& dossier) {
  if (!dossier.approval)
    throw Error(ErrorCode::refused, std::string(tr("nobody has approved this request")))
        .with_hint(std::string(tr("have it approved: qcbak wipe approve FILE -o FILE")));
  if (dossier.validation)
    throw Error(ErrorCode::refused, std::string(tr("this dossier was validated already")))
        .with_hint(std::string(tr("request it with --plan destroy")));
}

ExitCode run_by_id(const Invocation& invocation) {
  const KeptDossier kept = fetch_dossier(invocation.arguments.operands().front());
  require_open(kept.dossier);
  evidence::Dossier dossier = kept.dossier;
  evidence::Destruction& destruction = evidence::add(dossier, destruction_of(invocation, dossier));
  tell_kept(invocation, sign_and_send(invocation, kept, dossier, destruction.by),
            say("next: another person types: qcbak wipe validate {} --accept", dossier.request.id.substr(0, 8)));
  return ExitCode::done;
}

ExitCode run(const Invocation& invocation) {
  if (is_by_id(invocation)) return run_by_id(invocation);
  const std::string& from = dossier_operand(invocation);
  const std::string path = dossier_output(invocation);
  evidence::Dossier dossier = read_sound_dossier(invocation, from, ErrorCode::refused);
  require_open(dossier);
  evidence::Destruction& destruction = evidence::add(dossier, destruction_of(invocation, dossier));
  sign_dossier(invocation, dossier, destruction.by, open_signer(invocation));
  write_dossier(path, dossier);
  tell_dossier(invocation, dossier, path,
               say("next: another person types: qcbak wipe validate {} --accept -o FILE", printable(path)));
  return ExitCode::done;
}

}  // namespace

Command wipe_destroyed_command() {
  return {
      .name = "wipe destroyed",
      .summary = "Record that a medium was destroyed physically",
      .description =
          "Adds to a copy of the dossier how, where and when a medium was destroyed, who saw it, and the hashes of "
          "photographs, signed with your own key. It has to have been approved for that, or not to have been cleared. "
          "Another person validates it, and then it has a certificate. Without -o it goes to the dossier that the daemon keeps.",
      .operands = {"FILE|ID", 1, 1},
      .options =
          {{"medium", "N", "which of the dossier's media, counted from 1; the only one that is left without it"},
           {"method", "METHOD", "shred, disintegrate, pulverize, incinerate or melt"},
           {"particle-size", "MM", "the largest particles that were left, in millimetres"},
           {"place", "TEXT", "where it was done"},
           {"date", "TIME", "when it was done; now without it"},
           {.name = "witness", .value = "NAME", .help = "who saw it, and is not you", .times = Option::Times::many},
           {.name = "photograph",
            .value = "FILE",
            .help = "a picture of what is left; its name and SHA-256 are recorded",
            .times = Option::Times::many},
           dossier_output_option(),
           signing_key_option(),
           people_option()},
      .examples = {{"qcbak wipe destroyed 3.json --method shred --particle-size 2mm --witness \"Tran Thi B\" -o 4.json",
                    "a disk that could not be cleared"}},
      .run = run,
      .common = Command::Common::output_only,
  };
}

}  // namespace qcbak::cli
