#include "cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "cli/messages.h"

namespace qcbak::cli {
namespace {

constexpr std::size_t kPendingLimit = 64U << 10;

// What kind of trouble it is, for readers of Vietnamese: what lies deeper speaks English only.
std::string_view lead(ErrorCode code) {
  switch (code) {
    case ErrorCode::usage: return "wrong usage";
    case ErrorCode::no_space: return "no space left";
    case ErrorCode::not_found: return "not found";
    case ErrorCode::damaged: return "damaged data";
    case ErrorCode::differs: return "not the same";
    case ErrorCode::refused: return "refused by policy";
    case ErrorCode::no_repository: return "no repository there";
    case ErrorCode::busy: return "the repository is in use";
    case ErrorCode::wrong_key: return "no key fits";
    case ErrorCode::interrupted: return "interrupted";
    case ErrorCode::failed:
    case ErrorCode::io:
    case ErrorCode::unsupported: break;
  }
  return "";
}

}  // namespace

void put_name(Json& object, std::string_view key, ByteView name) {
  object[std::string(key)] = as_text(name);
  if (!is_utf8(name)) object[std::string(key) + "_hex"] = to_hex(name);
}

std::string to_text(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

void Output::choose(bool json, bool quiet, bool progress) {
  json_ = json;
  quiet_ = quiet;
  progress_ = progress;
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  colour_ = !json && (no_colour == nullptr || *no_colour == '\0') && ::isatty(STDOUT_FILENO) == 1 &&
            terminal != nullptr && std::string_view(terminal) != "dumb";
  error_is_terminal_ = ::isatty(STDERR_FILENO) == 1;
}

std::string Output::styled(Style style, std::string_view text) const {
  if (!colour_ || style == Style::plain) return std::string(text);
  const std::string_view code = style == Style::heading ? "1"
                                : style == Style::good  ? "32"
                                : style == Style::bad   ? "31"
                                                        : "2";
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

void Output::write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EPIPE) throw OutputClosed();
    if (written < 0) throw_errno("write", "standard output");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void Output::write_pending() {
  const std::string text = std::move(pending_);
  pending_.clear();
  write(text);
}

void Output::line(std::string_view text) {
  if (stop_.stop_requested()) throw Error(ErrorCode::interrupted, std::string(tr("stopped on request")));
  const std::lock_guard lock(mutex_);
  pending_ += text;
  pending_ += '\n';
  if (pending_.size() >= kPendingLimit) write_pending();
}

void Output::table(const Table& table) {
  bool first = true;
  for (const std::string& row : table.lines()) {
    line(first ? styled(Style::heading, row) : row);
    first = false;
  }
}

void Output::bytes(ByteView bytes) {
  if (stop_.stop_requested()) throw Error(ErrorCode::interrupted, std::string(tr("stopped on request")));
  const std::lock_guard lock(mutex_);
  write_pending();
  write(as_text(bytes));
}

void Output::flush() {
  const std::lock_guard lock(mutex_);
  write_pending();
}

void JsonList::add(const Json& value) {
  if (!output_.json()) return;
  if (any_)
    output_.line(last_ + ",");
  else
    output_.line("[");
  last_ = to_text(value);
  any_ = true;
}

void JsonList::finish() {
  if (!output_.json()) return;
  if (any_)
    output_.line(last_ + "]");
  else
    output_.line("[]");
}

void Output::warn(std::string_view text) {
  const std::string line = fmt::format("{}: {}\n", program_, one_line(text));
  // Nothing can be done about a standard error that is gone.
  static_cast<void>(!::write(STDERR_FILENO, line.data(), line.size()));
}

void Output::error(const Error& error) {
  std::string text = translate_message(error.what());
  if (language() == Language::vietnamese && text == error.what())
    if (const std::string_view what = lead(error.code()); !what.empty()) text = fmt::format("{}: {}", tr(what), text);
  if (!error.hint().empty()) text += "; " + translate_message(error.hint());
  warn(text);
  if (!json_) return;
  const Json object = {{"type", "error"},
                       {"code", error_row(error.code()).name},
                       {"message", error.what()},
                       {"next", error.hint()},
                       {"exit_code", error.exit_code()}};
  const std::string line = to_text(object) + "\n";
  static_cast<void>(!::write(STDERR_FILENO, line.data(), line.size()));
}

}  // namespace qcbak::cli
