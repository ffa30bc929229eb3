// qcbak audit show, qcbak audit verify
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <deque>

#include "backup/repository/log_check.h"
#include "backup/storage/local_directory.h"
#include "base/error.h"
#include "cli/evidence.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/text.h"
#include "evidence/log_json.h"

namespace qcbak::cli {
namespace {

using repository::LogEntry;

constexpr std::uint64_t kShownUnlessAsked = 50;
constexpr std::uint64_t kShownMost = 1'000'000'000;

std::string in_words(const Json& members) {
  std::string text;
  for (const auto& [key, value] : members.items()) {
    if (value.is_string() && value.get_ref<const std::string&>().empty()) continue;
    text += (text.empty() ? "" : "  ") + key + "=" + (value.is_string() ? value.get<std::string>() : to_text(value));
  }
  return one_line(text);
}

// What --acts, --act, --by, --since and --until leave.
class Choice {
 public:
  explicit Choice(const Arguments& arguments)
      : acts_(arguments.has("acts")),
        act_(arguments.value("act")),
        by_(arguments.value("by")),
        since_(arguments.time("since")),
        until_(arguments.time("until")) {}

  bool takes(const LogEntry& entry, const Json& details) const {
    if ((since_ && entry.time < *since_) || (until_ && entry.time >= *until_)) return false;
    if ((acts_ || act_ || by_) && entry.kind() != repository::LogKind::audit) return false;
    if (act_ && !is(details, "act", *act_)) return false;
    return !by_ || (details.contains("by") && is(details["by"], "user", *by_)) || is(details, "asked_by", *by_);
  }

 private:
  static bool is(const Json& object, const char* member, const std::string& text) {
    return object.is_object() && object.contains(member) && object[member] == text;
  }
  bool acts_;
  std::optional<std::string> act_, by_;
  std::optional<Time> since_, until_;
};

ExitCode run_show(const Invocation& invocation) {
  const std::uint64_t limit = invocation.arguments.number("limit", kShownUnlessAsked, 1, kShownMost);
  const Choice choice(invocation.arguments);
  Session session(invocation, Session::Keys::any);
  struct Row {
    LogEntry entry;
    crypto::Sha256 hash;
    Json details;
  };
  std::deque<Row> rows;
  session.repository().for_each_log_entry([&](const LogEntry& entry, const crypto::Sha256& hash) {
    const auto sealed = session.repository().find_domain(entry.domain) == nullptr ? evidence::SealedDetails::sealed
                                                                                  : evidence::SealedDetails::opened;
    Json details = evidence::details_json(entry, sealed, format_time);
    if (!choice.takes(entry, details)) return;
    rows.push_back({entry, hash, std::move(details)});
    if (rows.size() > limit) rows.pop_front();
  });
  Output& output = invocation.output;
  if (output.json()) {
    Json entries = Json::array();
    for (const Row& row : rows)
      entries.push_back({{"number", row.entry.number},
                         {"time", format_time(row.entry.time)},
                         {"kind", repository::name_of(row.entry.kind())},
                         {"signer", row.entry.signer.hex()},
                         {"hash", row.hash.hex()},
                         {"details", row.details}});
    output.document(entries);
    return ExitCode::done;
  }
  Table table({{std::string(tr("ENTRY")), Table::Align::right},
               {std::string(tr("TIME"))},
               {std::string(tr("KIND"))},
               {std::string(tr("DETAILS"))}});
  for (const Row& row : rows)
    table.add({std::to_string(row.entry.number), format_time(row.entry.time), std::string(repository::name_of(row.entry.kind())),
               in_words(row.details)});
  if (!table.empty())
    for (const std::string& line : table.lines()) output.line(line);
  return ExitCode::done;
}

// ENTRY:HASH, as "audit verify" prints it.
repository::LogHead parse_checkpoint(const std::string& text) {
  repository::LogHead head;
  const std::size_t colon = text.find(':');
  const char* const end = text.data() + std::min(colon, text.size());
  const auto [stopped, error] = std::from_chars(text.data(), end, head.number);
  const std::string hash = colon == std::string::npos ? "" : text.substr(colon + 1);
  const bool hexadecimal = hash.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (error != std::errc() || stopped != end || head.number == 0 || hash.size() != 2 * crypto::Sha256::kSize || !hexadecimal)
    throw Error(ErrorCode::usage, say("\"{}\" is not a checkpoint", printable(text)))
        .with_hint(std::string(tr("give it as \"qcbak audit verify\" printed it, ENTRY:HASH")));
  head.hash = crypto::Sha256(from_hex(hash));
  return head;
}

bool is_written_out(const std::string& checkpoint) {
  const std::size_t colon = checkpoint.find_first_not_of("0123456789");
  return colon != std::string::npos && colon > 0 && checkpoint[colon] == ':';
}

// Of an export: the checkpoints that are files are judged by the same keys.
ExitCode verify_export(const Invocation& invocation, const std::string& log) {
  std::vector<repository::LogHead> known;
  for (const std::string& text : invocation.arguments.values("checkpoint"))
    known.push_back(is_written_out(text) ? parse_checkpoint(text) : read_checkpoint(text, trusted_roots(invocation)));
  return check_evidence(invocation, log, known);
}

repository::LogCheck check_repository(const Arguments& arguments) {
  std::vector<repository::LogHead> known;
  for (const std::string& text : arguments.values("checkpoint"))
    if (is_written_out(text)) known.push_back(parse_checkpoint(text));
  const char* keys = std::getenv("QCBAK_KEYS_DIR");
  const std::string keys_directory = arguments.has("keys") ? arguments.text("keys") : keys != nullptr ? keys : "";
  const auto storage = storage::open_local_directory(repository_place(arguments));
  const repository::KnownHeads heads = [&](const repository::KeySet& counts) {
    evidence::Roots roots;
    for (const repository::DomainId& domain : counts.domains()) roots.insert(counts.domain(domain)->root);
    for (const std::string& text : arguments.values("checkpoint"))
      if (!is_written_out(text)) known.push_back(read_checkpoint(text, roots));
    return known;
  };
  return repository::check_log(*storage, keys_directory, heads);
}

ExitCode run_verify(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  if (const auto log = arguments.value("log")) return verify_export(invocation, *log);
  if (arguments.has("public-key"))
    throw Error(ErrorCode::usage, std::string(tr("--public-key goes with --log")));
  const repository::LogCheck check = check_repository(arguments);
  const std::string checkpoint = checkpoint_text(check.last);

  Output& output = invocation.output;
  if (output.json()) {
    output.document({{"entries", check.entries},
                     {"last_time", check.last.number > 0 ? Json(format_time(check.last_time)) : Json(nullptr)},
                     {"checkpoint", checkpoint},
                     {"findings", findings_json(check.findings)}});
  } else {
    print_findings(output, std::string(tr("the log")), check.findings);
    if (check.findings.empty() && !output.quiet()) {
      output.line(output.styled(Output::Style::good, say("all {} entries are signed, in order, and follow on each other", check.entries)));
      output.line(say("checkpoint {}", checkpoint));
      if (!arguments.has("checkpoint"))
        output.line(tr("Keep it elsewhere, on paper too: with --checkpoint, the next check finds whether the log's end was cut off."));
    }
  }
  return check.findings.empty() ? ExitCode::done : ExitCode::damaged;
}

}  // namespace

Command audit_show_command() {
  return {
      .name = "audit show",
      .summary = "Show the repository's log: what was done, when, and by whom",
      .description = "Prints the entries of the log, the newest last: commits, what was forgotten, held, locked and collected, keys given and "
                     "taken, and what the daemon and its users did. A write credential is enough.",
      .options = {{"limit", "N", "the last N entries; 50 unless given"}, {"acts", "", "only what the daemon and its users did"},
                  {"act", "NAME", "only this act, for example run.ended"},
                  {"by", "USER", "only what this user asked for"},
                  {"since", "TIME", "only entries from then on"},
                  {"until", "TIME", "only entries before then"}},
      .examples = {{"qcbak audit show --acts", "who ran what, and who was refused"},
                   {"qcbak audit show --act request.refused --since 2026-11-01", "who was refused this month"}},
      .run = run_show,
  };
}

Command audit_verify_command() {
  return {
      .name = "audit verify",
      .summary = "Check that nobody altered the repository's log",
      .description = "Checks every entry of the log without any key: that it is there, in its place, signed by somebody who may, and follows on "
                     "the one before. An entry that was altered, removed, moved or put in is named, and the exit code is 4. That the end was cut "
                     "off can be seen only by who remembers a checkpoint, which each check prints.",
      .options = {{.name = "checkpoint",
                   .value = "ENTRY:HASH|FILE",
                   .help = "what an earlier check printed, or \"qcbak audit export --checkpoint\" wrote; may be given several times",
                   .times = Option::Times::many},
                  {"log", "FILE", "a log export instead of the repository's log"},
                  public_key_option()},
      .examples = {{"qcbak audit verify", "the whole log"},
                   {"qcbak audit verify --log log.jsonl --public-key site.pem", "an export, offline"}},
      .run = run_verify,
  };
}

}  // namespace qcbak::cli
