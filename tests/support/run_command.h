// Running the programs that tests check against.
#pragma once

#include <string>
#include <vector>

namespace qcbak::tests {

struct CommandResult {
  int status = 0;      // exit status, or 128 + the signal that ended it
  std::string output;  // standard output and standard error, as they came
};
// Searches PATH; standard input is empty. Throws Error when the program cannot be started.
CommandResult run_command(const std::vector<std::string>& arguments);
// The output; throws Error with it unless the status is 0.
std::string run_or_throw(const std::vector<std::string>& arguments);

}  // namespace qcbak::tests
