// qcbak verify
#include "backup/verify.h"

#include <charconv>
#include <cstdlib>

#include "cli/messages.h"
#include "cli/output.h"
#include "cli/progress_display.h"
#include "cli/session.h"
#include "cli/snapshot_choice.h"

namespace qcbak::cli {
namespace {

using Kind = VerifyFinding::Kind;
using repository::SnapshotId;

constexpr std::size_t kFilesShown = 10;

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::damaged: return "damaged";
    case Kind::missing: return "missing";
    case Kind::superfluous: return "superfluous";
  }
  return "damaged";
}

// "5", "2.5", "5%".
double parse_percent(std::string text) {
  const std::string given = text;
  if (text.ends_with('%')) text.pop_back();
  double percent = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), percent);
  if (error != std::errc() || end != text.data() + text.size() || !(percent > 0) || percent > 100)
    throw Error(ErrorCode::usage,
                say("--sample wants a share above 0 and up to 100 percent, not \"{}\"", printable(given)));
  return percent / 100;
}

// Without any key the log still knows the ids.
SnapshotId choose_by_id(const repository::Repository& repository, const std::string& prefix) {
  constexpr std::size_t kPrefixLeast = 8;
  if (prefix.size() < kPrefixLeast || prefix.find_first_not_of("0123456789abcdef") != std::string::npos)
    throw Error(ErrorCode::usage, say("\"{}\" names no snapshot where there is no key", printable(prefix)))
        .with_hint(std::string(tr("give 8 or more digits of its id")));
  std::vector<SnapshotId> found;
  for (const auto& [id, state] : repository.log().snapshots)
    if (state.tombstone_number == 0 && id.hex().starts_with(prefix)) found.push_back(id);
  if (found.empty()) throw Error(ErrorCode::not_found, say("there is no snapshot {}", prefix));
  if (found.size() > 1) throw Error(ErrorCode::usage, say("several snapshots begin with {}", prefix));
  return found.front();
}

SnapshotId choose(Session& session, const Arguments& arguments, const std::string& text) {
  if (text == "latest" && !session.repository().domains().empty())
    return choose_snapshot(session, arguments, text).header.id;
  return choose_by_id(session.repository(), text);
}

bool key_is_named(const Arguments& arguments) {
  for (const std::string_view option : {"password-file", "password-command", "credential-file"})
    if (arguments.has(option)) return true;
  for (const char* name : {"QCBAK_CREDENTIAL_FILE", "QCBAK_PASSWORD_FILE", "QCBAK_PASSWORD_COMMAND"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return true;
  }
  return false;
}

Json as_json(const VerifyResult& result, std::string_view keys, bool data_read) {
  Json findings = Json::array();
  for (const VerifyFinding& finding : result.findings) {
    Json files = Json::array();
    for (const std::string& file : finding.files) {
      Json name;
      put_name(name, "path", file);
      files.push_back(std::move(name));
    }
    findings.push_back({{"kind", kind_name(finding.kind)},
                        {"object", finding.object},
                        {"what", finding.what},
                        {"snapshots", finding.snapshots},
                        {"files", std::move(files)},
                        {"files_affected", finding.files_affected}});
  }
  return {{"type", "summary"},
          {"clean", result.clean()},
          {"keys", keys},
          {"data_read", data_read},
          {"packs", result.packs},
          {"packs_read", result.packs_read},
          {"snapshots", result.snapshots},
          {"log_entries", result.log_entries},
          {"chunks", result.chunks},
          {"bytes_read", result.bytes_read},
          {"findings", std::move(findings)}};
}

void report(Output& output, const VerifyResult& result) {
  std::uint64_t harmless = 0;
  for (const VerifyFinding& finding : result.findings) {
    if (finding.kind == Kind::superfluous) {
      ++harmless;
      if (!output.quiet())
        output.line(
            output.styled(Output::Style::faint, say("superfluous {}: {}", finding.object, one_line(finding.what))));
      continue;
    }
    const std::string_view frame = finding.kind == Kind::missing ? "MISSING {}: {}" : "DAMAGED {}: {}";
    output.line(output.styled(Output::Style::bad, say(frame, finding.object, one_line(finding.what))));
    for (const std::string& snapshot : finding.snapshots) output.line("  " + say("snapshot {}", short_id(snapshot)));
    std::size_t shown = 0;
    for (const std::string& file : finding.files) {
      if (shown++ == kFilesShown) break;
      output.line("  " + say("file {}", printable(file)));
    }
    if (finding.files_affected > std::min<std::uint64_t>(shown, kFilesShown))
      output.line("  " + say("and {} more files; --json names them",
                             finding.files_affected - std::min<std::uint64_t>(shown, kFilesShown)));
  }
  if (output.quiet()) return;
  output.line(say("checked {} packs ({} read whole), {} snapshots, {} log entries, {} chunks; {} read", result.packs,
                  result.packs_read, result.snapshots, result.log_entries, result.chunks,
                  size_text(result.bytes_read)));
  const std::uint64_t bad = result.findings.size() - harmless;
  if (bad == 0)
    output.line(output.styled(Output::Style::good, tr("no damage found")));
  else
    output.line(
        output.styled(Output::Style::bad, counted(bad, "{} object is damaged or missing. Next: qcbak repair --dry-run",
                                                  "{} objects are damaged or missing. Next: qcbak repair --dry-run")));
}

ExitCode run(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  VerifyOptions options;
  if (arguments.has("read-data")) options.data = VerifyOptions::Data::read;
  if (arguments.has("sample")) options.sample = parse_percent(arguments.text("sample"));
  constexpr std::int64_t kDay = 86'400'000'000'000;
  options.day = static_cast<std::uint64_t>(std::max<std::int64_t>(0, invocation.clock.now().ns) / kDay);
  options.threads = static_cast<unsigned>(arguments.number("threads", 0, 0, 256));
  const bool read_data = options.data == VerifyOptions::Data::read;
  const bool keyless = arguments.has("keyless") || (!read_data && !key_is_named(arguments));
  if (keyless && read_data)
    throw Error(ErrorCode::usage, std::string(tr("--read-data decrypts, and --keyless has no key for it")))
        .with_hint(std::string(tr("leave out one of them")));

  Session session(invocation, keyless ? Session::Keys::none : Session::Keys::any);
  bool may_read = !keyless;
  for (const repository::DomainKeys& domain : session.repository().domains()) {
    if (read_data) session.repository().require_reading(domain);
    may_read &= domain.can_read();
  }
  for (const std::string& text : arguments.operands()) options.snapshots.push_back(choose(session, arguments, text));

  Progress progress;
  VerifyResult result;
  {
    const ProgressDisplay display(invocation, progress, std::string(tr("Verifying")));
    result = qcbak::verify(session.repository(), options, progress, invocation.stop);
  }
  const std::string_view keys = keyless ? "none" : may_read ? "read" : "write";
  if (invocation.output.json())
    invocation.output.document(as_json(result, keys, read_data));
  else
    report(invocation.output, result);
  return result.clean() ? ExitCode::done : ExitCode::damaged;
}

}  // namespace

Command verify_command() {
  return {
      .name = "verify",
      .summary = "Check that the repository is whole",
      .description =
          "Without a key: the hash of every stored byte, and the log with all its signatures. With a write credential "
          "also that "
          "everything that snapshots need is there. With --read-data everything is decrypted and every chunk and file "
          "is checked "
          "by its hash. Without --read-data no key is asked for; one that is named is used. Damage is named by pack, "
          "snapshot and "
          "file; the exit code is then 4.",
      .operands = {"[SNAPSHOT...]", 0, Operands::kAny},
      .options = with_narrowing({
          {"read-data", "", "decrypt everything too; needs the password or a read credential"},
          {"sample", "PERCENT", "read only this share of the packs, another one each day"},
          {"keyless", "", "use no key even if one is named"},
          {"threads", "N", "how many decrypt and hash; one for each processor without it"},
      }),
      .examples =
          {
              {"qcbak verify", "every stored byte against its hash"},
              {"qcbak verify --read-data latest", "decrypts everything that the newest snapshot needs"},
              {"qcbak verify --sample 5", "from a daily timer: all packs in twenty days"},
          },
      .run = run,
  };
}

}  // namespace qcbak::cli
