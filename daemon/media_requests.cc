#include "daemon/media_requests.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "daemon/media_import.h"
#include "daemon/request_body.h"
#include "evidence/dossier.h"

namespace qcbak::daemon {
namespace {

using config::UserRole;
using Json = nlohmann::json;

constexpr std::size_t kReasonLimit = 1000;

Json registered(const ApiView& view, const Request& request, const Caller& caller, Time now) {
  Json act = begin_act(view, MediumAct::registered, caller, now);
  const std::vector<MediumFacts> media = media_from_csv(body_of(request).value("csv", ""));
  Json changed = Json::array();
  for (const MediumFacts& facts : media) {
    const auto known = view.people_and_plans.inventory().medium(facts.asset);
    if (!known || known->facts != facts) changed.push_back(json_of(facts));
  }
  const std::size_t count = changed.size();
  if (count > 0) {
    act["media"] = std::move(changed);
    write_acts(view, {std::move(act)}, now);
  }
  return {{"registered", count}, {"unchanged", media.size() - count}};
}

Json listed(const ApiView& view, const RequestTarget& target) {
  const auto value = [&](const char* name) {
    const auto found = target.query.find(name);
    return found == target.query.end() ? std::string() : found->second;
  };
  const std::string state = value("state"), list = value("list");
  const auto wanted_state = state.empty() ? std::nullopt : std::optional(medium_state_from(state));
  const auto wanted_list = list.empty() ? std::nullopt : std::optional(media_list_from(list));
  std::vector<Medium> media;
  for (Medium& medium : view.people_and_plans.inventory().media())
    if ((!wanted_state || medium.state == *wanted_state) && (!wanted_list || list_of(medium) == *wanted_list))
      media.push_back(std::move(medium));
  if (value("format") == "csv") return {{"csv", csv_of(media)}};
  Json all = Json::array();
  for (const Medium& medium : media) all.push_back(json_of(medium));
  return all;
}

int digit(char c) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const std::size_t at = kDigits.find(c);
  if (at == kDigits.npos) throw Error(ErrorCode::usage, "after a % in a target two digits are wanted");
  return static_cast<int>(at);
}

std::string percent_decoded(const std::string& text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (i + 2 >= text.size()) throw Error(ErrorCode::usage, "after a % in a target two digits are wanted");
    decoded += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
    i += 2;
  }
  return decoded;
}

Medium named(const ApiView& view, const std::string& asset) {
  const auto medium = view.people_and_plans.inventory().medium(asset);
  if (!medium)
    throw Error(ErrorCode::not_found, "there is no medium \"" + asset + "\" in the inventory")
        .with_hint("see which there are: qcbak wipe media list");
  return *medium;
}

Json moved(const ApiView& view, const Request& request, const Medium& medium, MediumAct what, const Caller& caller,
           Time now) {
  Json act = begin_act(view, what, caller, now);
  const std::string reason = body_of(request).value("reason", "");
  if (reason.size() > kReasonLimit) throw Error(ErrorCode::usage, "a reason is at most 1000 bytes long");
  act["asset"] = medium.facts.asset;
  act["reason"] = reason;
  write_acts(view, {std::move(act)}, now);
  return json_of(named(view, medium.facts.asset));
}

std::optional<UserRole> role_for(MediumActor actor) {
  switch (actor) {
    case MediumActor::asset_officer: return UserRole::asset_officer;
    case MediumActor::approver: return UserRole::approver;
    case MediumActor::operating: return UserRole::operating;
    case MediumActor::anybody: return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

Json json_of(const Medium& medium) {
  Json json = json_of(medium.facts);
  json["state"] = name_of(list_of(medium));
  json["step"] = name_of(medium.state);
  json["since"] = format_time(medium.since);
  json["dossier"] = medium.dossier.empty() ? Json(nullptr) : Json(medium.dossier);
  json["medium"] = medium.number == 0 ? Json(nullptr) : Json(medium.number);
  json["job"] = medium.job.empty() ? Json(nullptr) : Json(medium.job);
  json["reason"] = medium.reason.empty() ? Json(nullptr) : Json(medium.reason);
  return json;
}

Json begin_act(const ApiView& view, MediumAct act, const Caller& caller, Time now) {
  const auto role = role_for(actor_of(act));
  if (role) require(caller, {*role}, view.config.approval.combined_roles);
  return {{"act", name_of(act)},
          {"by", as_in_log(caller)},
          {"role", config::name_of(role.value_or(*caller.roles.begin()))},
          {"at", evidence::utc_seconds(now)}};
}

void write_acts(const ApiView& view, const std::vector<Json>& acts, Time now) {
  view.people_and_plans.rehearse(acts, now, view.repository_id);
  for (const Json& act : acts) view.audit.about_media(act);
  view.register_changed();
}

Json media_request(const ApiView& view, const Request& request, const RequestTarget& target, const Caller& caller,
                   Time now) {
  const std::vector<std::string>& path = target.path;
  const bool get = request.method == "GET";
  if (path.size() == 2) return get ? listed(view, target) : registered(view, request, caller, now);
  const Medium medium = named(view, percent_decoded(path[2]));
  if (path.size() == 3 && get) return json_of(medium);
  if (path.size() == 4 && !get && path[3] == "release")
    return moved(view, request, medium, MediumAct::released, caller, now);
  if (path.size() == 4 && !get && path[3] == "quarantine")
    return moved(view, request, medium, MediumAct::quarantined, caller, now);
  throw Error(ErrorCode::usage, "there is no such request");
}

}  // namespace qcbak::daemon
