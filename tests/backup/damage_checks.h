// What must hold of verify and repair whatever was done to a repository's objects.
#pragma once

#include <map>
#include <string>

#include "backup/repair.h"
#include "backup/verify.h"
#include "tests/backup/small_repository.h"

namespace qcbak::tests {

// What a check can see, by the keys it has.
struct Level {
  const char* name;
  Access access;
  VerifyOptions::Data data;
};
inline constexpr Level kKeyless{"keyless", Access::locked, VerifyOptions::Data::skip};
inline constexpr Level kMap{"map key", Access::write_only, VerifyOptions::Data::skip};
inline constexpr Level kStructure{"reading key, structure", Access::read, VerifyOptions::Data::skip};
inline constexpr Level kContent{"reading key, content", Access::read, VerifyOptions::Data::read};
inline constexpr Level kLevels[] = {kKeyless, kMap, kStructure, kContent};

VerifyResult verify_at(const storage::ReadStorage& storage, const Level& level, VerifyOptions options = {});
// Of damage, not of what is superfluous.
const VerifyFinding* finding_of(const VerifyResult& result, const std::string& object);
std::string text(const VerifyResult& result);

const ManualClock& clock_of_repairs();
RepairResult run_repair(storage::Storage& storage, Access access = Access::read, RepairOptions options = {});
bool opens(const storage::ReadStorage& storage);
std::map<std::string, Bytes> objects_of(const storage::ReadStorage& storage);
void expect_no_worse(const SmallRepository::Readable& before, const SmallRepository::Readable& after);

// The object is named, with the snapshots that need what was lost, and with the reading key all files that cannot be read
// any more. What everything hangs on may keep the repository from opening instead.
void expect_damage_is_found(const SmallRepository& small, const storage::ReadStorage& storage, const Level& level,
                            const std::string& object);
// Nothing that could be read is lost, what was lost is named, a dry run and a second run change nothing, and the next
// backup of the same files makes everything whole again that a pack can hold.
void expect_good_repair(const SmallRepository& small, simulated::Medium& medium, Access access,
                        const std::string& object);

}  // namespace qcbak::tests
