// Who speaks through the socket, and what they may do.
#pragma once

#include <sys/types.h>

#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/config.h"

namespace qcbak::daemon {

using RoleTable = std::map<config::UserRole, std::vector<std::string>>;

struct Caller {
  uid_t uid = 0;
  pid_t pid = 0;
  std::string name;        // the user's, or "uid 1000" of one that has none
  std::string login_name;  // who logged in, before su or sudo; empty: not known
  std::string address;     // where they came from over the network; empty: from this machine
  std::set<config::UserRole> roles;
  bool has(config::UserRole role) const { return roles.contains(role); }
};

// By SO_PEERCRED and /proc/PID/loginuid: what the kernel says, not the caller.
Caller identify(int socket, const RoleTable& roles);
// Error(refused) unless the caller has one of these roles. Whoever has two of operator, key custodian and approver has none
// of them here, unless `combined_roles` says why they may.
void require(const Caller& caller, std::initializer_list<config::UserRole> any_of, const std::string& combined_roles);
// Who logged in over the network, from this address. Error(not_found): this machine has no such user.
Caller remote_caller(const std::string& user, const std::string& address, const RoleTable& roles);
// Nothing: this machine has no such user.
std::optional<uid_t> user_id(const std::string& name);
// A role's members by name: the users named, and those of the groups named.
std::set<std::string> members_of(const std::vector<std::string>& named);
// Has the user, or one of their groups, a role? Names that do not exist give nobody anything.
std::set<config::UserRole> roles_of(uid_t uid, gid_t gid, const RoleTable& roles);

}  // namespace qcbak::daemon
