#include "daemon/sessions.h"

#include <algorithm>

#include "crypto/hash.h"

namespace qcbak::daemon {
namespace {

using Token = FixedId<struct SessionTokenTag, 32>;
using Number = FixedId<struct SessionNumberTag, 8>;

std::string hash_of(const std::string& token) { return crypto::sha256(as_bytes(token)).hex(); }

}  // namespace

Session Sessions::prepare(const std::string& name, const std::string& from, std::set<config::UserRole> roles) {
  const std::int64_t now_ns = clock_.monotonic_ns();
  return {random_.id<Number>().hex(), name, from, std::move(roles), clock_.now(), now_ns, now_ns};
}

std::string Sessions::begin(const Session& session) {
  std::string token = random_.id<Token>().hex();
  sessions_.emplace(hash_of(token), session);
  return token;
}

const Session* Sessions::use(const std::string& token) {
  const auto found = sessions_.find(hash_of(token));
  if (found == sessions_.end() || is_over(found->second)) return nullptr;
  found->second.last_used_ns = clock_.monotonic_ns();
  return &found->second;
}

const Session* Sessions::of_an_administrator() const {
  for (const auto& [hash, session] : sessions_)
    if (session.is_administrators() && !is_over(session)) return &session;
  return nullptr;
}

std::vector<Session> Sessions::of(const std::string& name) const {
  std::vector<Session> found;
  for (const auto& [hash, session] : sessions_)
    if (session.name == name) found.push_back(session);
  std::sort(found.begin(), found.end(), [](const Session& a, const Session& b) { return a.last_used_ns < b.last_used_ns; });
  return found;
}

std::vector<Session> Sessions::expired() const {
  std::vector<Session> found;
  for (const auto& [hash, session] : sessions_)
    if (is_over(session)) found.push_back(session);
  return found;
}

bool Sessions::is_over(const Session& session) const {
  return is_idle(session) || clock_.monotonic_ns() - session.began_ns >= kSessionLimit_ns;
}

Time Sessions::ends(const Session& session) const {
  const std::int64_t left_ns = std::min(session.last_used_ns + kIdleLimit_ns, session.began_ns + kSessionLimit_ns) - clock_.monotonic_ns();
  return {clock_.now().ns + left_ns};
}

void Sessions::end(const std::string& number) {
  std::erase_if(sessions_, [&](const auto& each) { return each.second.number == number; });
}

}  // namespace qcbak::daemon
