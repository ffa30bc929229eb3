#include "daemon/people_requests.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "crypto/hash.h"
#include "crypto/public_key_file.h"
#include "daemon/account_requests.h"
#include "daemon/request_body.h"

namespace qcbak::daemon {
namespace {

using config::UserRole;
using Json = nlohmann::json;

Json json_of(const ApiView& view, const Person& person, Time now) {
  Json json{{"name", person.name},
            {"locked", person.locked},
            {"fingerprint", nullptr},
            {"key", nullptr},
            {"since", nullptr},
            {"added_by", nullptr},
            {"account", nullptr}};
  if (person.key) {
    json["fingerprint"] = crypto::fingerprint(*person.key);
    json["key"] = person.key->hex();
    json["since"] = format_time(person.since);
    json["added_by"] = person.added_by;
  }
  if (const auto account = view.people_and_plans.accounts().account(person.name)) json["account"] = json_of(*account, now);
  return json;
}

// Whoever has a key, an account, or was locked.
Json all_people(const ApiView& view, Time now) {
  std::map<std::string, Person> people;
  for (Person& person : view.people_and_plans.people()) people[person.name] = std::move(person);
  for (const Account& account : view.people_and_plans.accounts().accounts()) people[account.name].name = account.name;
  Json list = Json::array();
  for (const auto& [name, person] : people) list.push_back(json_of(view, person, now));
  return {{"repository", view.repository_id}, {"people", std::move(list)}};
}

// One's own first key is taken as it comes; a later one has to be signed by the one before.
std::optional<SignedStatement> proof_of_replacement(const ApiView& view, const Person& person, const Json& body,
                                                    const crypto::SignPublic& key, Time now) {
  auto statement = signed_statement(body);
  if (!statement)
    throw Error(ErrorCode::refused, "user " + person.name + " has a key already")
        .with_hint("replace it with \"qcbak user enrol --replace\", or, when it is lost, ask an administrator");
  require_signed_now(*statement, *person.key,
                 {"person.key", person.name, key.hex(), "", view.repository_id, crypto::sha256(key.view()).hex(), ""},
                 now);
  return statement;
}

Json take_key(const ApiView& view, const Request& request, const std::string& name, const Caller& caller, Time now) {
  const Json body = body_of(request);
  const auto keys = crypto::parse_public_keys(body.value("public_key", ""));
  if (keys.size() != 1) throw Error(ErrorCode::usage, "one key is wanted");
  const crypto::SignPublic& key = keys.front();
  if (name != caller.name) {
    require(caller, {UserRole::administrator}, view.config.approval.combined_roles);
    if (!user_id(name)) throw Error(ErrorCode::not_found, "this machine has no user \"" + name + "\"");
  }
  const auto before = view.people_and_plans.person(name);
  const bool has_key = before && before->key;
  if (has_key && *before->key == key) return json_of(view, *before, now);  // again, after a reply was lost
  std::optional<SignedStatement> statement;
  if (has_key && name == caller.name) statement = proof_of_replacement(view, *before, body, key, now);
  Person person;
  person.name = name;
  person.key = key;
  view.audit.person_key(person, has_key ? before->key : std::nullopt, statement, caller);
  view.register_changed();
  return json_of(view, view.people_and_plans.person(name).value(), now);
}

Json set_locked(const ApiView& view, const std::string& name, bool locked, const Caller& caller, Time now) {
  require(caller, {UserRole::administrator}, view.config.approval.combined_roles);
  if (name == caller.name) throw Error(ErrorCode::refused, "nobody locks or unlocks themselves");
  if (!user_id(name)) throw Error(ErrorCode::not_found, "this machine has no user \"" + name + "\"");
  view.audit.person_locked(name, locked, caller);
  view.register_changed();
  if (locked) view.admission.end_sessions(name, "the person was locked");
  return json_of(view, view.people_and_plans.person(name).value(), now);
}

}  // namespace

Json people_request(const ApiView& view, const Request& request, const RequestTarget& target, const Caller& caller,
                    Time now) {
  const std::vector<std::string>& path = target.path;
  if (path.size() == 2 && request.method == "GET") return all_people(view, now);
  if (path.size() >= 4 && path[3] == "otp" && request.method == "POST")
    return second_factor_request(view, request, target, caller);
  if (path.size() == 4 && request.method == "POST") {
    if (path[3] == "key") return take_key(view, request, path[2], caller, now);
    if (path[3] == "lock" || path[3] == "unlock") return set_locked(view, path[2], path[3] == "lock", caller, now);
  }
  throw Error(ErrorCode::usage, "there is no such request");
}

}  // namespace qcbak::daemon
