#include "daemon/media_life.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"

namespace qcbak::daemon {
namespace {

using config::UserRole;
using State = MediumState;
using Act = MediumAct;
using Actor = MediumActor;
using Guard = MediumGuard;

constexpr std::array<std::string_view, kMediumStates> kStates = {
    "none",       "registered", "listed",      "approved",         "inspected", "cleared",
    "sanitising", "verifying",  "interrupted", "assessed",         "validated", "certified",
    "confirmed",  "released",   "quarantine",  "destroy-required", "destroyed"};

constexpr std::array<std::string_view, kMediumActs> kActs = {
    "medium.registered", "wipe.requested", "wipe.approved",    "wipe.rejected",      "wipe.inspected", "wipe.cleared",
    "wipe.sanitising",   "wipe.verifying", "wipe.interrupted", "wipe.resumed",       "wipe.assessed",  "wipe.validated",
    "wipe.certified",    "wipe.confirmed", "medium.released",  "medium.quarantined", "wipe.destroyed"};

// Why not, when it does not hold.
constexpr std::array<std::string_view, kMediumGuards> kRefusals = {
    "it is of the class state-secret, or was found to be destroyed: only the plan \"destroy\" is left for it",
    "nobody approves what they requested",
    "who wiped or destroyed a medium of it neither validates nor confirms it",
    "the approval expired",
    "it is in a dossier that has not expired",
    "it was approved for destruction, not for a wipe",
    "it was approved for a wipe, not for destruction",
    "no run of this dossier failed on it",
    "another job has begun on it",
    "the run did not succeed",
    "the run does not ask for destruction",
    "the run has another outcome",
    "nobody accepted what was done",
    "it was accepted",
    "it was listed from another state",
    "it was listed from another state",
    "it was listed from another state"};

std::vector<MediumStep> make_steps() {
  std::vector<MediumStep> steps = {
      {State::none, Act::registered, Actor::asset_officer, {}, State::registered},
      {State::registered, Act::registered, Actor::asset_officer, {}, State::registered},
      {State::released, Act::registered, Actor::asset_officer, {}, State::registered},
      {State::listed, Act::approved, Actor::approver, {Guard::another_person, Guard::in_time}, State::approved},
      {State::listed, Act::rejected, Actor::approver, {Guard::was_registered}, State::registered},
      {State::listed, Act::rejected, Actor::approver, {Guard::was_in_quarantine}, State::quarantine},
      {State::listed, Act::rejected, Actor::approver, {Guard::was_to_be_destroyed}, State::destroy_required},
      {State::quarantine,
       Act::inspected,
       Actor::operating,
       {Guard::run_failed, Guard::to_be_wiped, Guard::in_time},
       State::inspected},
      {State::inspected, Act::cleared, Actor::operating, {Guard::in_time}, State::cleared},
      {State::cleared, Act::sanitising, Actor::operating, {Guard::in_time}, State::sanitising},
      {State::sanitising, Act::verifying, Actor::operating, {Guard::same_job}, State::verifying},
      {State::interrupted, Act::resumed, Actor::operating, {Guard::same_job}, State::sanitising},
      {State::verifying, Act::assessed, Actor::operating, {Guard::same_job, Guard::outcome_success}, State::assessed},
      {State::assessed, Act::validated, Actor::anybody, {Guard::ran_nothing, Guard::accepted}, State::validated},
      {State::assessed, Act::validated, Actor::anybody, {Guard::ran_nothing, Guard::not_accepted}, State::quarantine},
      {State::validated, Act::certified, Actor::anybody, {Guard::accepted}, State::certified},
      {State::certified, Act::confirmed, Actor::anybody, {Guard::ran_nothing}, State::confirmed},
      {State::confirmed, Act::released, Actor::asset_officer, {}, State::released},
      {State::approved, Act::destroyed, Actor::asset_officer, {Guard::to_be_destroyed}, State::destroyed},
      {State::destroy_required, Act::destroyed, Actor::asset_officer, {}, State::destroyed},
      {State::quarantine, Act::destroyed, Actor::asset_officer, {Guard::run_failed}, State::destroyed},
      {State::destroyed, Act::validated, Actor::anybody, {Guard::ran_nothing}, State::destroyed},
      {State::destroyed, Act::certified, Actor::anybody, {Guard::accepted}, State::destroyed},
      {State::destroyed, Act::confirmed, Actor::anybody, {Guard::ran_nothing}, State::destroyed},
  };
  for (const State from : {State::registered, State::quarantine, State::destroy_required})
    steps.push_back({from, Act::requested, Actor::asset_officer, {Guard::plan_allowed}, State::listed});
  for (const State from : {State::listed, State::approved, State::inspected, State::cleared})
    steps.push_back({from, Act::requested, Actor::asset_officer, {Guard::lapsed, Guard::plan_allowed}, State::listed});
  for (const State from : {State::approved, State::inspected, State::cleared})
    steps.push_back({from, Act::inspected, Actor::operating, {Guard::to_be_wiped, Guard::in_time}, State::inspected});
  for (const State from : {State::sanitising, State::verifying}) {
    steps.push_back({from, Act::interrupted, Actor::operating, {Guard::same_job}, State::interrupted});
    steps.push_back(
        {from, Act::assessed, Actor::operating, {Guard::same_job, Guard::outcome_destroy}, State::destroy_required});
    steps.push_back(
        {from, Act::assessed, Actor::operating, {Guard::same_job, Guard::outcome_neither}, State::quarantine});
  }
  for (const State from : {State::registered, State::listed, State::approved, State::inspected, State::cleared,
                           State::interrupted, State::assessed, State::validated, State::certified, State::confirmed})
    steps.push_back({from, Act::quarantined, Actor::asset_officer, {}, State::quarantine});
  return steps;
}

template <std::size_t size>
std::size_t index_of(const std::array<std::string_view, size>& names, std::string_view name) {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

[[noreturn]] void refuse(std::string_view asset, const std::string& why) {
  throw Error(ErrorCode::refused, "medium " + std::string(asset) + ": " + why)
      .with_hint("see where it stands: qcbak wipe media show " + std::string(asset));
}

std::string_view first_missing(const MediumStep& step, const MediumGuards& holding) {
  for (const Guard guard : step.guards)
    if (!holding.contains(guard)) return kRefusals[static_cast<std::size_t>(guard)];
  return {};
}

}  // namespace

std::string_view name_of(MediumState state) { return kStates[static_cast<std::size_t>(state)]; }
std::string_view name_of(MediumAct act) { return kActs[static_cast<std::size_t>(act)]; }

MediumState medium_state_from(std::string_view name) {
  const std::size_t index = index_of(kStates, name);
  if (index == kStates.size()) throw Error(ErrorCode::usage, "\"" + std::string(name) + "\" is no state of a medium");
  return static_cast<MediumState>(index);
}

MediumAct medium_act_from(std::string_view name) {
  const std::size_t index = index_of(kActs, name);
  if (index == kActs.size()) throw Error(ErrorCode::damaged, "\"" + std::string(name) + "\" is no act about a medium");
  return static_cast<MediumAct>(index);
}

bool may_act(MediumActor actor, UserRole role) {
  switch (actor) {
    case Actor::asset_officer: return role == UserRole::asset_officer;
    case Actor::approver: return role == UserRole::approver;
    case Actor::operating: return role == UserRole::operating;
    case Actor::anybody: return true;
  }
  return false;
}

UserRole role_from(std::string_view name) {
  for (const UserRole role : {UserRole::administrator, UserRole::operating, UserRole::asset_officer,
                              UserRole::key_custodian, UserRole::approver, UserRole::auditor})
    if (config::name_of(role) == name) return role;
  throw Error(ErrorCode::damaged, "\"" + std::string(name) + "\" is no role");
}

std::span<const MediumStep> medium_steps() {
  static const std::vector<MediumStep> steps = make_steps();
  return steps;
}

MediumActor actor_of(MediumAct act) {
  const auto steps = medium_steps();
  const auto found =
      std::find_if(steps.begin(), steps.end(), [act](const MediumStep& step) { return step.act == act; });
  check(found != steps.end(), "every act is in the table");
  return found->actor;
}

MediumState next_state(std::string_view asset, MediumState from, MediumAct act, UserRole role,
                       const MediumGuards& holding) {
  std::string_view missing;
  for (const MediumStep& step : medium_steps()) {
    if (step.from != from || step.act != act) continue;
    if (!may_act(step.actor, role))
      refuse(asset, "the role " + std::string(config::name_of(role)) + " may not do that");
    const std::string_view why = first_missing(step, holding);
    if (why.empty()) return step.to;
    missing = why;
  }
  if (missing.empty())
    refuse(asset,
           "it is " + std::string(name_of(from)) + ", and \"" + std::string(name_of(act)) + "\" cannot follow on that");
  refuse(asset, std::string(missing));
}

}  // namespace qcbak::daemon
