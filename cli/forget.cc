// qcbak forget
#include <map>
#include <set>

#include "backup/repository/retention.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/prune.h"
#include "cli/session.h"
#include "cli/snapshot_choice.h"

namespace qcbak::cli {
namespace {

using repository::SnapshotId;
using repository::SnapshotInfo;

constexpr unsigned kKeepMost = 1'000'000;

repository::KeepRule keep_rule(const Arguments& arguments) {
  const auto count = [&](std::string_view option) {
    return static_cast<unsigned>(arguments.number(option, 0, 0, kKeepMost));
  };
  repository::KeepRule rule;
  rule.last = count("keep-last");
  rule.daily = count("keep-daily");
  rule.weekly = count("keep-weekly");
  rule.monthly = count("keep-monthly");
  rule.yearly = count("keep-yearly");
  if (const auto within = arguments.value("keep-within")) {
    rule.within_ns = parse_duration_ns(*within);
    if (!rule.within_ns || *rule.within_ns <= 0)
      throw Error(ErrorCode::usage,
                  say("--keep-within wants a time such as 90d or 1y6mo, not \"{}\"", printable(*within)));
  }
  return rule;
}

struct Grouping {
  bool domain = true;
  bool host = true;
  bool source = true;
};

Grouping grouping(const Arguments& arguments) {
  if (!arguments.has("group-by")) return {};
  Grouping groups{false, false, false};
  std::string_view text = arguments.values("group-by").back();
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view word = text.substr(0, comma);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    if (word == "domain")
      groups.domain = true;
    else if (word == "host")
      groups.host = true;
    else if (word == "source")
      groups.source = true;
    else
      throw Error(ErrorCode::usage, say("--group-by does not know \"{}\"", printable(word)))
          .with_hint(say("choose one of: {}", "domain, host, source"));
  }
  return groups;
}

std::string group_of(const Grouping& groups, const SnapshotInfo& snapshot, const std::string& domain) {
  // The parts are joined by a byte that none of them has.
  std::string group;
  if (groups.domain) group += domain;
  group += '\0';
  if (groups.host) group += snapshot.header.host;
  group += '\0';
  if (groups.source) {
    group += snapshot.header.source;
    for (const Bytes& path : snapshot.header.paths) group += '\0' + to_string(path);
  }
  return group;
}

struct Decision {
  const SnapshotInfo* snapshot = nullptr;
  bool keep = false;
  std::string reason;
};

std::string why_locked(const SnapshotInfo& snapshot) {
  if (snapshot.state.holds > 0) return say("held: {}", printable(snapshot.state.hold_reason));
  return say("locked until {}", format_time(*snapshot.state.locked_until));
}

std::vector<Decision> decide_by_rule(Session& session, const Invocation& invocation, const repository::KeepRule& rule,
                                     const std::vector<SnapshotInfo>& snapshots) {
  const Grouping groups = grouping(invocation.arguments);
  const Time now = invocation.clock.now();
  std::vector<repository::RetentionCandidate> candidates;
  for (const SnapshotInfo& snapshot : snapshots)
    candidates.push_back({snapshot.header.id, snapshot.state.commit_time,
                          group_of(groups, snapshot, session.domain_of(snapshot).name),
                          session.repository().log().is_locked(snapshot.state, now)});
  const std::vector<repository::RetentionDecision> decided = repository::decide_retention(rule, candidates);
  std::vector<Decision> decisions;
  for (std::size_t i = 0; i < decided.size(); ++i)
    decisions.push_back({&snapshots[i], decided[i].keep, decided[i].reason});
  return decisions;
}

std::vector<Decision> decide_by_name(Session& session, const Invocation& invocation,
                                     std::vector<SnapshotInfo>& snapshots) {
  const Time now = invocation.clock.now();
  std::set<SnapshotId> seen;
  for (const std::string& text : invocation.arguments.operands()) {
    SnapshotInfo snapshot = choose_snapshot(session, invocation.arguments, text);
    if (session.repository().log().is_locked(snapshot.state, now))
      throw Error(ErrorCode::refused,
                  say("snapshot {} cannot be forgotten: {}", short_id(snapshot.header.id.hex()), why_locked(snapshot)))
          .with_hint(std::string(tr("a hold ends with: qcbak tag SNAPSHOT --release; a lock ends with its term")));
    if (seen.insert(snapshot.header.id).second) snapshots.push_back(std::move(snapshot));
  }
  std::vector<Decision> decisions;
  for (const SnapshotInfo& snapshot : snapshots) decisions.push_back({&snapshot, false, "named"});
  return decisions;
}

// One tombstone a domain.
void forget(Session& session, const std::vector<Decision>& decisions, const std::string& reason) {
  std::map<repository::DomainId, std::vector<SnapshotId>> by_domain;
  for (const Decision& decision : decisions)
    if (!decision.keep) by_domain[decision.snapshot->state.domain].push_back(decision.snapshot->header.id);
  for (const auto& [id, snapshots] : by_domain) {
    const repository::DomainKeys* domain = session.repository().find_domain(id);
    check(domain != nullptr, "a snapshot's header was opened by its domain's key");
    repository::append_log(session.context(*domain), [&]() -> repository::LogEvent {
      return repository::Tombstone{snapshots, reason};
    });
  }
}

std::string shown_rule(const Arguments& arguments) {
  std::string text = "forget";
  for (const std::string_view option :
       {"keep-last", "keep-within", "keep-daily", "keep-weekly", "keep-monthly", "keep-yearly", "group-by"})
    if (const auto value = arguments.value(option)) text += fmt::format(" --{} {}", option, one_line(*value));
  return text;
}

void report(Output& output, Session& session, const std::vector<Decision>& decisions, bool dry_run) {
  if (output.quiet()) return;
  Table table({{std::string(tr("SNAPSHOT"))},
               {std::string(tr("TIME"))},
               {std::string(tr("HOST"))},
               {std::string(tr("DOMAIN"))},
               {std::string(tr("DECISION"))},
               {std::string(tr("WHY"))}});
  std::uint64_t kept = 0;
  for (const Decision& decision : decisions) {
    kept += decision.keep ? 1 : 0;
    const repository::SnapshotHeader& header = decision.snapshot->header;
    table.add({short_id(header.id.hex()), format_time(header.time), printable(header.host),
               printable(session.domain_of(*decision.snapshot).name),
               std::string(tr(decision.keep ? "keep" : "forget")), translate_message(decision.reason)});
  }
  if (!table.empty()) output.table(table);
  const std::uint64_t gone = decisions.size() - kept;
  output.line(dry_run ? say("dry run: {} would be kept, {} forgotten", kept, gone)
                      : say("{} kept, {} forgotten", kept, gone));
}

ExitCode run(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  const repository::KeepRule rule = keep_rule(arguments);
  const bool named = !arguments.operands().empty();
  if (named && !rule.empty())
    throw Error(ErrorCode::usage, std::string(tr("forget takes snapshots or a keep rule, not both")))
        .with_hint(say("see: {} --help", "qcbak forget"));
  if (!named && rule.empty())
    throw Error(ErrorCode::usage, std::string(tr("forget wants snapshots, or a rule that says what to keep")))
        .with_hint(std::string(tr("for example: qcbak forget --keep-last 10 --keep-monthly 24 --dry-run")));
  const bool dry_run = arguments.has("dry-run");

  Session session(invocation, Session::Keys::any);
  if (!dry_run) session.lock_for_writing();
  std::vector<SnapshotInfo> snapshots;
  std::vector<Decision> decisions;
  if (named) {
    decisions = decide_by_name(session, invocation, snapshots);
  } else {
    const SnapshotFilter filter = filter_from(arguments);
    for (SnapshotInfo& snapshot : session.snapshots())
      if (matches(filter, snapshot, session.domain_of(snapshot).name)) snapshots.push_back(std::move(snapshot));
    decisions = decide_by_rule(session, invocation, rule, snapshots);
  }
  if (!dry_run) forget(session, decisions, shown_rule(arguments));

  Output& output = invocation.output;
  if (!output.json()) report(output, session, decisions, dry_run);
  ExitCode code = session.found_damage() ? ExitCode::damaged : ExitCode::done;
  Json pruned = nullptr;
  if (arguments.has("prune") && !dry_run) {
    PruneSummary summary = prune(invocation, session, false);
    pruned = std::move(summary.json);
    if (summary.code != ExitCode::done) code = summary.code;
  }
  if (output.json()) {
    Json list = Json::array();
    for (const Decision& decision : decisions)
      list.push_back({{"id", decision.snapshot->header.id.hex()},
                      {"time", format_time(decision.snapshot->header.time)},
                      {"host", decision.snapshot->header.host},
                      {"domain", session.domain_of(*decision.snapshot).name},
                      {"keep", decision.keep},
                      {"reason", decision.reason}});
    output.document({{"dry_run", dry_run}, {"snapshots", std::move(list)}, {"prune", std::move(pruned)}});
  }
  return code;
}

}  // namespace

Command forget_command() {
  return {
      .name = "forget",
      .summary = "Forget snapshots, by name or by what is to be kept",
      .description =
          "Takes snapshots out of the repository; their space is freed by prune. A keep rule works for each domain, "
          "host and source by "
          "itself, or as --group-by says; a snapshot is kept when any part of the rule keeps it. What is held or "
          "locked stays: a rule passes it over, "
          "naming it is refused with exit code 5. A write credential is enough.",
      .operands = {"[SNAPSHOT...]", 0, Operands::kAny},
      .options = with_narrowing({
          {"keep-last", "N", "the last N"},
          {"keep-within", "TIME", "all that are at most so old, counted from the newest: 90d, 1y6mo"},
          {"keep-daily", "N", "the last of each of N days"},
          {"keep-weekly", "N", "the last of each of N weeks"},
          {"keep-monthly", "N", "the last of each of N months"},
          {"keep-yearly", "N", "the last of each of N years"},
          {"group-by", "LIST", "what sets groups apart, of: domain,host,source; \"\" puts all into one"},
          {"prune", "", "free their space at once"},
          {"dry-run", "", "only say what would be kept and what forgotten"},
      }),
      .examples =
          {
              {"qcbak forget --keep-last 10 --keep-monthly 24 --dry-run", "what a rule would do"},
              {"qcbak forget --keep-last 10 --keep-monthly 24 --prune", "does it, and frees the space"},
              {"qcbak forget 1f3a90c2", "one snapshot"},
          },
      .run = run,
  };
}

}  // namespace qcbak::cli
