#include "daemon/media_life.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "base/error.h"

namespace qcbak::daemon {
namespace {

using config::UserRole;
using State = MediumState;
using Act = MediumAct;
using Guard = MediumGuard;

std::vector<State> all_states() {
  std::vector<State> states;
  for (std::size_t i = 0; i < kMediumStates; ++i) states.push_back(static_cast<State>(i));
  return states;
}
std::vector<Act> all_acts() {
  std::vector<Act> acts;
  for (std::size_t i = 0; i < kMediumActs; ++i) acts.push_back(static_cast<Act>(i));
  return acts;
}
MediumGuards all_guards_but(std::optional<Guard> left_out = {}) {
  MediumGuards guards;
  for (std::size_t i = 0; i < kMediumGuards; ++i) guards.insert(static_cast<Guard>(i));
  if (left_out) guards.erase(*left_out);
  return guards;
}
UserRole role_of(MediumActor actor) {
  switch (actor) {
    case MediumActor::asset_officer: return UserRole::asset_officer;
    case MediumActor::approver: return UserRole::approver;
    case MediumActor::operating: return UserRole::operating;
    case MediumActor::anybody: return UserRole::auditor;
  }
  return UserRole::auditor;
}
std::optional<State> tried(State from, Act act, UserRole role, const MediumGuards& holding) {
  try {
    return next_state("TS-1", from, act, role, holding);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::refused);
    return std::nullopt;
  }
}

// The order of design: a state is reached only through the one before it.
TEST(MediaLife, NothingIsSkipped) {
  const std::map<State, std::set<State>> before = {
      {State::registered, {State::none, State::registered, State::released, State::listed}},
      {State::listed,
       {State::registered, State::quarantine, State::destroy_required, State::listed, State::approved, State::inspected, State::cleared}},
      {State::approved, {State::listed}},
      {State::inspected, {State::approved, State::inspected, State::cleared, State::quarantine}},
      {State::cleared, {State::inspected}},
      {State::sanitising, {State::cleared, State::interrupted}},
      {State::verifying, {State::sanitising}},
      {State::interrupted, {State::sanitising, State::verifying}},
      {State::assessed, {State::verifying}},
      {State::validated, {State::assessed}},
      {State::certified, {State::validated}},
      {State::confirmed, {State::certified}},
      {State::released, {State::confirmed}},
      {State::destroy_required, {State::sanitising, State::verifying, State::listed}},
      {State::destroyed, {State::approved, State::destroy_required, State::quarantine, State::destroyed}},
  };
  for (const MediumStep& step : medium_steps()) {
    if (step.to == State::quarantine) continue;
    ASSERT_TRUE(before.contains(step.to)) << name_of(step.to);
    EXPECT_TRUE(before.at(step.to).contains(step.from)) << name_of(step.from) << " -> " << name_of(step.to);
  }
}

TEST(MediaLife, WhatTheTableDoesNotHaveIsRefusedWhoeverAsks) {
  for (const State from : all_states())
    for (const Act act : all_acts()) {
      bool in_table = false;
      for (const MediumStep& step : medium_steps()) in_table = in_table || (step.from == from && step.act == act);
      for (const UserRole role : {UserRole::administrator, UserRole::operating, UserRole::asset_officer, UserRole::approver})
        if (!in_table) {
          EXPECT_FALSE(tried(from, act, role, all_guards_but())) << name_of(from) << " " << name_of(act);
        }
    }
}

TEST(MediaLife, EveryGuardAndEveryRoleCounts) {
  for (const MediumStep& step : medium_steps()) {
    EXPECT_EQ(tried(step.from, step.act, role_of(step.actor), step.guards), step.to);
    for (const Guard guard : step.guards) {
      MediumGuards others = step.guards;
      others.erase(guard);
      EXPECT_FALSE(tried(step.from, step.act, role_of(step.actor), others)) << name_of(step.from) << " " << name_of(step.act);
    }
    if (step.actor != MediumActor::anybody) {
      EXPECT_FALSE(tried(step.from, step.act, UserRole::auditor, all_guards_but()));
    }
  }
}

// Guards that speak of the past hold only where it was: a run that failed has begun, and a medium goes back only to where it was.
bool has_history(const MediumStep& step, const std::set<State>& reached) {
  return (!step.guards.contains(Guard::run_failed) || reached.contains(State::sanitising)) &&
         (!step.guards.contains(Guard::was_to_be_destroyed) || reached.contains(State::destroy_required));
}

// Whichever way is gone, as long as one guard never holds.
std::set<State> reachable(std::optional<Guard> never, std::optional<Act> never_done = {}) {
  std::set<State> reached = {State::none};
  for (bool grew = true; grew;) {
    grew = false;
    for (const MediumStep& step : medium_steps())
      if (reached.contains(step.from) && step.act != never_done && (!never || !step.guards.contains(*never)) &&
          has_history(step, reached))
        grew = reached.insert(step.to).second || grew;
  }
  return reached;
}

TEST(MediaLife, NoWayLeadsRoundAGuardOrAnAct) {
  EXPECT_EQ(reachable({}).size(), kMediumStates);
  EXPECT_FALSE(reachable(Guard::another_person).contains(State::approved));
  EXPECT_FALSE(reachable(Guard::outcome_success).contains(State::assessed));
  EXPECT_FALSE(reachable(Guard::plan_allowed).contains(State::listed));
  for (const Act act : {Act::requested, Act::approved, Act::inspected, Act::cleared, Act::sanitising, Act::verifying, Act::assessed,
                        Act::validated, Act::certified, Act::confirmed, Act::released})
    EXPECT_FALSE(reachable({}, act).contains(State::released)) << name_of(act);
  EXPECT_FALSE(reachable({}, Act::approved).contains(State::destroyed));
}

TEST(MediaLife, NamesAreReadAsTheyAreWritten) {
  for (const State state : all_states()) EXPECT_EQ(medium_state_from(name_of(state)), state);
  for (const Act act : all_acts()) EXPECT_EQ(medium_act_from(name_of(act)), act);
  EXPECT_THROW(medium_state_from("lost"), Error);
  EXPECT_THROW(medium_act_from("medium.lost"), Error);
  EXPECT_THROW(role_from("king"), Error);
}

}  // namespace
}  // namespace qcbak::daemon
