// Shows how far a verb is while it runs: a line on the terminal, or JSON Lines.
#pragma once

#include <string>
#include <thread>

#include "backup/progress.h"
#include "cli/command.h"

namespace qcbak::cli {

class ProgressDisplay {
 public:
  // `progress` must outlive it. `verb` is for people: "Backing up".
  ProgressDisplay(const Invocation& invocation, Progress& progress, std::string verb);
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;
  ~ProgressDisplay();  // takes the line away again

 private:
  void run(std::stop_token stop);
  void draw(std::int64_t elapsed_ns);
  void write_json(std::int64_t elapsed_ns);
  const Invocation& invocation_;
  Progress& progress_;
  std::string verb_;
  bool drawn_ = false;
  std::jthread thread_;
};

}  // namespace qcbak::cli
