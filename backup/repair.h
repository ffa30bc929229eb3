// The verb repair: salvages what is good, puts new objects, and never removes or rewrites a good one. An object whose bytes
// do not match its name is replaced only by bytes that do. A damaged pack is not touched: what is good in it is copied to
// a new one, then the log condemns it, so that the next backup stores again what was lost.
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
  // With Act::only_report all of these say what would be done; what healing would bring is not looked into.
  std::vector<std::string> healed_objects;    // replaced by good bytes from the healthy copy
  std::vector<std::string> salvaged_packs;    // good records copied out of damaged packs, which are then condemned
  std::uint64_t records_salvaged = 0;
  std::uint64_t records_lost = 0;
  std::uint64_t references_rebuilt = 0;  // reference nodes made again from the trees they mirror, with the reading key
  std::vector<std::string> indexes_rebuilt;  // removed after new ones, from the packs' own directories, were put
  std::uint64_t packs_indexed = 0;           // that no good index listed
  std::vector<std::string> unproven_packs;   // damaged, and left as they are: only the reading key can tell what is good
  struct Loss {
    std::string snapshot;  // id
    std::string path;
    std::string what;
  };
  std::vector<Loss> losses;  // what cannot be restored any more; with the reading key by file, else by chunk
};

// Of the context's domain; objects that need no key are healed for all. The caller holds the writer's lock. A run that
// was interrupted can be done again, and one that follows a whole run changes nothing. Packs it condemned stay until they
// are collected.
RepairResult repair(const repository::WriteContext& context, const RepairOptions& options, Progress& progress,
                    std::stop_token stop);

// What must be whole before a repository can be opened at all: config, log and key objects. Missing and damaged ones are
// put back from a copy of the same repository, which proves each of them by its own chain of signatures. Returns their
// paths. Error(damaged) when the copy cannot be opened or is of another repository, and when the two logs part: then one
// of them was rolled back, which is not to be repaired. The caller holds the writer's lock.
std::vector<std::string> heal_foundations(storage::Storage& storage, const storage::ReadStorage& healthy_copy,
                                          RepairOptions::Act act);

}  // namespace qcbak
