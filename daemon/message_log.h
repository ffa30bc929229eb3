// What the daemon says of itself: a line on standard error, which systemd takes to the journal with its level.
#pragma once

#include <string_view>

namespace qcbak::daemon {

enum class Level { error = 3, warning = 4, info = 6 };
// One line, whatever is in the text. Thread-safe.
void say(Level level, std::string_view text);

}  // namespace qcbak::daemon
