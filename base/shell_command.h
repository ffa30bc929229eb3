// A command of the shell, run for what it prints.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/stop_event.h"
#include "base/unique_fd.h"

namespace qcbak {

class ShellCommand {
 public:
  // Starts `/bin/sh -c command` in a session of its own, so without a terminal: nothing on its standard input, its standard
  // error is this process's, its signals are as usual, and it inherits no other descriptor.
  explicit ShellCommand(const std::string& command);
  // Ends what is left of the command and of all that it started, whatever session that is in: asks (SIGTERM), and after
  // five seconds kills. Comes back when they are gone. The same happens when this process ends, however it does.
  ~ShellCommand();
  ShellCommand(const ShellCommand&) = delete;
  ShellCommand& operator=(const ShellCommand&) = delete;

  struct Ending {
    enum class Kind { exited, killed, unknown } kind = Kind::unknown;
    int number = 0;  // exit status, or signal
    bool good() const { return kind == Kind::exited && number == 0; }
    std::string text() const;  // "ended with exit status 3"
  };
  // What it prints next: fewer bytes than asked for only where everybody who could print closed the output, or the command
  // ended badly. Both throw Error(interrupted) when a stop is requested.
  std::size_t read(MutableByteView into, const StopEvent& stop);
  Ending wait(const StopEvent& stop);

 private:
  bool wait_for_output(const StopEvent& stop);
  void note_ending();

  UniqueFd output_;
  UniqueFd status_;   // one wait status comes
  UniqueFd control_;  // closed: end everything
  pid_t supervisor_ = -1;
  std::optional<Ending> ending_;
};

}  // namespace qcbak
