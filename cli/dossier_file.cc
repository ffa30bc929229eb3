#include "cli/dossier_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/messages.h"
#include "cli/new_file.h"
#include "cli/text.h"
#include "crypto/public_key_file.h"
#include "evidence/certificate.h"

namespace qcbak::cli {
namespace {

constexpr std::size_t kBeginning = 4096;

// Keys of --public-key; nothing when there are none.
std::optional<evidence::Signers> people(const Invocation& invocation) {
  evidence::Signers keys;
  for (const std::string& file : invocation.arguments.values("public-key")) {
    const Bytes pem = read_file(file, crypto::kPublicKeyFileLimit);
    const auto read = in_context(printable(file), [&] { return crypto::parse_public_keys(as_text(pem)); });
    keys.insert(read.begin(), read.end());
  }
  return keys.empty() ? std::nullopt : std::optional(keys);
}

std::string state_text(const evidence::Dossier& dossier, std::size_t index) {
  if (evidence::destruction_of(dossier, index) != nullptr) return std::string(tr("destroyed"));
  const evidence::WipeRun* run = evidence::last_run(dossier, index);
  if (run != nullptr) return one_line(run->verdict) + ", " + translate_message(one_line(run->verdict_reason));
  return std::string(evidence::is_to_be_destroyed(dossier, index) ? tr("not destroyed yet") : tr("not wiped yet"));
}

std::string media_text(const evidence::Dossier& dossier, std::size_t index) {
  const evidence::RequestedMedium& medium = dossier.request.media[index];
  const std::string state = state_text(dossier, index);
  return say("medium {}: serial {}, {}, plan {}: {}", index + 1, one_line(medium.serial), size_text(medium.size_bytes),
             one_line(medium.plan), state);
}

}  // namespace

Option people_option() {
  return {.name = "public-key",
          .value = "FILE",
          .help = "the public keys of those who may sign, one after the other in one file or several",
          .times = Option::Times::many};
}

Option dossier_output_option() {
  return {.name = "output", .value = "FILE", .help = "where the new dossier goes", .letter = 'o'};
}

std::string plain_line(const std::string& option, const std::string& text) {
  constexpr std::size_t kLimit = 1024;
  if (!is_utf8(as_bytes(text)) || text.size() > kLimit || one_line(text) != text)
    throw Error(ErrorCode::usage, say("--{} wants one line of text in UTF-8", option));
  return text;
}

bool is_dossier(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw_errno("open", printable(path));
  Bytes beginning(kBeginning);
  beginning.resize(read_full(fd.get(), beginning, printable(path)));
  return evidence::looks_like_dossier(as_text(beginning));
}

evidence::Dossier read_dossier(const std::string& path) {
  const Bytes text = read_file(path, evidence::kDossierLimit);
  return in_context(printable(path), [&] { return evidence::parse_dossier(evidence::parse_certificate(as_text(text)).dossier); });
}

std::vector<evidence::DossierFinding> judge(const Invocation& invocation, const evidence::Dossier& dossier) {
  const std::optional<evidence::Signers> known = people(invocation);
  return evidence::check(dossier, known ? &*known : nullptr, invocation.clock.now());
}

evidence::Dossier read_sound_dossier(const Invocation& invocation, const std::string& path, ErrorCode unless_sound) {
  const auto refuse = [&](const std::string& what) -> Error {
    return std::move(Error(unless_sound, say("{} is altered or not in order: {}", printable(path), what))
                         .with_hint(say("nothing was done; see all with: qcbak verify-evidence {}", printable(path))));
  };
  const Bytes text = read_file(path, evidence::kDossierLimit);
  if (!evidence::looks_like_dossier(as_text(text)))
    throw Error(ErrorCode::usage, say("{} is no dossier of a wipe", printable(path)))
        .with_hint(std::string(tr("make one: qcbak wipe request DEVICE --plan NAME --reason R -o FILE")));
  evidence::Dossier dossier;
  try {
    dossier = evidence::parse_dossier(evidence::parse_certificate(as_text(text)).dossier);
  } catch (const Error& error) {
    throw refuse(translate_message(error.what()));
  }
  const auto findings = judge(invocation, dossier);
  if (!findings.empty()) throw refuse(finding_text(findings.front()));
  if (!invocation.arguments.has("public-key"))
    invocation.output.warn(
        tr("it was not checked who signed; name the keys of those who may with --public-key, or compare fingerprints"));
  return dossier;
}

const std::string& dossier_operand(const Invocation& invocation) {
  dossier_output(invocation);
  return invocation.arguments.operands().front();
}

std::string dossier_output(const Invocation& invocation) {
  const auto path = invocation.arguments.value("output");
  if (!path)
    throw Error(ErrorCode::usage, std::string(tr("the new dossier needs a name")))
        .with_hint(std::string(tr("give the dossier's file, and name the new one with -o FILE")));
  struct stat status {};
  if (::lstat(path->c_str(), &status) == 0)
    throw Error(ErrorCode::usage, say("{} exists already", printable(*path)))
        .with_hint(std::string(tr("name a new file with -o")));
  return *path;
}

void sign_dossier(const Invocation& invocation, const evidence::Dossier& dossier, evidence::Signed& member,
                  const Signer& signer, const std::string& reason) {
  evidence::sign(dossier, member, signer.name, reason, signer.seed, invocation.clock.now());
  const auto findings = judge(invocation, dossier);
  if (!findings.empty())
    throw Error(ErrorCode::refused, say("it may not be signed: {}", finding_text(findings.front())))
        .with_hint(std::string(tr("nothing was done; have the right person do it, with their own key")));
}

void require_known(const Invocation& invocation, const Signer& signer) {
  const std::optional<evidence::Signers> known = people(invocation);
  if (known && !known->contains(crypto::sign_public(signer.seed)))
    throw Error(ErrorCode::refused, std::string(tr("your key is not among those given with --public-key")))
        .with_hint(std::string(tr("nothing was done; have the right person do it, with their own key")));
}

void write_dossier(const std::string& path, const evidence::Dossier& dossier) {
  NewFile file(path, NewFile::kForAll);
  file.write(as_bytes(evidence::encode(dossier)));
  file.keep();
}

void replace_dossier(const std::string& path, const evidence::Dossier& dossier) {
  write_file_durably(path, as_bytes(evidence::encode(dossier)));
  const mode_t mask = ::umask(0);
  ::umask(mask);
  if (::chmod(path.c_str(), NewFile::kForAll & ~mask) != 0) throw_errno("let others read", printable(path));
}

Json dossier_json(const evidence::Dossier& dossier) {
  Json media = Json::array(), people = Json::array();
  for (std::size_t i = 0; i < dossier.request.media.size(); ++i) {
    const evidence::RequestedMedium& medium = dossier.request.media[i];
    const evidence::WipeRun* run = evidence::last_run(dossier, i);
    media.push_back({{"medium", i + 1},
                     {"asset", medium.asset},
                     {"model", medium.model},
                     {"serial", medium.serial},
                     {"serial_by_hand", medium.serial_by_hand},
                     {"size_bytes", medium.size_bytes},
                     {"plan", medium.plan},
                     {"destroyed", evidence::destruction_of(dossier, i) != nullptr},
                     {"verdict", run == nullptr ? Json(nullptr) : Json(run->verdict)}});
  }
  for (const evidence::SignedMember& member : evidence::signed_members(dossier))
    people.push_back({{"member", member.name},
                      {"by", member.by->statement.by},
                      {"time", member.by->statement.time},
                      {"reason", member.by->statement.reason},
                      {"fingerprint", crypto::fingerprint(member.by->key)}});
  return {{"kind", "dossier"}, {"id", dossier.request.id}, {"media", std::move(media)}, {"signed", std::move(people)}};
}

Json dossier_findings_json(const std::vector<evidence::DossierFinding>& findings) {
  Json list = Json::array();
  for (const evidence::DossierFinding& finding : findings)
    list.push_back({{"member", finding.member}, {"what", finding.what}});
  return list;
}

std::string finding_text(const evidence::DossierFinding& finding) {
  return finding.member + ": " + translate_message(one_line(finding.what));
}

void show_dossier(Output& output, const evidence::Dossier& dossier) {
  output.line(say("wipe {}, expires {}", dossier.request.id, format_time(dossier.request.expires)));
  for (std::size_t i = 0; i < dossier.request.media.size(); ++i) output.line(media_text(dossier, i));
  for (const evidence::SignedMember& member : evidence::signed_members(dossier))
    output.line(say("{}: signed by {} at {}, key {}", member.name, one_line(member.by->statement.by),
                    one_line(member.by->statement.time), crypto::fingerprint(member.by->key)));
}

void tell_dossier(const Invocation& invocation, const evidence::Dossier& dossier, const std::string& path,
                  const std::string& next) {
  Output& output = invocation.output;
  if (output.json()) {
    Json summary = dossier_json(dossier);
    summary["file"] = path;
    output.document(summary);
    return;
  }
  output.line(dossier.request.id);
  if (!output.quiet()) output.line(next);
}

}  // namespace qcbak::cli
