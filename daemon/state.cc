#include "daemon/state.h"

#include <array>

#include "base/error.h"

namespace qcbak::daemon {
namespace {

constexpr std::int64_t kSchemaVersion = 1;

constexpr const char* kSchema = R"(
CREATE TABLE IF NOT EXISTS jobs (
  name       TEXT PRIMARY KEY,
  handled_ns INTEGER NOT NULL,
  known_ns   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
  id         TEXT PRIMARY KEY,
  job        TEXT NOT NULL,
  reason     TEXT NOT NULL,
  slot_ns    INTEGER,
  tries      INTEGER NOT NULL,
  failures   INTEGER NOT NULL,
  asked_by   TEXT NOT NULL,
  started_ns INTEGER NOT NULL,
  ended_ns   INTEGER,
  outcome    TEXT,
  snapshot   TEXT NOT NULL DEFAULT '',
  error      TEXT NOT NULL DEFAULT '',
  summary    TEXT NOT NULL DEFAULT '',
  UNIQUE (job, slot_ns, tries)
) STRICT;
CREATE INDEX IF NOT EXISTS runs_by_start ON runs (job, started_ns);
CREATE INDEX IF NOT EXISTS runs_unfinished ON runs (id) WHERE outcome IS NULL;
)";

constexpr std::string_view kColumns =
    "id, job, reason, slot_ns, tries, failures, asked_by, started_ns, ended_ns, outcome, snapshot, error, summary";

constexpr std::array<std::string_view, 3> kReasons = {"schedule", "change", "request"};
constexpr std::array<std::string_view, 6> kOutcomes = {"complete", "incomplete",  "unchanged",
                                                       "failed",   "interrupted", "cancelled"};

template <class Value, std::size_t size>
Value value_of(const std::array<std::string_view, size>& names, std::string_view name) {
  for (std::size_t i = 0; i < size; ++i)
    if (names[i] == name) return static_cast<Value>(i);
  throw Error(ErrorCode::damaged, "\"" + std::string(name) + "\" is neither a reason nor an outcome");
}

std::optional<std::int64_t> ns(const std::optional<Time>& time) {
  if (!time) return std::nullopt;
  return time->ns;
}

std::optional<Time> time(const std::optional<std::int64_t>& ns) {
  if (!ns) return std::nullopt;
  return Time{*ns};
}

// The columns in their order, up to when it started …
Statement& bind_beginning(Statement& statement, const Run& run) {
  return statement.bind(run.id)
      .bind(run.job)
      .bind(name_of(run.reason))
      .bind(ns(run.slot))
      .bind(run.tries)
      .bind(run.failures)
      .bind(run.asked_by)
      .bind(run.started.ns);
}

// … and from there on.
Statement& bind_end(Statement& statement, const Run& run) {
  check(run.ended && run.outcome, "a run that ends has an outcome");
  return statement.bind(run.ended->ns).bind(name_of(*run.outcome)).bind(run.snapshot).bind(run.error).bind(run.summary);
}

Run read(const Statement& row) {
  Run run;
  run.id = row.text(0);
  run.job = row.text(1);
  run.reason = reason_from(row.text(2));
  run.slot = time(row.maybe_integer(3));
  run.tries = row.integer(4);
  run.failures = row.integer(5);
  run.asked_by = row.text(6);
  run.started = Time{row.integer(7)};
  run.ended = time(row.maybe_integer(8));
  if (!row.is_null(9)) run.outcome = outcome_from(row.text(9));
  run.snapshot = row.text(10);
  run.error = row.text(11);
  run.summary = row.text(12);
  return run;
}

std::vector<Run> read_all(Statement rows) {
  std::vector<Run> runs;
  while (rows.step()) runs.push_back(read(rows));
  return runs;
}

std::optional<Run> read_one(Statement rows) {
  if (!rows.step()) return std::nullopt;
  return read(rows);
}

std::string select(std::string_view rest) {
  return "SELECT " + std::string(kColumns) + " FROM runs " + std::string(rest);
}

}  // namespace

std::string_view name_of(Reason reason) { return kReasons[static_cast<std::size_t>(reason)]; }
std::string_view name_of(Outcome outcome) { return kOutcomes[static_cast<std::size_t>(outcome)]; }

Reason reason_from(std::string_view name) { return value_of<Reason>(kReasons, name); }
Outcome outcome_from(std::string_view name) { return value_of<Outcome>(kOutcomes, name); }

State::State(const std::string& path) : database_(path) {
  Statement version = database_.prepare("PRAGMA user_version");
  version.step();
  if (version.integer(0) > kSchemaVersion)
    throw Error(ErrorCode::unsupported, "state database: it was written by a newer version of qcbak");
  database_.transaction([&] {
    database_.execute(kSchema);
    database_.execute(("PRAGMA user_version = " + std::to_string(kSchemaVersion)).c_str());
  });
}

bool State::empty() {
  return !database_.prepare("SELECT 1 FROM jobs UNION ALL SELECT 1 FROM runs LIMIT 1").step();
}

std::optional<Time> State::handled(const std::string& job) {
  Statement row = database_.prepare("SELECT handled_ns FROM jobs WHERE name = ?");
  if (!row.bind(job).step()) return std::nullopt;
  return Time{row.integer(0)};
}

void State::set_handled(const std::string& job, Time slot) {
  database_
      .prepare("INSERT INTO jobs (name, handled_ns, known_ns) VALUES (?1, ?2, ?2) "
               "ON CONFLICT (name) DO UPDATE SET handled_ns = excluded.handled_ns")
      .bind(job)
      .bind(slot.ns)
      .run();
}

bool State::begin(const Run& run) {
  bool begun = false;
  database_.transaction([&] {
    if (run.slot) {
      Statement same = database_.prepare("SELECT id FROM runs WHERE job = ? AND slot_ns = ? AND tries = ?");
      if (same.bind(run.job).bind(run.slot->ns).bind(run.tries).step()) return;
      set_handled(run.job, *run.slot);
    }
    Statement insert = database_.prepare(
        "INSERT INTO runs (id, job, reason, slot_ns, tries, failures, asked_by, started_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    bind_beginning(insert, run).run();
    begun = true;
  });
  return begun;
}

void State::end(const Run& run) {
  Statement update = database_.prepare(
      "UPDATE runs SET ended_ns = ?, outcome = ?, snapshot = ?, error = ?, summary = ? WHERE id = ?");
  bind_end(update, run).bind(run.id).run();
}

void State::recall(const Run& run) {
  Statement insert = database_.prepare("INSERT OR IGNORE INTO runs (" + std::string(kColumns) +
                                       ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  bind_end(bind_beginning(insert, run), run).run();
}

std::vector<Run> State::unfinished() {
  return read_all(database_.prepare(select("WHERE outcome IS NULL ORDER BY started_ns")));
}

std::optional<Run> State::run(const std::string& id) {
  constexpr std::size_t kDigitsLeast = 8;
  if (id.size() < kDigitsLeast) return std::nullopt;
  Statement rows = database_.prepare(select("WHERE substr(id, 1, ?) = ? LIMIT 2"));
  rows.bind(static_cast<std::int64_t>(id.size())).bind(id);
  std::vector<Run> found = read_all(std::move(rows));
  if (found.size() != 1) return std::nullopt;
  return std::move(found.front());
}

std::optional<Run> State::last(const std::string& job) {
  Statement rows = database_.prepare(select("WHERE job = ? ORDER BY started_ns DESC, tries DESC LIMIT 1"));
  rows.bind(job);
  return read_one(std::move(rows));
}

std::optional<Run> State::last_success(const std::string& job) {
  Statement rows = database_.prepare(
      select("WHERE job = ? AND outcome IN ('complete', 'incomplete', 'unchanged') ORDER BY started_ns DESC LIMIT 1"));
  rows.bind(job);
  return read_one(std::move(rows));
}

std::optional<Run> State::last_verdict(const std::string& job) {
  Statement rows = database_.prepare(
      select("WHERE job = ? AND outcome IN ('complete', 'incomplete', 'unchanged', 'failed') ORDER BY started_ns DESC LIMIT 1"));
  rows.bind(job);
  return read_one(std::move(rows));
}

std::optional<Run> State::last_commit(const std::string& job) {
  Statement rows = database_.prepare(select("WHERE job = ? AND snapshot <> '' ORDER BY started_ns DESC LIMIT 1"));
  rows.bind(job);
  return read_one(std::move(rows));
}

std::optional<Time> State::first_known(const std::string& job) {
  Statement row = database_.prepare("SELECT known_ns FROM jobs WHERE name = ?");
  if (!row.bind(job).step()) return std::nullopt;
  return Time{row.integer(0)};
}

std::vector<Run> State::history(const std::string& job, std::int64_t limit) {
  Statement rows = database_.prepare(select("WHERE job = ? ORDER BY started_ns DESC, tries DESC LIMIT ?"));
  rows.bind(job).bind(limit);
  return read_all(std::move(rows));
}

}  // namespace qcbak::daemon
