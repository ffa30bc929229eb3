#include "cli/progress_display.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "cli/messages.h"
#include "cli/output.h"
#include "cli/text.h"

namespace qcbak::cli {
namespace {

constexpr auto kRedraw = std::chrono::milliseconds(250);
constexpr auto kJsonLine = std::chrono::milliseconds(1000);
constexpr std::int64_t kShowAfter_ns = 1'000'000'000;

std::size_t terminal_columns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void write_error(std::string_view text) { static_cast<void>(!::write(STDERR_FILENO, text.data(), text.size())); }

}  // namespace

ProgressDisplay::ProgressDisplay(const Invocation& invocation, Progress& progress, std::string verb)
    : invocation_(invocation), progress_(progress), verb_(std::move(verb)) {
  if (invocation.output.progress_on_terminal() || invocation.output.progress_as_json())
    thread_ = std::jthread([this](std::stop_token stop) { run(std::move(stop)); });
}

ProgressDisplay::~ProgressDisplay() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
  if (drawn_) write_error("\r\x1b[K");
}

void ProgressDisplay::run(std::stop_token stop) {
  const std::int64_t start = invocation_.clock.monotonic_ns();
  const bool json = invocation_.output.progress_as_json();
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  for (;;) {
    wake.wait_for(lock, stop, json ? kJsonLine : kRedraw, [] { return false; });
    if (stop.stop_requested()) return;
    const std::int64_t elapsed = invocation_.clock.monotonic_ns() - start;
    try {
      if (json)
        write_json(elapsed);
      else if (elapsed >= kShowAfter_ns)
        draw(elapsed);
    } catch (...) {
      return;  // Nobody reads it any more. The command finds out by itself.
    }
  }
}

void ProgressDisplay::draw(std::int64_t elapsed_ns) {
  const std::uint64_t done = progress_.done_bytes;
  const std::uint64_t total = progress_.total_bytes;
  const std::uint64_t files = progress_.done_files;
  const double seconds = static_cast<double>(elapsed_ns) / 1e9;
  const double rate = static_cast<double>(done) / seconds;
  std::string line = verb_ + "  ";
  if (total > 0) {
    const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
    line += fmt::format("{:3.0f} %  {} / {}", share * 100, size_text(done), size_text(total));
  } else {
    line += size_text(done);
  }
  if (files > 0) line += "  " + counted(files, "{} file", "{} files");
  line += fmt::format("  {}/s", size_text(static_cast<std::uint64_t>(rate)));
  if (total > done && rate > 0) {
    const double left = static_cast<double>(total - done) / rate;
    line += "  " + say("{} left", duration_text(static_cast<std::int64_t>(left * 1e9)));
  }
  if (const std::uint64_t problems = progress_.problems; problems > 0)
    line += "  " + counted(problems, "{} problem", "{} problems");
  const std::string current = one_line(*progress_.current.lock());
  const std::size_t columns = terminal_columns();
  if (!current.empty() && display_width(line) + 8 < columns) line += "  " + current;
  write_error("\r" + cut_to_width(line, columns - 1) + "\x1b[K");
  drawn_ = true;
}

void ProgressDisplay::write_json(std::int64_t elapsed_ns) {
  Json line = {{"type", "progress"},
               {"bytes_done", progress_.done_bytes.load()},
               {"bytes_total", progress_.total_bytes.load()},
               {"files_done", progress_.done_files.load()},
               {"files_total", progress_.total_files.load()},
               {"problems", progress_.problems.load()},
               {"seconds", static_cast<double>(elapsed_ns) / 1e9}};
  const std::string current = *progress_.current.lock();
  if (!current.empty()) put_name(line, "current", current);
  invocation_.output.document(line);
  invocation_.output.flush();
}

}  // namespace qcbak::cli
