// What the daemon says of itself: a line on standard error, which systemd takes to the journal with its level.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace qcbak::daemon {

enum class Level { error = 3, warning = 4, info = 6 };
// One line, whatever is in the text. Thread-safe.
void say(Level level, std::string_view text);

// An act that is entry `number` of the repository's log. Under systemd it goes to the journal with the fields QCBAK_ACT and
// QCBAK_ENTRY; elsewhere nothing is done: the log has it.
void say_act(std::uint64_t number, const std::string& act, const std::string& json);

}  // namespace qcbak::daemon
