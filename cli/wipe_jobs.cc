#include "cli/wipe_jobs.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <set>

#include "base/error.h"
#include "cli/messages.h"
#include "cli/new_file.h"
#include "cli/output.h"
#include "cli/text.h"
#include "cli/wipe_status_file.h"
#include "wipe/journal.h"
#include "wipe/plan.h"

namespace qcbak::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kJobLimit = 4096;
constexpr auto kBetweenLooks = std::chrono::seconds(1);
constexpr std::string_view kJournal = ".journal", kStatus = ".journal.status";

// What is shown of a job.
struct Job {
  std::string journal;
  WipeStatus status;
  enum class Source { status_file, journal } source = Source::status_file;
  enum class Process { running, gone, unknown } process = Process::gone;
};

bool is_interrupted(const Job& job) { return job.process == Job::Process::gone && !is_end(job.status.state); }
bool is_at_work(const Job& job) { return job.process == Job::Process::running && !is_end(job.status.state); }
bool is_good(const Job& job) { return job.status.verdict == "purge" || job.status.verdict.starts_with("clear"); }

// ---- Which jobs there are

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// NAME.journal and NAME.N.journal are of the bundle NAME; of any where none is named.
bool is_of(const std::string& stem, const std::string& bundle) {
  if (bundle.empty() || stem == bundle) return true;
  return stem.starts_with(bundle + ".") && is_number(std::string_view(stem).substr(bundle.size() + 1));
}

std::optional<std::string> journal_named(const fs::path& path) {
  const std::string text = path.string();
  if (text.ends_with(kJournal)) return text;
  if (text.ends_with(kStatus)) return text.substr(0, text.size() - kStatus.size() + kJournal.size());
  return std::nullopt;
}

void add_journals(const fs::path& folder, const std::string& bundle, std::set<std::string>& journals) {
  std::error_code error;
  const fs::path readable = folder.empty() ? "." : folder;
  for (fs::directory_iterator at(readable, error), end; !error && at != end; at.increment(error)) {
    const auto name = journal_named(at->path().filename());
    if (!name || !is_of(name->substr(0, name->size() - kJournal.size()), bundle)) continue;
    std::error_code not_seen;
    if (!at->is_regular_file(not_seen)) continue;
    journals.insert((folder / *name).string());
    if (journals.size() > kJobLimit)
      throw Error(ErrorCode::refused, say("there are more than {} jobs in {}", kJobLimit, one_line(folder.string())))
          .with_hint(std::string(tr("name a bundle instead of its folder")));
  }
  if (error && error != std::errc::no_such_file_or_directory && error != std::errc::not_a_directory)
    throw_errno("read", printable(readable.string()), error.value());
}

std::set<std::string> journals_named(const std::string& operand) {
  std::set<std::string> journals;
  std::error_code error;
  const fs::path path(operand);
  if (fs::is_directory(path, error))
    add_journals(path, "", journals);
  else if (const auto journal = journal_named(path); journal && (exists(*journal) || exists(status_file_of(*journal))))
    journals.insert(*journal);
  else
    add_journals(path.parent_path(), path.filename().string(), journals);
  return journals;
}

std::set<std::string> journals_of(const std::vector<std::string>& operands) {
  std::set<std::string> journals;
  for (const std::string& operand : operands) {
    const std::set<std::string> found = journals_named(operand);
    if (found.empty())
      throw Error(ErrorCode::not_found, say("no wipe is known beside or in {}", one_line(operand)))
          .with_hint(std::string(tr("name the file that \"wipe run\" was given with -o, or its folder")));
    journals.insert(found.begin(), found.end());
  }
  return journals;
}

// ---- What is known of one

std::string shown(std::string_view text) { return one_line(text); }

WipeStatus status_from(const wipe::JournalContent& journal) {
  const wipe::Plan plan = wipe::plan_of(journal.beginning.plan_document);
  const wipe::Progress progress = journal.progress.value_or(wipe::Progress{});
  WipeStatus status;
  status.serial = shown(journal.beginning.identity.serial);
  status.plan = plan.name;
  status.step = progress.steps.size();
  status.steps = plan.steps.size();
  std::uint64_t size = journal.beginning.size_bytes;
  std::size_t ended = 0;
  for (const wipe::StepProgress& step : progress.steps) {
    size = step.size_bytes.value_or(size);
    status.done_bytes += step.ended ? size : std::min(step.watermark, size);
    status.errors += step.errors;
    ended += step.ended ? 1 : 0;
  }
  status.total_bytes = size * status.steps;
  status.state = ended == status.steps ? JobState::ended : JobState::sanitising;
  return status;
}

void read_journal(Job& job) {
  job.source = Job::Source::journal;
  job.process = Job::Process::unknown;
  job.status = in_context(shown(job.journal), [&] {
    return status_from(wipe::parse_journal(read_file(job.journal, wipe::kJournalLimit)));
  });
}

bool is_file(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

Job job_of(const std::string& journal) {
  Job job;
  job.journal = journal;
  const std::string path = status_file_of(journal);
  if (!is_file(path)) return read_journal(job), job;
  job.status = in_context(shown(path), [&] { return parse_wipe_status(read_file(path, kStatusFileLimit)); });
  job.process = is_running(job.status.process) ? Job::Process::running : Job::Process::gone;
  return job;
}

// Where the status file is no such file, the journal still says how far it came.
std::optional<Job> job_or_warning(Output& output, const std::string& journal, std::set<std::string>& warned) {
  try {
    return job_of(journal);
  } catch (const Error& error) {
    if (warned.insert(journal).second) output.warn(translate_message(error.what()));
  }
  if (!is_file(journal)) return std::nullopt;
  Job job;
  job.journal = journal;
  try {
    read_journal(job);
    return job;
  } catch (const Error&) {
    return std::nullopt;  // That one is damaged too, or was said already.
  }
}

std::vector<Job> look(const Invocation& invocation, std::set<std::string>& warned) {
  std::vector<Job> jobs;
  for (const std::string& journal : journals_of(invocation.arguments.operands()))
    if (auto job = job_or_warning(invocation.output, journal, warned)) jobs.push_back(std::move(*job));
  std::ranges::stable_sort(jobs, {}, [](const Job& job) { return job.status.medium; });
  if (jobs.empty())
    throw Error(ErrorCode::not_found, std::string(tr("nothing that is there can be read")))
        .with_hint(std::string(tr("the bundle says what was done: qcbak wipe certificate FILE")));
  return jobs;
}

// ---- How it is shown

// What it is called in JSON, too.
std::string_view state_of(const Job& job) {
  if (is_interrupted(job)) return "interrupted";
  if (job.process == Job::Process::unknown) return is_end(job.status.state) ? "all-steps-done" : "unknown";
  return job_state_name(job.status.state);
}

std::string state_text(const Job& job) {
  if (job.status.state == JobState::ended && !job.status.verdict.empty()) return shown(job.status.verdict);
  const std::string_view state = state_of(job);
  if (state == "interrupted") return std::string(tr("interrupted"));
  if (state == "all-steps-done") return std::string(tr("all steps done"));
  if (state == "unknown") return std::string(tr("not known"));
  switch (job.status.state) {
    case JobState::inspected: return std::string(tr("inspected"));
    case JobState::cleared: return std::string(tr("waiting"));
    case JobState::sanitising: return std::string(tr("sanitising"));
    case JobState::verifying: return std::string(tr("verifying"));
    case JobState::given_up: return std::string(tr("given up"));
    default: return std::string(tr("failed"));
  }
}

Output::Style style_of(const Job& job) {
  if (job.status.state == JobState::ended)
    return is_good(job) ? Output::Style::good : job.status.verdict.empty() ? Output::Style::plain : Output::Style::bad;
  return is_end(job.status.state) || is_interrupted(job) ? Output::Style::bad : Output::Style::plain;
}

std::uint64_t percent_of(const WipeStatus& status) {
  if (status.state == JobState::ended) return 100;
  if (status.total_bytes == 0) return 0;
  const double share = static_cast<double>(status.done_bytes) / static_cast<double>(status.total_bytes);
  return static_cast<std::uint64_t>(std::min(share, 1.0) * 100);
}

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

std::string device_text(const WipeStatus& status) {
  constexpr std::string_view kFolder = "/dev/";
  return or_dash(shown(status.device.starts_with(kFolder) ? status.device.substr(kFolder.size()) : status.device));
}

// How narrow it has to be; each leaves out more than the one before.
enum class Detail { all, short_serial, no_plan, no_rate };

std::string serial_text(const WipeStatus& status, Detail detail) {
  constexpr std::size_t kShown = 6;  // of which --confirm speaks
  const std::string serial = shown(status.serial);
  if (detail == Detail::all || serial.size() <= kShown + 1 || !is_utf8(as_bytes(serial.substr(serial.size() - kShown))))
    return or_dash(serial);
  return "…" + serial.substr(serial.size() - kShown);
}

std::vector<std::string> cells_of(const Job& job, Detail detail) {
  const WipeStatus& status = job.status;
  const bool moves = is_at_work(job) && status.bytes_per_second > 0;
  std::vector<std::string> cells{status.medium == 0 ? "-" : std::to_string(status.medium), device_text(status),
                                 serial_text(status, detail)};
  if (detail < Detail::no_plan) cells.push_back(or_dash(shown(status.plan)));
  cells.insert(cells.end(), {state_text(job), fmt::format("{}/{}", status.step, status.steps),
                             fmt::format("{} %", percent_of(status))});
  if (detail < Detail::no_rate) cells.push_back(moves ? size_text(status.bytes_per_second) + "/s" : "-");
  cells.push_back(moves && status.seconds_left ? duration_text(static_cast<std::int64_t>(std::min<std::uint64_t>(
                                                                   *status.seconds_left, 1U << 30)) *
                                                               1'000'000'000)
                                               : "-");
  cells.push_back(std::to_string(status.errors));
  return cells;
}

std::vector<std::string> table_of(const std::vector<Job>& jobs, Detail detail) {
  constexpr auto kRight = Table::Align::right;
  std::vector<Table::Column> columns{{"#", kRight}, {std::string(tr("DISK"))}, {std::string(tr("SERIAL"))}};
  if (detail < Detail::no_plan) columns.push_back({std::string(tr("PLAN"))});
  columns.insert(columns.end(),
                 {{std::string(tr("STATE"))}, {std::string(tr("STEP")), kRight}, {std::string(tr("DONE")), kRight}});
  if (detail < Detail::no_rate) columns.push_back({std::string(tr("RATE")), kRight});
  columns.insert(columns.end(), {{std::string(tr("LEFT")), kRight}, {std::string(tr("ERRORS")), kRight}});
  Table table(std::move(columns));
  for (const Job& job : jobs) table.add(cells_of(job, detail));
  return table.lines();
}

std::size_t widest(const std::vector<std::string>& lines) {
  std::size_t width = 0;
  for (const std::string& line : lines) width = std::max(width, display_width(line));
  return width;
}

struct Screen {
  std::size_t columns = 0;  // 0: no terminal
  std::size_t rows = 0;
};

Screen screen() {
  winsize size{};
  if (::isatty(STDOUT_FILENO) != 1) return {};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {80, 24};
  return {size.ws_col, size.ws_row};
}

std::vector<std::string> table_for(const std::vector<Job>& jobs, std::size_t columns) {
  for (const Detail detail : {Detail::all, Detail::short_serial, Detail::no_plan}) {
    std::vector<std::string> lines = table_of(jobs, detail);
    if (columns == 0 || widest(lines) < columns) return lines;
  }
  return table_of(jobs, Detail::no_rate);
}

struct Line {
  Output::Style style;
  std::string text;
};

std::string reason_text(const Job& job) {
  if (job.status.state != JobState::given_up) return translate_message(shown(job.status.reason));
  return std::string(job.status.reason == "hung" ? tr("the disk did not answer any more")
                                                 : tr("the disk had become too slow"));
}

// What became of it, where the table has no room for it.
void add_notes(const std::vector<Job>& jobs, std::vector<Line>& lines) {
  for (const Job& job : jobs)
    if (!job.status.reason.empty() && !is_good(job))
      lines.push_back({Output::Style::bad, say("medium {}: {}", job.status.medium, reason_text(job))});
  if (std::ranges::any_of(jobs, is_interrupted))
    lines.push_back({Output::Style::plain,
                     std::string(tr("interrupted: go on with the same command, \"wipe run\" or \"wipe resume\""))});
  if (std::ranges::any_of(jobs, [](const Job& job) { return job.source == Job::Source::journal; }))
    lines.push_back({Output::Style::plain, std::string(tr("without a device: only the journal says how far it came"))});
}

std::vector<Line> lines_of(const std::vector<Job>& jobs, const Screen& on) {
  std::vector<Line> lines;
  const std::vector<std::string> table = table_for(jobs, on.columns);
  for (std::size_t i = 0; i < table.size(); ++i)
    lines.push_back({i == 0 ? Output::Style::heading : style_of(jobs[i - 1]), table[i]});
  add_notes(jobs, lines);
  return lines;
}

void tell_as_text(Output& output, const std::vector<Job>& jobs, const Screen& on) {
  for (const Line& line : lines_of(jobs, on)) output.line(output.styled(line.style, line.text));
}

Json json_of(const Job& job) {
  const WipeStatus& status = job.status;
  Json json = {{"journal", nullptr},
               {"medium", nullptr},
               {"device", status.device},
               {"serial", status.serial},
               {"plan", status.plan},
               {"state", state_of(job)},
               {"verdict", status.verdict},
               {"reason", status.reason},
               {"step", status.step},
               {"steps", status.steps},
               {"done_bytes", status.done_bytes},
               {"total_bytes", status.total_bytes},
               {"bytes_per_second", is_at_work(job) ? status.bytes_per_second : 0},
               {"seconds_left", nullptr},
               {"errors", status.errors},
               {"from", job.source == Job::Source::journal ? "journal" : "status-file"}};
  put_name(json, "journal", job.journal);
  if (status.medium != 0) json["medium"] = status.medium;
  if (is_at_work(job) && status.seconds_left) json["seconds_left"] = *status.seconds_left;
  return json;
}

void tell_as_json(Output& output, const std::vector<Job>& jobs) {
  JsonList list(output);
  for (const Job& job : jobs) list.add(json_of(job));
  list.finish();
}

// ---- Watching

// Draws over what it drew last, in one write, each line cut to the terminal: so nothing flickers or wraps.
class Redrawn {
 public:
  explicit Redrawn(Output& output) : output_(output) {}

  void show(const std::vector<Job>& jobs) {
    const Screen on = screen();
    std::vector<Line> lines = lines_of(jobs, on);
    if (lines.size() + 1 > on.rows && on.rows > 2) {
      const std::size_t left_out = lines.size() - (on.rows - 2);
      lines.resize(on.rows - 2);
      lines.push_back({Output::Style::faint, say("and {} lines more", left_out)});
    }
    std::string frame = drawn_ > 0 ? fmt::format("\x1b[{}A", drawn_) : "";
    for (const Line& line : lines)
      frame += "\r" + output_.styled(line.style, cut_to_width(line.text, on.columns - 1)) + "\x1b[K\n";
    drawn_ = lines.size();
    output_.bytes(as_bytes(frame + "\x1b[J"));
  }

 private:
  Output& output_;
  std::size_t drawn_ = 0;
};

// One line for each job that is in another state, at another step, or has more errors than before.
class Changes {
 public:
  explicit Changes(Output& output) : output_(output) {}

  void show(const std::vector<Job>& jobs) {
    for (const Job& job : jobs) {
      const std::string now = fmt::format("{} {} {}", state_of(job), job.status.step, job.status.errors);
      std::string& last = last_[job.journal];
      if (now == last) continue;
      last = now;
      if (output_.json())
        output_.document(json_of(job));
      else
        output_.line(text_of(job));
    }
    output_.flush();
  }

 private:
  static std::string text_of(const Job& job) {
    const WipeStatus& status = job.status;
    return say("medium {}, {}, serial {}: {}, step {} of {}, {} %, {} errors", status.medium, device_text(status),
               or_dash(shown(status.serial)), state_text(job), status.step, status.steps, percent_of(status),
               status.errors);
  }
  Output& output_;
  std::map<std::string, std::string> last_;
};

void wait_for_next_look(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_for(lock, stop, kBetweenLooks, [] { return false; });
}

// Until nobody works on any of them, or whoever looks has seen enough.
template <class Display>
void watch(const Invocation& invocation, Display display) try {
  std::set<std::string> warned;
  for (;;) {
    const std::vector<Job> jobs = look(invocation, warned);
    display.show(jobs);
    if (std::ranges::none_of(jobs, is_at_work)) return;
    wait_for_next_look(invocation.stop);
    if (invocation.stop.stop_requested()) return;
  }
} catch (const Error& error) {
  if (error.code() != ErrorCode::interrupted) throw;
}

// Of what may be meant otherwise: where nothing can be read, there is nothing of that name.
bool has_jobs(const std::string& operand) try {
  return exists(operand) || !journals_named(operand).empty();
} catch (const Error&) {
  return false;
}

}  // namespace

bool names_jobs(const std::vector<std::string>& operands) {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (operands.size() != 1 || !std::ranges::all_of(operands.front(), is_digit)) return !operands.empty();
  return has_jobs(operands.front());
}

ExitCode show_jobs(const Invocation& invocation) {
  Output& output = invocation.output;
  if (invocation.arguments.has("watch")) {
    if (screen().columns > 0 && !output.json())
      watch(invocation, Redrawn(output));
    else
      watch(invocation, Changes(output));
    return ExitCode::done;
  }
  std::set<std::string> warned;
  const std::vector<Job> jobs = look(invocation, warned);
  if (output.json())
    tell_as_json(output, jobs);
  else
    tell_as_text(output, jobs, screen());
  return ExitCode::done;
}

}  // namespace qcbak::cli
