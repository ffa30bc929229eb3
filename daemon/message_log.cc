#include "daemon/message_log.h"

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/error.h"

namespace qcbak::daemon {

namespace {

bool under_systemd() {
  static const bool under = std::getenv("JOURNAL_STREAM") != nullptr;
  return under;
}

}  // namespace

void say_act(std::uint64_t number, const std::string& act, const std::string& json) {
  if (!under_systemd()) return;
  constexpr int kNotice = 5;
  const int result = sd_journal_send("MESSAGE=%s", json.c_str(), "PRIORITY=%i", kNotice, "QCBAK_ACT=%s", act.c_str(),
                                     "QCBAK_ENTRY=%llu", static_cast<unsigned long long>(number), nullptr);
  // The entry itself is durable in the log: a journal that cannot be written must not stop the work.
  if (result < 0) say(Level::warning, "entry " + std::to_string(number) + " of the log is not in the journal: " + errno_text(-result));
}

void say(Level level, std::string_view text) {
  std::string line = under_systemd() ? "<" + std::to_string(static_cast<int>(level)) + ">" : "qcbakd: ";
  for (const char c : text) line.push_back(static_cast<unsigned char>(c) < ' ' || c == '\x7F' ? '?' : c);
  line.push_back('\n');
  // A log that cannot be written must not stop the work.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace qcbak::daemon
