// The life of a medium, as one table of steps. docs/media.md "The life of a medium".
#pragma once

#include <array>
#include <set>
#include <span>
#include <string_view>

#include "config/config.h"

namespace qcbak::daemon {

enum class MediumState {
  none,  // not in the inventory
  registered,
  listed,
  approved,
  inspected,
  cleared,
  sanitising,
  verifying,
  interrupted,
  assessed,
  validated,
  certified,
  confirmed,
  released,
  quarantine,
  destroy_required,
  destroyed,
};
inline constexpr std::size_t kMediumStates = 17;
std::string_view name_of(MediumState state);           // "destroy-required"
MediumState medium_state_from(std::string_view name);  // Error(usage)

enum class MediumAct {
  registered,
  requested,
  approved,
  rejected,
  inspected,
  cleared,
  sanitising,
  verifying,
  interrupted,
  resumed,
  assessed,
  validated,
  certified,
  confirmed,
  released,
  quarantined,
  destroyed,
};
inline constexpr std::size_t kMediumActs = 17;
std::string_view name_of(MediumAct act);           // in the log: "wipe.requested"
MediumAct medium_act_from(std::string_view name);  // Error(damaged)

// What has to hold for a step; who judges says which of them do.
enum class MediumGuard {
  plan_allowed,
  another_person,
  ran_nothing,
  in_time,
  lapsed,
  to_be_wiped,
  to_be_destroyed,
  run_failed,
  same_job,
  outcome_success,
  outcome_destroy,
  outcome_neither,
  accepted,
  not_accepted,
  was_registered,
  was_in_quarantine,
  was_to_be_destroyed,
};
inline constexpr std::size_t kMediumGuards = 17;
using MediumGuards = std::set<MediumGuard>;

enum class MediumActor { asset_officer, approver, operating, anybody };
bool may_act(MediumActor actor, config::UserRole role);
config::UserRole role_from(std::string_view name);  // Error(damaged)

struct MediumStep {
  MediumState from = MediumState::none;
  MediumAct act = MediumAct::registered;
  MediumActor actor = MediumActor::anybody;
  MediumGuards guards = {};  // all of them
  MediumState to = MediumState::none;
};
std::span<const MediumStep> medium_steps();

// Who may do it, in whichever state.
MediumActor actor_of(MediumAct act);
// Where the act leads. Error(refused), naming `asset` and why, when no row of the table allows it.
MediumState next_state(std::string_view asset, MediumState from, MediumAct act, config::UserRole role,
                       const MediumGuards& holding);

}  // namespace qcbak::daemon
