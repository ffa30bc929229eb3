// From argv to a command and its arguments. The only part that knows CLI11.
#pragma once

#include <string>

#include "cli/command.h"

namespace qcbak::cli {

struct Parsed {
  const Command* command = nullptr;  // nothing: only help or the version was asked for
  Arguments arguments;
  bool help = false;
  std::string help_on;  // "backup", "key": what help was asked for; empty: the program
  bool version = false;
};

// Error(usage), with the nearest name where one comes near.
Parsed parse(const Program& program, int argc, const char* const* argv);

// Whether --json is among the words, known even when the rest is wrong.
bool asks_for_json(int argc, const char* const* argv);

}  // namespace qcbak::cli
