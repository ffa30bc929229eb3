// Which alerts people were told of. One is told when it appears and when it has gone, and not again while it lasts: what was
// told is in the daemon's database, with the messages about it, so a restart tells nothing twice.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "daemon/announcement.h"
#include "daemon/outbox.h"

namespace qcbak::daemon {

class Bulletin {
 public:
  Bulletin(Database& database, Outbox& outbox, std::string host);

  // Since when, by key, people know of what stands.
  const std::map<std::string, Time>& standing() const { return standing_; }
  // Puts what has to be told of the difference between `alerts` and what stands. A channel is not told of itself.
  void look(const std::vector<Alert>& alerts, const std::vector<config::Notify>& channels, Time now);
  // The channels whose digest is due now; one that is new waits for its first time. Those missed are made up for by one.
  std::vector<const config::Notify*> digests_due(const std::vector<config::Notify>& channels, Time now);
  void put_digest(const Digest& digest, const std::vector<const config::Notify*>& channels, Time now);

 private:
  void raise(const Alert& alert, const std::vector<config::Notify>& channels, Time now);
  void clear(const std::string& key, const std::vector<config::Notify>& channels, Time now);
  void load();
  Database& database_;
  Outbox& outbox_;
  std::string host_;
  std::map<std::string, Time> standing_;
};

}  // namespace qcbak::daemon
