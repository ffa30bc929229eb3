#include "daemon/message_log.h"

#include <unistd.h>

#include <cstdlib>
#include <string>

namespace qcbak::daemon {

void say(Level level, std::string_view text) {
  static const bool to_journal = std::getenv("JOURNAL_STREAM") != nullptr;
  std::string line = to_journal ? "<" + std::to_string(static_cast<int>(level)) + ">" : "qcbakd: ";
  for (const char c : text) line.push_back(static_cast<unsigned char>(c) < ' ' || c == '\x7F' ? '?' : c);
  line.push_back('\n');
  // A log that cannot be written must not stop the work.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace qcbak::daemon
