// When jobs are due. Pure: time comes in, decisions go out; the state is the caller's to keep.
#pragma once

#include <optional>

#include "base/random.h"
#include "config/config.h"

namespace qcbak::daemon {

// One time at which a job was to run. Slots that passed while nobody looked are made up for by one run, for the newest.
struct Slot {
  Time due;
  bool others_missed = false;  // at least one before it
};

// The newest slot later than `handled` and not after `now`; nothing when there is none.
std::optional<Slot> slot_due(const config::Calendar& calendar, Time handled, Time now);

// How much later than its slot a run starts: the same each time for a job and slot, below `limit_ns`.
std::int64_t random_delay_ns(const std::string& job, Time slot, std::int64_t limit_ns);

// How long to wait before the next try after so many failures (1 and up); nothing: it is given up.
std::optional<std::int64_t> retry_delay_ns(const config::Job& job, std::int64_t failures);

}  // namespace qcbak::daemon
