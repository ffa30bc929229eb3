// The verb repair: salvages what is good, puts new objects, and never removes or rewrites a good one.
#pragma once

#include <stop_token>

#include "backup/progress.h"
#include "backup/repository/writer.h"

namespace qcbak {

struct RepairOptions {
  enum class Act { repair, only_report } act = Act::repair;
  const storage::ReadStorage* healthy_copy = nullptr;  // --from: whole objects are taken from there when their hash fits
};

struct RepairResult {
  std::vector<std::string> healed_objects;    // replaced by good bytes from the healthy copy
  std::vector<std::string> salvaged_packs;    // good records copied out of damaged packs, which are then condemned
  std::uint64_t records_salvaged = 0;
  std::uint64_t records_lost = 0;
  std::vector<std::string> indexes_rebuilt;
  struct Loss {
    std::string snapshot;  // id
    std::string path;
    std::string what;
  };
  std::vector<Loss> losses;  // what cannot be restored any more; with the reading key by file, else by chunk
};

// The caller holds the writer's lock.
RepairResult repair(const repository::WriteContext& context, const RepairOptions& options, Progress& progress,
                    std::stop_token stop);

}  // namespace qcbak
