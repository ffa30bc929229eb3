#include "daemon/plan_requests.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "crypto/hash.h"
#include "daemon/plan.h"
#include "daemon/request_body.h"

namespace qcbak::daemon {
namespace {

using config::UserRole;
using Json = nlohmann::json;
using PlanId = FixedId<struct PlanIdTag, 16>;

constexpr std::int64_t kPlansShown = 100;
constexpr std::size_t kDocumentLimit = 1U << 20;  // an entry of the log has room for it
constexpr std::size_t kReasonLimit = 1000;

Json json_of(const Plan& plan) {
  Json json{{"id", plan.id},
            {"sha256", plan.sha256},
            {"state", name_of(plan.state)},
            {"submitted", format_time(plan.submitted)},
            {"submitted_by", plan.submitted_by},
            {"decided", nullptr},
            {"decided_by", nullptr},
            {"reason", plan.reason.empty() ? Json(nullptr) : Json(plan.reason)},
            {"statement", plan.statement.empty() ? Json(nullptr) : Json(plan.statement)},
            {"signature", plan.signature.empty() ? Json(nullptr) : Json(plan.signature)}};
  if (!plan.decided_by.empty()) {
    json["decided"] = format_time(plan.decided);
    json["decided_by"] = plan.decided_by;
  }
  return json;
}

Json json_of(const PlanChange& change) {
  constexpr const char* kKinds[] = {"added", "removed", "changed"};
  Json settings = Json::array();
  for (const SettingChange& each : change.settings)
    settings.push_back({{"setting", each.setting}, {"before", Json::parse(each.before)}, {"after", Json::parse(each.after)}});
  return {{"job", change.job.empty() ? Json(nullptr) : Json(change.job)},
          {"change", kKinds[static_cast<std::size_t>(change.kind)]},
          {"settings", std::move(settings)}};
}

// With its document, and what it changes in the plan in force.
Json whole(const ApiView& view, const Plan& plan) {
  Json json = json_of(plan);
  json["document"] = plan.document;
  json["repository"] = view.repository_id;
  const auto in_force = view.people_and_plans.in_force();
  Json changes = Json::array();
  if (!in_force || in_force->id != plan.id)
    for (const PlanChange& change : plan_changes(in_force ? in_force->document : "", plan.document))
      changes.push_back(json_of(change));
  json["changes"] = std::move(changes);
  return json;
}

Json all_plans(const ApiView& view) {
  const auto in_force = view.people_and_plans.in_force();
  const auto waiting = view.people_and_plans.waiting();
  Json held = Json::object();
  for (const auto& [job, why] : view.held) held[job] = why;
  Json plans = Json::array();
  for (const Plan& plan : view.people_and_plans.plans(kPlansShown)) plans.push_back(json_of(plan));
  return {{"in_force", in_force ? whole(view, *in_force) : Json(nullptr)},
          {"waiting", waiting ? whole(view, *waiting) : Json(nullptr)},
          {"held", std::move(held)},
          {"plans", std::move(plans)}};
}

config::Config config_to_come(const ApiView& view, const Json& body) {
  config::Config config = config::parse(body.value("configuration", ""), body.value("file", "configuration"));
  if (config.repository.location != view.config.repository.location)
    throw Error(ErrorCode::usage, config.file + " is for another repository than the one of this daemon");
  return config;
}

Json submit(const ApiView& view, const Request& request, const Caller& caller) {
  require(caller, {UserRole::operating, UserRole::administrator}, view.config.approval.combined_roles);
  const Json body = body_of(request);
  Plan plan;
  plan.document = plan_document(body.contains("configuration") ? config_to_come(view, body) : view.config);
  if (plan.document.size() > kDocumentLimit) throw Error(ErrorCode::usage, "a plan is at most 1 MiB large");
  plan.sha256 = crypto::sha256(as_bytes(plan.document)).hex();
  if (const auto in_force = view.people_and_plans.in_force(); in_force && in_force->sha256 == plan.sha256)
    throw Error(ErrorCode::usage, "this plan is in force already, as " + in_force->id);
  plan.id = view.random.id<PlanId>().hex();
  view.audit.plan_submitted(plan, caller);
  view.register_changed();
  return whole(view, view.people_and_plans.plan(plan.id).value());
}

// Nobody decides about what they submitted, whichever user they are by now.
void require_another_person(const Plan& plan, const Caller& caller) {
  const bool same_login = !plan.submitter_login.empty() && plan.submitter_login == caller.login_name;
  if (plan.submitted_by != caller.name && !same_login && plan.submitter_login != caller.name &&
      caller.login_name != plan.submitted_by)
    return;
  throw Error(ErrorCode::refused,
              "user " + caller.name + " submitted plan " + plan.id.substr(0, 8) + ", and nobody approves their own")
      .with_hint("somebody else with the role approver does");
}

// The signature of who decides; nothing where none is asked for.
std::optional<SignedStatement> signature_for(const ApiView& view, const Plan& plan, bool approve, const Json& body,
                                             const Caller& caller, Time now) {
  const auto person = view.people_and_plans.person(caller.name);
  if (!person || !person->key) {
    if (view.config.approval.signatures_required)
      throw Error(ErrorCode::refused, "user " + caller.name + " has no key to sign with")
          .with_hint("make one: qcbak user enrol");
    return std::nullopt;
  }
  if (approve && (person->added_by == plan.submitted_by ||
                  (!plan.submitter_login.empty() && person->added_by == plan.submitter_login)))
    throw Error(ErrorCode::refused, "the key of user " + caller.name + " was registered by " + person->added_by +
                                        ", who submitted the plan")
        .with_hint("user " + caller.name + " replaces it: qcbak user enrol --replace");
  const auto statement = signed_statement(body);
  if (!statement)
    throw Error(ErrorCode::refused, "it is not signed by user " + caller.name).with_hint("use \"qcbak plan approve\"");
  require_signed_now(*statement, *person->key,
                 {approve ? "plan.approve" : "plan.reject", caller.name, plan.id, body.value("reason", ""),
                  view.repository_id, plan.sha256, ""},
                 now);
  return statement;
}

Json decide(const ApiView& view, const Request& request, const Plan& plan, bool approve, const Caller& caller,
            Time now) {
  require(caller, {UserRole::approver}, view.config.approval.combined_roles);
  if (approve) require_another_person(plan, caller);
  if (plan.state != PlanState::waiting)
    throw Error(ErrorCode::failed,
                "plan " + plan.id.substr(0, 8) + " does not wait: it is " + std::string(name_of(plan.state)));
  const Json body = body_of(request);
  const std::string reason = body.value("reason", "");
  if (reason.size() > kReasonLimit) throw Error(ErrorCode::usage, "a reason is at most 1000 bytes long");
  const auto statement = signature_for(view, plan, approve, body, caller, now);
  view.audit.plan_decided(plan, approve, reason, statement, caller);
  view.register_changed();
  return whole(view, view.people_and_plans.plan(plan.id).value());
}

}  // namespace

Json plan_request(const ApiView& view, const Request& request, const RequestTarget& target, const Caller& caller,
                  Time now) {
  const std::vector<std::string>& path = target.path;
  const bool get = request.method == "GET";
  if (path.size() == 2) return get ? all_plans(view) : submit(view, request, caller);
  const auto plan = view.people_and_plans.plan(path[2]);
  if (!plan)
    throw Error(ErrorCode::not_found, "there is no plan \"" + path[2] + "\"")
        .with_hint("\"qcbak plan show\" names them");
  if (path.size() == 3 && get) return whole(view, *plan);
  if (path.size() == 4 && !get && (path[3] == "approve" || path[3] == "reject"))
    return decide(view, request, *plan, path[3] == "approve", caller, now);
  throw Error(ErrorCode::usage, "there is no such request");
}

}  // namespace qcbak::daemon
