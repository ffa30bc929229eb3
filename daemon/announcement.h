// What people are told, in words: as mail, and as JSON for a webhook.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/alerts.h"
#include "daemon/outbox.h"

namespace qcbak::daemon {

struct Digest {
  struct Job {
    std::string name;
    std::string outcome;  // of the last run that came to an end; empty: none has
    std::optional<Time> ended, last_success;
  };
  std::vector<Job> jobs;
  std::vector<Alert> alerts;
  std::optional<std::uint64_t> free_bytes;
  std::optional<double> days_left;
  std::uint64_t waiting = 0;  // messages
};

// For the channel, in its language. `host`: the machine that speaks.
Message announce_raised(const config::Notify& channel, const std::string& host, const Alert& alert, Time now);
Message announce_cleared(const config::Notify& channel, const std::string& host, const Alert& alert, Time now);
Message announce_digest(const config::Notify& channel, const std::string& host, const Digest& digest, Time now);
Message announce_test(const config::Notify& channel, const std::string& host, Time now);

}  // namespace qcbak::daemon
