#include "cli/wipe_status_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <set>

#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/json.h"
#include "cli/text.h"
#include "wipe/plan.h"

namespace qcbak::cli {
namespace {

constexpr std::string_view kFormat = "qcbak wipe status 1";
constexpr std::int64_t kWindow_ns = 30'000'000'000;
constexpr std::int64_t kSecond_ns = 1'000'000'000;
constexpr std::size_t kTextLimit = 2048;  // in bytes
constexpr std::uint64_t kNumberLimit = (1ULL << 53) - 1;
constexpr std::array<std::string_view, 7> kStates{"inspected", "cleared",  "sanitising", "verifying",
                                                  "ended",     "given-up", "failed"};

[[noreturn]] void damaged(const char* what) { throw Error(ErrorCode::damaged, what); }

// The members of one object, each asked for exactly once.
class Members {
 public:
  explicit Members(const Json& json) : json_(json) {
    if (!json.is_object()) damaged("a status file is no object");
  }
  const Json& at(const char* name) {
    const auto found = json_.find(name);
    if (found == json_.end()) damaged("a status file lacks a member");
    ++asked_;
    return *found;
  }
  std::string text(const char* name) {
    const Json& value = at(name);
    if (!value.is_string() || value.get_ref<const std::string&>().size() > kTextLimit)
      damaged("a text of a status file is none, or too long");
    return value.get<std::string>();
  }
  std::uint64_t number(const char* name, std::uint64_t most = kNumberLimit) { return number_of(at(name), most); }
  std::optional<std::uint64_t> number_or_null(const char* name) {
    const Json& value = at(name);
    return value.is_null() ? std::nullopt : std::optional(number_of(value, kNumberLimit));
  }
  void finish() const {
    if (asked_ != json_.size()) damaged("a status file has a member too many");
  }

 private:
  static std::uint64_t number_of(const Json& value, std::uint64_t most) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > most)
      damaged("a number of a status file is none, or too large");
    return value.get<std::uint64_t>();
  }
  const Json& json_;
  std::size_t asked_ = 0;
};

// A name that stands there twice would be read as its last value, and by others as its first.
Json parse_json(ByteView file) {
  std::set<std::string> names;
  const auto once = [&](int, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::key && !names.insert(value.get<std::string>()).second)
      damaged("a status file has a member twice");
    return true;
  };
  const std::string_view text = as_text(file);
  try {
    return Json::parse(text.begin(), text.end(), once);
  } catch (const Json::exception&) {
    damaged("a status file is no JSON");
  }
}

JobState state_named(std::string_view name) {
  for (std::size_t i = 0; i < kStates.size(); ++i)
    if (kStates[i] == name) return static_cast<JobState>(i);
  damaged("a status file names no known state");
}

// Field 22 of a line whose second field is a name in brackets that may hold anything; nothing of a process that has ended.
std::optional<std::uint64_t> started_in(std::string_view stat) {
  const std::size_t name_end = stat.rfind(')');
  if (name_end == stat.npos || stat.size() < name_end + 4 || stat[name_end + 2] == 'Z' || stat[name_end + 2] == 'X')
    return std::nullopt;
  std::size_t at = name_end;
  for (int field = 2; field < 22 && at != stat.npos; ++field) at = stat.find(' ', at + 1);
  if (at == stat.npos) return std::nullopt;
  std::uint64_t since = 0;
  const auto [rest, error] = std::from_chars(stat.data() + at + 1, stat.data() + stat.size(), since);
  return error == std::errc() ? std::optional(since) : std::nullopt;
}

// Nothing where it cannot be seen.
std::optional<std::string> stat_of(pid_t pid) {
  constexpr std::size_t kLimit = 64U << 10;
  try {
    return to_string(read_file("/proc/" + std::to_string(pid) + "/stat", kLimit));
  } catch (const Error&) {
    return std::nullopt;
  }
}

// What is taken again as it is: one line of UTF-8 within the limit, cut between two characters.
std::string limited(std::string_view text) {
  std::string line = one_line(text.substr(0, kTextLimit));
  std::size_t end = std::min(line.size(), kTextLimit);
  while (end < line.size() && end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0U) == 0x80U) --end;
  return line.substr(0, end);
}

void write_new(const std::string& path, const std::string& text) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno("remove", path);
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) throw_errno("make", path);
  write_full(fd.get(), as_bytes(text), path);
  fd.close(path);
}

}  // namespace

std::string_view job_state_name(JobState state) { return kStates.at(static_cast<std::size_t>(state)); }

ProcessMark this_process() {
  const auto stat = stat_of(::getpid());
  const auto since = stat ? started_in(*stat) : std::nullopt;
  if (!since) throw Error(ErrorCode::io, "when this process began cannot be seen");
  return {::getpid(), *since};
}

bool is_running(const ProcessMark& process) {
  if (const auto stat = stat_of(process.pid)) return started_in(*stat) == process.started;
  return ::kill(process.pid, 0) == 0 || errno == EPERM;
}

std::string encode(const WipeStatus& status) {
  Json json = {{"format", kFormat},
               {"medium", status.medium},
               {"device", limited(status.device)},
               {"serial", limited(status.serial)},
               {"plan", limited(status.plan)},
               {"state", job_state_name(status.state)},
               {"verdict", limited(status.verdict)},
               {"reason", limited(status.reason)},
               {"step", status.step},
               {"steps", status.steps},
               {"done_bytes", status.done_bytes},
               {"total_bytes", status.total_bytes},
               {"bytes_per_second", status.bytes_per_second},
               {"seconds_left", nullptr},
               {"errors", status.errors},
               {"pid", status.process.pid},
               {"pid_started", status.process.started}};
  if (status.seconds_left) json["seconds_left"] = *status.seconds_left;
  return to_text(json) + "\n";
}

WipeStatus parse_wipe_status(ByteView file) {
  if (file.size() > kStatusFileLimit) damaged("a status file is too long");
  const Json json = parse_json(file);
  Members members(json);
  if (members.text("format") != kFormat) damaged("a status file has another format");
  WipeStatus status;
  status.medium = members.number("medium");
  status.device = members.text("device");
  status.serial = members.text("serial");
  status.plan = members.text("plan");
  status.state = state_named(members.text("state"));
  status.verdict = members.text("verdict");
  status.reason = members.text("reason");
  status.step = members.number("step", wipe::kPlanStepLimit);
  status.steps = members.number("steps", wipe::kPlanStepLimit);
  status.done_bytes = members.number("done_bytes");
  status.total_bytes = members.number("total_bytes");
  status.bytes_per_second = members.number("bytes_per_second");
  status.seconds_left = members.number_or_null("seconds_left");
  status.errors = members.number("errors");
  status.process.pid = static_cast<pid_t>(members.number("pid", 1U << 30));
  status.process.started = members.number("pid_started");
  members.finish();
  if (status.process.pid == 0) damaged("a status file names no process");
  return status;
}

void Pace::take(std::uint64_t done_bytes, std::int64_t now_ns) {
  // A step that begins anew counts backwards.
  if (!samples_.empty() && done_bytes < samples_.back().done_bytes) samples_.clear();
  if (!samples_.empty() && now_ns < samples_.back().time_ns + kSecond_ns) return;
  samples_.push_back({now_ns, done_bytes});
  while (samples_.size() > 2 && samples_[1].time_ns + kWindow_ns <= now_ns) samples_.pop_front();
}

std::uint64_t Pace::bytes_per_second() const {
  if (samples_.size() < 2) return 0;
  const double seconds = static_cast<double>(samples_.back().time_ns - samples_.front().time_ns) / 1e9;
  return static_cast<std::uint64_t>(static_cast<double>(samples_.back().done_bytes - samples_.front().done_bytes) /
                                    seconds);
}

bool StatusFile::is_due(std::int64_t now_ns) const { return !told_ns_ || now_ns >= *told_ns_ + kSecond_ns; }

bool StatusFile::tell(const WipeStatus& status, std::int64_t now_ns) try {
  told_ns_ = now_ns;
  const std::string written = path_ + ".new";
  write_new(written, encode(status));
  if (std::rename(written.c_str(), path_.c_str()) != 0) throw_errno("rename", written);
  return true;
} catch (const Error&) {
  return false;
}

}  // namespace qcbak::cli
