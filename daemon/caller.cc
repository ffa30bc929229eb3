#include "daemon/caller.h"

#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/error.h"
#include "base/unique_fd.h"

namespace qcbak::daemon {
namespace {

using config::UserRole;

constexpr std::size_t kBuffer = 65536;
constexpr std::size_t kLoginUidLimit = 32;
constexpr std::uint32_t kNoLogin = 0xFFFF'FFFF;

std::optional<std::string> user_name(uid_t uid) {
  std::vector<char> buffer(kBuffer);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return std::nullopt;
  return std::string(found->pw_name);
}

std::optional<gid_t> group_id(const std::string& name) {
  std::vector<char> buffer(kBuffer);
  group entry{};
  group* found = nullptr;
  if (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return std::nullopt;
  return found->gr_gid;
}

std::vector<gid_t> groups_of(const std::string& user, gid_t gid) {
  std::vector<gid_t> groups(64);
  for (;;) {
    int count = static_cast<int>(groups.size());
    if (::getgrouplist(user.c_str(), gid, groups.data(), &count) >= 0) {
      groups.resize(static_cast<std::size_t>(count));
      return groups;
    }
    groups.resize(groups.size() * 2);
  }
}

std::string login_name(pid_t pid) {
  try {
    const Bytes file = read_file("/proc/" + std::to_string(pid) + "/loginuid", kLoginUidLimit);
    const std::string_view text = as_text(file);
    std::uint32_t uid = kNoLogin;
    std::from_chars(text.data(), text.data() + text.size(), uid);
    if (uid == kNoLogin) return "";
    return user_name(uid).value_or("uid " + std::to_string(uid));
  } catch (const Error&) {
    return "";
  }
}

}  // namespace

std::set<config::UserRole> roles_of(uid_t uid, gid_t gid, const RoleTable& roles) {
  const std::optional<std::string> name = user_name(uid);
  const std::vector<gid_t> groups = name ? groups_of(*name, gid) : std::vector<gid_t>{gid};
  std::set<config::UserRole> held;
  for (const auto& [role, members] : roles) {
    for (const std::string& member : members) {
      if (member.starts_with('@')) {
        const auto group = group_id(member.substr(1));
        if (group && std::find(groups.begin(), groups.end(), *group) != groups.end()) held.insert(role);
      } else if (name && member == *name) {
        held.insert(role);
      }
    }
  }
  return held;
}

std::optional<uid_t> user_id(const std::string& name) {
  std::vector<char> buffer(kBuffer);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return std::nullopt;
  return found->pw_uid;
}

std::set<std::string> members_of(const std::vector<std::string>& named) {
  std::set<std::string> members;
  for (const std::string& name : named) {
    if (!name.starts_with('@')) {
      members.insert(name);
      continue;
    }
    const group* found = ::getgrnam(name.c_str() + 1);
    if (found == nullptr) continue;
    const gid_t gid = found->gr_gid;
    for (char** member = found->gr_mem; *member != nullptr; ++member) members.insert(*member);
    ::setpwent();
    while (const passwd* user = ::getpwent())
      if (user->pw_gid == gid) members.insert(user->pw_name);
    ::endpwent();
  }
  return members;
}

Caller remote_caller(const std::string& user, const std::string& address, const RoleTable& roles) {
  std::vector<char> buffer(kBuffer);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    throw Error(ErrorCode::not_found, "this machine has no user \"" + user + "\"");
  Caller caller;
  caller.uid = found->pw_uid;
  caller.name = user;
  caller.login_name = user;
  caller.address = address;
  caller.roles = roles_of(found->pw_uid, found->pw_gid, roles);
  return caller;
}

void require(const Caller& caller, std::initializer_list<config::UserRole> any_of, const std::string& combined_roles) {
  constexpr std::array kApart = {UserRole::operating, UserRole::key_custodian, UserRole::approver};
  std::string both;
  std::set<UserRole> counting = caller.roles;
  for (const UserRole role : kApart)
    if (caller.has(role)) both += (both.empty() ? "" : " and ") + std::string(config::name_of(role));
  const bool combined = both.find(' ') != std::string::npos && combined_roles.empty();
  if (combined)
    for (const UserRole role : kApart) counting.erase(role);
  if (std::any_of(any_of.begin(), any_of.end(), [&](UserRole role) { return counting.contains(role); })) return;
  if (combined)
    throw Error(ErrorCode::refused, "user " + caller.name + " is " + both + " at once")
        .with_hint("give these roles to different people, or say why not: [approval] combined_roles");
  std::string needed;
  for (const UserRole role : any_of) needed += (needed.empty() ? "" : " or ") + std::string(config::name_of(role));
  throw Error(ErrorCode::refused, "user " + caller.name + " does not have the role " + needed)
      .with_hint("ask an administrator, who gives roles in the configuration");
}

Caller identify(int socket, const RoleTable& roles) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) throw_errno("identify", "a caller");
  Caller caller;
  caller.uid = credentials.uid;
  caller.pid = credentials.pid;
  caller.name = user_name(credentials.uid).value_or("uid " + std::to_string(credentials.uid));
  caller.login_name = login_name(credentials.pid);
  caller.roles = roles_of(credentials.uid, credentials.gid, roles);
  return caller;
}

}  // namespace qcbak::daemon
