#include "daemon/wipe_requests.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "daemon/media_requests.h"
#include "daemon/request_body.h"
#include "evidence/dossier_growth.h"

namespace qcbak::daemon {
namespace {

using config::UserRole;
using Json = nlohmann::json;
using State = MediumState;
using Act = MediumAct;

constexpr std::int64_t kDossiersShown = 1000;
constexpr std::size_t kReasonLimit = 1000;

Json json_of(const ApiView& view, const KeptDossier& kept) {
  Json media = Json::array();
  for (const Medium& medium : view.people_and_plans.inventory().in_dossier(kept.id))
    media.push_back(daemon::json_of(medium));
  return {{"id", kept.id},
          {"requested", format_time(kept.requested)},
          {"expires", format_time(kept.expires)},
          {"rejected", kept.rejected},
          {"reason", kept.reason.empty() ? Json(nullptr) : Json(kept.reason)},
          {"media", std::move(media)},
          {"log", {{"first", kept.first_entry}, {"last", kept.last_entry}}},
          {"certified", kept.certified_log.empty() ? Json(nullptr) : Json::parse(kept.certified_log)}};
}

// With all that somebody needs who is going to sign.
Json whole(const ApiView& view, const std::string& id) {
  const KeptDossier kept = view.people_and_plans.dossiers().dossier(id).value();
  Json json = json_of(view, kept);
  Json keys = Json::object();
  for (const Person& person : view.people_and_plans.people())
    if (person.key) keys[person.name] = person.key->hex();
  json["keys"] = std::move(keys);
  json["repository"] = view.repository_id;
  json["document"] = kept.document;
  return json;
}

Json all_dossiers(const ApiView& view) {
  Json all = Json::array();
  for (const KeptDossier& kept : view.people_and_plans.dossiers().dossiers(kDossiersShown))
    all.push_back(json_of(view, kept));
  return all;
}

// Who signed has the role for it, whoever brings it.
Caller signer_of(const ApiView& view, const std::string& signer) {
  if (!user_id(signer)) throw Error(ErrorCode::refused, "this machine has no user \"" + signer + "\", who signed it");
  Caller person = remote_caller(signer, "", view.config.roles);
  if (person.roles.empty()) throw Error(ErrorCode::refused, "user " + signer + ", who signed it, has no role here");
  return person;
}

// Of what was signed elsewhere: who brings it has a hand in wipes here.
Json begin_imported(const ApiView& view, Act what, const std::string& signer, const Caller& caller, Time now) {
  const std::string& combined = view.config.approval.combined_roles;
  require(caller, {UserRole::asset_officer, UserRole::operating}, combined);
  const Caller person = signer_of(view, signer);
  Json act = begin_act(view, what, person, now);
  act["by"] = as_in_log(caller);
  act["imported"] = true;
  return act;
}

// What a bench went through before its run was assessed, in acts that say so.
std::vector<Json> steps_before(const ApiView& view, const Json& assessed, const evidence::WipeRun& run,
                               const std::string& id) {
  std::vector<Json> acts;
  State state = State::none;
  for (const Medium& medium : view.people_and_plans.inventory().in_dossier(id))
    if (medium.number == run.medium + 1) state = medium.state;
  const auto add = [&](Act act, State next) {
    Json step = assessed;
    step.erase("growth");
    step.erase("sha256");
    step["act"] = name_of(act);
    step["medium"] = run.medium + 1;
    step["job"] = run.job;
    acts.push_back(std::move(step));
    state = next;
  };
  if (state == State::approved || state == State::quarantine) add(Act::inspected, State::inspected);
  if (state == State::inspected) add(Act::cleared, State::cleared);
  if (state == State::cleared) add(Act::sanitising, State::sanitising);
  if (state == State::interrupted) add(Act::resumed, State::sanitising);
  if (state == State::sanitising && evidence::succeeded(run)) add(Act::verifying, State::verifying);
  return acts;
}

Json growth_of(const Json& body) {
  const Json growth = Json::parse(body.value("growth", ""), nullptr, false);
  if (!growth.is_object()) throw Error(ErrorCode::usage, "what is to be added to the dossier is no JSON");
  return growth;
}

evidence::Dossier grown(const std::string& document, const Json& growth) {
  try {
    return evidence::parse_dossier(evidence::dossier_grown(document, growth.dump()));
  } catch (const Error& error) {
    throw Error(ErrorCode::refused, std::string("the dossier is altered or not in order: ") + error.what())
        .with_hint("nothing was done; see all with: qcbak verify-evidence FILE");
  }
}

Json grow(const ApiView& view, const Request& request, const KeptDossier& kept, const Caller& caller, Time now) {
  const Json body = body_of(request);
  const Json growth = growth_of(body);
  const Act what = act_of_growth(growth);
  if ((what == Act::requested) != kept.id.empty())
    throw Error(ErrorCode::usage, "a request begins a dossier, and nothing else does");
  const bool imported = body.value("imported", "") == "yes";
  Json act;
  if (!imported) act = begin_act(view, what, caller, now);
  const evidence::Dossier dossier = grown(kept.document, growth);
  const evidence::Signed& by = signed_by(dossier, growth);
  if (imported) act = begin_imported(view, what, by.statement.by, caller, now);
  if (!imported && what == Act::assessed) begin_act(view, what, signer_of(view, by.statement.by), now);
  act["dossier"] = dossier.request.id;
  act["growth"] = growth;
  act["sha256"] = by.statement.sha256;
  std::vector<Json> acts;
  if (imported && what == Act::assessed) acts = steps_before(view, act, *evidence::last_run(dossier, medium_of_growth(growth)), kept.id);
  acts.push_back(std::move(act));
  write_acts(view, acts, now);
  return whole(view, dossier.request.id);
}

Json reject(const ApiView& view, const Request& request, const KeptDossier& kept, const Caller& caller, Time now) {
  Json act = begin_act(view, Act::rejected, caller, now);
  const Json body = body_of(request);
  for (const char* name : {"reason", "statement", "signature"}) act[name] = body.value(name, "");
  if (act["reason"].get_ref<const std::string&>().size() > kReasonLimit)
    throw Error(ErrorCode::usage, "a reason is at most 1000 bytes long");
  act["dossier"] = kept.id;
  write_acts(view, {std::move(act)}, now);
  return whole(view, kept.id);
}

std::size_t number_in(const std::string& text) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) throw Error(ErrorCode::usage, "\"medium\" is a number");
  return number;
}

Json step(const ApiView& view, const Request& request, const KeptDossier& kept, const Caller& caller, Time now) {
  const Json body = body_of(request);
  for (const Act what :
       {Act::inspected, Act::cleared, Act::sanitising, Act::verifying, Act::interrupted, Act::resumed}) {
    if (name_of(what) != "wipe." + body.value("act", "")) continue;
    Json act = begin_act(view, what, caller, now);
    act["dossier"] = kept.id;
    act["medium"] = number_in(body.value("medium", ""));
    act["job"] = body.value("job", "");
    write_acts(view, {std::move(act)}, now);
    return json_of(view, view.people_and_plans.dossiers().dossier(kept.id).value());
  }
  throw Error(ErrorCode::usage, "there is no such step");
}

Json certify(const ApiView& view, const KeptDossier& kept, const Caller& caller, Time now) {
  Json act = begin_act(view, Act::certified, caller, now);
  view.register_changed();  // others write to the log, too
  const LogPlace& end = view.people_and_plans.log_end();
  act["dossier"] = kept.id;
  act["log"] = {
      {"first", kept.first_entry}, {"last", kept.last_entry}, {"head_number", end.number}, {"head", end.hash}};
  write_acts(view, {std::move(act)}, now);
  return whole(view, kept.id);
}

}  // namespace

Json wipe_request(const ApiView& view, const Request& request, const RequestTarget& target, const Caller& caller,
                  Time now) {
  const std::vector<std::string>& path = target.path;
  const bool get = request.method == "GET";
  if (path.size() == 2) return get ? all_dossiers(view) : grow(view, request, {}, caller, now);
  const auto kept = view.people_and_plans.dossiers().dossier(path[2]);
  if (!kept)
    throw Error(ErrorCode::not_found, "there is no wipe \"" + path[2] + "\"")
        .with_hint("\"qcbak wipe status\" names them");
  if (path.size() == 3 && get) return whole(view, kept->id);
  if (path.size() == 4 && !get) {
    if (path[3] == "growth") return grow(view, request, *kept, caller, now);
    if (path[3] == "reject") return reject(view, request, *kept, caller, now);
    if (path[3] == "step") return step(view, request, *kept, caller, now);
    if (path[3] == "certify") return certify(view, *kept, caller, now);
  }
  throw Error(ErrorCode::usage, "there is no such request");
}

}  // namespace qcbak::daemon
