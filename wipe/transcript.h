// The commands that were sent to a disk's firmware, byte for byte, with what came back: for the certificate.
#pragma once

#include <vector>

#include "base/clock.h"
#include "wipe/command_channel.h"

namespace qcbak::wipe {

// One command, or several equal ones after each other with the same statuses: then the last answer.
struct CommandRecord {
  Bytes command;
  CommandResult result;  // without the data, which may be long
  std::uint32_t times = 1;
  Time first;
  Time last;
  friend bool operator==(const CommandRecord&, const CommandRecord&) = default;
};

inline constexpr std::size_t kTranscriptLimit = 1024;  // later ones are sent, and only counted

class Transcript {
 public:
  // `channel` and `clock` outlive it. `before`: of earlier runs of the same job.
  Transcript(CommandChannel& channel, const Clock& clock, std::vector<CommandRecord> before);
  CommandResult send(const CommandRequest& request);
  CommandChannel& channel() { return channel_; }
  const std::vector<CommandRecord>& records() const { return records_; }

 private:
  CommandChannel& channel_;
  const Clock& clock_;
  std::vector<CommandRecord> records_;
};

}  // namespace qcbak::wipe
