// How much room the repository's medium had, hour by hour, and when it will be full if it goes on like that.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "backup/storage/storage.h"
#include "base/clock.h"
#include "daemon/database.h"

namespace qcbak::daemon {

// On the medium of the repository; nothing when it does not say.
std::optional<std::uint64_t> free_bytes(const storage::Storage& storage);

struct FreeSpace {
  Time at;
  std::uint64_t bytes = 0;
};

// In days, from the samples of the 14 days before `now`, ascending: what is free now, over the median of the slopes between
// all pairs (Theil and Sen: a collection that frees much at once does not hide the trend). Nothing while they span less than
// three days, or do not shrink.
std::optional<double> days_until_full(std::span<const FreeSpace> samples, Time now);

class SpaceHistory {
 public:
  explicit SpaceHistory(Database& database);
  // At most one sample an hour is kept, for 60 days; samples of a time that is yet to come are forgotten.
  void note(std::uint64_t free_bytes, Time now);
  std::optional<double> days_left() const { return days_left_; }

 private:
  Database& database_;
  std::optional<double> days_left_;
  bool looked_ = false;
};

}  // namespace qcbak::daemon
