#include "daemon/account_requests.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "daemon/request_body.h"

namespace qcbak::daemon {
namespace {

using config::UserRole;
using Json = nlohmann::json;

constexpr std::size_t kNoteLimit = 1000;

std::string state_of(const Account& account, Time now) {
  if (account.locked) return "locked";
  if (account.suspended) return "suspended";
  if (account.password_hash.empty()) return "no password";
  if (account.second_factor && account.otp_secret.empty()) return "no second factor";
  return account.password_is_due(now) ? "password due" : "active";
}

// Everybody who has a role, a key or an account.
Json people_and_rights(const ApiView& view, Time now) {
  std::map<std::string, Json> people;
  for (const auto& [role, named] : view.config.roles)
    for (const std::string& member : members_of(named)) people[member]["roles"].push_back(config::name_of(role));
  for (const Person& person : view.people_and_plans.people()) people[person.name]["locked"] = person.locked;
  for (const Account& account : view.people_and_plans.accounts().accounts())
    people[account.name]["account"] = json_of(account, now);
  Json list = Json::array();
  for (auto& [name, person] : people)
    list.push_back({{"name", name},
                    {"roles", person.value("roles", Json::array())},
                    {"locked", person.value("locked", false)},
                    {"account", person.value("account", Json(nullptr))}});
  return list;
}

Json roles_as_given(const ApiView& view) {
  Json roles = Json::object();
  for (const auto& [role, named] : view.config.roles)
    roles[std::string(config::name_of(role))] = {{"members", named}, {"people", members_of(named)}};
  return roles;
}

Json review(const ApiView& view, Time now) {
  Accounts& accounts = view.people_and_plans.accounts();
  const auto last = accounts.last_review();
  const auto due = accounts.review_due();
  return {{"roles", roles_as_given(view)},
          {"people", people_and_rights(view, now)},
          {"last", last ? Json{{"time", format_time(last->time)}, {"by", last->by}, {"note", last->note}} : Json(nullptr)},
          {"due", due ? Json(format_time(*due)) : Json(nullptr)}};
}

}  // namespace

Json json_of(const Account& account, Time now) {
  return {{"state", state_of(account, now)},
          {"second_factor", account.second_factor},
          {"password_since", format_time(account.password_since)},
          {"last_used", format_time(account.last_used)},
          {"locked_since", account.locked ? Json(format_time(account.locked_since)) : Json(nullptr)},
          {"locked_from", account.locked && !account.locked_from.empty() ? Json(account.locked_from) : Json(nullptr)}};
}

Json second_factor_request(const ApiView& view, const Request& request, const RequestTarget& target,
                           const Caller& caller) {
  const std::string& name = target.path[2];
  if (target.path.size() == 5 && target.path[4] == "remove") {
    view.admission.remove_second_factor(name, caller);
    return {{"name", name}, {"second_factor", false}};
  }
  if (target.path.size() != 4) throw Error(ErrorCode::usage, "there is no such request");
  if (name != caller.name) throw Error(ErrorCode::refused, "a second factor is enrolled by whose it is: user " + name);
  const Json body = body_of(request);
  if (!body.contains("code")) {
    const Admission::Proposal proposal = view.admission.propose_second_factor(caller);
    return {{"name", name}, {"secret", proposal.secret}, {"uri", proposal.uri}, {"replaces", proposal.replaces}};
  }
  view.admission.confirm_second_factor(caller, body.value("code", ""), body.value("present_code", ""));
  return {{"name", name}, {"second_factor", true}};
}

Json review_request(const ApiView& view, const Request& request, const Caller& caller, Time now) {
  if (request.method == "GET") return review(view, now);
  require(caller, {UserRole::administrator, UserRole::auditor}, view.config.approval.combined_roles);
  const std::string note = body_of(request).value("note", "");
  if (note.size() > kNoteLimit) throw Error(ErrorCode::usage, "a note is at most 1000 bytes long");
  view.audit.rights_reviewed(people_and_rights(view, now), note, caller);
  view.register_changed();
  return review(view, now);
}

}  // namespace qcbak::daemon
