// qcbak tag
#include <algorithm>

#include "cli/messages.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/snapshot_choice.h"

namespace qcbak::cli {
namespace {

using repository::LogEvent;
using repository::SnapshotInfo;

constexpr std::int64_t kLockMost_ns = 100LL * 365 * 86'400 * 1'000'000'000;

// KEY=VALUE sets, KEY= takes away.
repository::Labels changed_labels(repository::Labels labels, const std::vector<std::string>& changes) {
  for (const std::string& change : changes) {
    const auto [key, value] = parse_label(change);
    std::erase_if(labels, [&](const auto& label) { return label.first == key; });
    if (!value.empty()) labels.emplace_back(key, value);
  }
  std::sort(labels.begin(), labels.end());
  return labels;
}

Time lock_end(const std::string& term, Time now) {
  if (const auto duration = parse_duration_ns(term); duration && *duration > 0 && *duration <= kLockMost_ns)
    return {now.ns + *duration};
  if (const auto time = parse_time(term); time && time->ns > now.ns && time->ns - now.ns <= kLockMost_ns) return *time;
  throw Error(ErrorCode::usage,
              say("--lock wants a term such as 180d, or a time to come, not \"{}\"", printable(term)));
}

ExitCode run(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  const bool hold = arguments.has("hold");
  const bool release = arguments.has("release");
  const bool lock = arguments.has("lock");
  const std::vector<std::string>& labels = arguments.values("label");
  if (!hold && !release && !lock && labels.empty())
    throw Error(ErrorCode::usage, std::string(tr("tag wants --label, --hold, --release or --lock")))
        .with_hint(say("see: {} --help", "qcbak tag"));
  if (hold && release) throw Error(ErrorCode::usage, std::string(tr("--hold and --release at once")));
  if (hold && arguments.text("hold").empty()) throw Error(ErrorCode::usage, std::string(tr("a hold wants a reason")));
  const std::string reason = require_utf8(hold ? arguments.text("hold") : arguments.text("reason"), tr("a reason"));
  const Time until = lock ? lock_end(arguments.text("lock"), invocation.clock.now()) : Time{};
  for (const std::string& label : labels) parse_label(label);

  Session session(invocation, Session::Keys::any);
  session.lock_for_writing();
  SnapshotFilter filter;
  filter.host = arguments.text("host");
  filter.path = arguments.text("path");
  filter.domain = arguments.text("domain");
  const SnapshotInfo snapshot = find_snapshot(session.repository(), arguments.operands().front(), filter);
  const repository::SnapshotId id = snapshot.header.id;
  const repository::WriteContext context = session.context(session.domain_of(snapshot));
  const auto append = [&](const LogEvent& event) { repository::append_log(context, [&] { return event; }); };
  if (release && snapshot.state.holds == 0)
    throw Error(ErrorCode::not_found, say("snapshot {} is not held", short_id(id.hex())));
  if (lock && snapshot.state.locked_until && until < *snapshot.state.locked_until)
    throw Error(ErrorCode::refused, say("snapshot {} is locked until {}, and a lock is never shortened",
                                        short_id(id.hex()), format_time(*snapshot.state.locked_until)));
  if (!labels.empty()) append(repository::Relabel{id, changed_labels(snapshot.header.labels, labels)});
  if (hold) append(repository::Hold{id, reason});
  if (release) append(repository::Release{id, reason});
  if (lock) append(repository::RetentionLock{id, until});

  const SnapshotInfo now = session.repository().snapshot(id);
  Output& output = invocation.output;
  if (output.json()) {
    Json shown = Json::object();
    for (const auto& [key, value] : now.header.labels) shown[key] = value;
    output.document(
        {{"id", id.hex()},
         {"labels", std::move(shown)},
         {"holds", now.state.holds > 0 ? Json::array({now.state.hold_reason}) : Json::array()},
         {"locked_until", now.state.locked_until ? Json(format_time(*now.state.locked_until)) : Json(nullptr)}});
    return ExitCode::done;
  }
  if (output.quiet()) return ExitCode::done;
  std::string text;
  for (const auto& [key, value] : now.header.labels) text += " " + printable(key + "=" + value);
  if (!text.empty()) output.line(say("labels:{}", text));
  if (now.state.holds > 0) output.line(say("held: {}", printable(now.state.hold_reason)));
  if (now.state.locked_until) output.line(say("locked until {}", format_time(*now.state.locked_until)));
  output.line(say("snapshot {}", short_id(id.hex())));
  return ExitCode::done;
}

}  // namespace

Command tag_command() {
  return {
      .name = "tag",
      .summary = "Label, hold, release or lock a snapshot",
      .description =
          "Changes what is noted of a snapshot. A held snapshot is not forgotten until it is released. A locked one is "
          "not forgotten before its term "
          "ends; nobody can shorten a lock. Everything is an entry of the log. A write credential is enough.",
      .operands = {"SNAPSHOT", 1, 1},
      .options =
          {
              {.name = "label",
               .value = "KEY=VALUE",
               .help = "set a label; KEY= takes it away; may be given several times",
               .times = Option::Times::many},
              {"hold", "REASON", "keep it until it is released"},
              {"release", "", "end the hold"},
              {"reason", "TEXT", "why it is released"},
              {"lock", "TERM", "keep it for this time (180d, 5y), or until this time (2031-01-01)"},
              {"host", "HOST", "narrows \"latest\""},
              {"path", "PATH", "narrows \"latest\""},
              {"domain", "NAME", "narrows \"latest\""},
          },
      .examples =
          {
              {"qcbak tag latest --label importance=high --lock 180d", "a label, and a lock of half a year"},
              {"qcbak tag 1f3a90c2 --hold 'incident 2026-11'", "kept until it is released"},
          },
      .run = run,
  };
}

}  // namespace qcbak::cli
