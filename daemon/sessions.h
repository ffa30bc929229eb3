// Who is logged in over the network. In memory alone: a restart of the daemon ends all sessions. docs/people.md "Accounts
// for the network".
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "config/config.h"

namespace qcbak::daemon {

inline constexpr std::int64_t kIdleLimit_ns = 15 * 60'000'000'000;
inline constexpr std::int64_t kSessionLimit_ns = 12 * 3'600'000'000'000;
inline constexpr std::size_t kSessionsLimit = 256;     // of all
inline constexpr std::size_t kSessionsOfOneLimit = 4;  // the one that was idle longest makes room

struct Session {
  std::string number;  // what the log calls it; no secret
  std::string name, from;
  std::set<config::UserRole> roles;  // at the log-in
  Time began;
  std::int64_t began_ns = 0, last_used_ns = 0;  // monotonic

  bool is_administrators() const { return roles.contains(config::UserRole::administrator); }
};

class Sessions {
 public:
  Sessions(const Clock& clock, Random& random) : clock_(clock), random_(random) {}

  // A session that is not in force yet; `began` writes it down first.
  Session prepare(const std::string& name, const std::string& from, std::set<config::UserRole> roles);
  // Its token, 64 hexadecimal digits; only its hash is kept.
  std::string begin(const Session& session);
  // Nothing: there is none of this token, or it has ended. Counts as use. Valid until the next call.
  const Session* use(const std::string& token);

  const Session* of_an_administrator() const;  // nothing: none is logged in
  std::vector<Session> of(const std::string& name) const;  // the one that was idle longest first
  std::size_t count() const { return sessions_.size(); }
  std::vector<Session> expired() const;  // whose time is over
  bool is_idle(const Session& session) const { return clock_.monotonic_ns() - session.last_used_ns >= kIdleLimit_ns; }
  Time ends(const Session& session) const;
  void end(const std::string& number);

 private:
  bool is_over(const Session& session) const;
  const Clock& clock_;
  Random& random_;
  std::map<std::string, Session> sessions_;  // by the SHA-256 of the token
};

}  // namespace qcbak::daemon
