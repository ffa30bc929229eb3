#include "tests/backup/damage_checks.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "base/error.h"

namespace qcbak::tests {

using namespace repository;
using ::testing::AnyOf;
using ::testing::IsEmpty;
using ::testing::Not;
using Kind = VerifyFinding::Kind;
using Act = RepairOptions::Act;

VerifyResult verify_at(const storage::ReadStorage& storage, const Level& level, VerifyOptions options) {
  const auto repository = open_test_repository(storage, level.access);
  options.data = level.data;
  options.threads = 1;
  Progress progress;
  return verify(*repository, options, progress, {});
}

const VerifyFinding* finding_of(const VerifyResult& result, const std::string& object) {
  for (const VerifyFinding& finding : result.findings)
    if (finding.object == object && finding.kind != Kind::superfluous) return &finding;
  return nullptr;
}

std::string text(const VerifyResult& result) {
  std::string all;
  for (const VerifyFinding& finding : result.findings) {
    all += finding.kind == Kind::damaged ? "damaged " : finding.kind == Kind::missing ? "missing " : "superfluous ";
    all += finding.object + ": " + finding.what + " [" + std::to_string(finding.snapshots.size()) + " snapshots, " +
           std::to_string(finding.files_affected) + " files]\n";
  }
  return all;
}

const ManualClock& clock_of_repairs() {
  static const ManualClock clock(Time{ManualClock::kStart.ns + 30 * kDayNs});
  return clock;
}

RepairResult run_repair(storage::Storage& storage, Access access, RepairOptions options) {
  static SeededRandom random(11);
  const auto repository = open_test_repository(storage, access);
  Progress progress;
  return repair({storage, *repository, repository->domain(""), clock_of_repairs(), random}, options, progress, {});
}

bool opens(const storage::ReadStorage& storage) {
  try {
    open_test_repository(storage, Access::read);
    return true;
  } catch (const Error&) {
    return false;
  }
}

std::map<std::string, Bytes> objects_of(const storage::ReadStorage& storage) {
  std::map<std::string, Bytes> objects;
  for (const storage::ObjectInfo& object : storage.list(""))
    objects.emplace(object.name, *storage.get(object.name, kPackLimit));
  return objects;
}

void expect_no_worse(const SmallRepository::Readable& before, const SmallRepository::Readable& after) {
  for (const auto& [snapshot, files] : before) {
    ASSERT_TRUE(after.contains(snapshot));
    for (const auto& [path, content] : files) {
      const auto at = after.at(snapshot).find(path);
      ASSERT_NE(at, after.at(snapshot).end()) << path << " could be read before the repair";
      ASSERT_EQ(at->second, content);
    }
  }
}

void expect_damage_is_found(const SmallRepository& small, const storage::ReadStorage& storage, const Level& level,
                            const std::string& object) {
  SCOPED_TRACE(level.name);
  const bool is_pack = object.starts_with("packs/");
  VerifyResult result;
  try {
    result = verify_at(storage, level);
  } catch (const Error& error) {
    // What everything hangs on: it does not even open.
    ASSERT_FALSE(is_pack || object.starts_with("indexes/") || object.starts_with("snapshots/"))
        << error.what();
    ASSERT_THAT(error.code(), AnyOf(ErrorCode::damaged, ErrorCode::unsupported, ErrorCode::wrong_key));
    return;
  }
  ASSERT_FALSE(result.clean()) << text(result);
  const VerifyFinding* finding = finding_of(result, object);
  ASSERT_NE(finding, nullptr) << text(result);
  if (object.starts_with("snapshots/")) {
    ASSERT_EQ(finding->snapshots.size(), 1U);
  }
  if (is_pack && level.access != Access::read) {
    ASSERT_THAT(finding->snapshots, Not(IsEmpty()));
  }
  if (!is_pack || level.access != Access::read) return;
  const SmallRepository::Readable readable = SmallRepository::readable(storage);
  std::set<std::string> lost;
  for (const auto& [snapshot, files] : small.snapshots())
    for (const auto& [path, content] : files)
      if (!readable.at(snapshot).contains(path)) lost.insert("/" + path);
  ASSERT_EQ(finding->files_affected, finding->files.size());
  for (const std::string& path : lost) {
    const auto covers = [&](const std::string& named) {
      return named == path || (named.ends_with('/') && path.starts_with(named));
    };
    ASSERT_TRUE(std::any_of(finding->files.begin(), finding->files.end(), covers)) << path << "\n" << text(result);
  }
  if (lost.empty()) {
    ASSERT_THAT(finding->files, IsEmpty());
  }
}

void expect_good_repair(const SmallRepository& small, simulated::Medium& medium, Access access, const std::string& object) {
  simulated::SimulatedStorage storage(medium);
  const auto before = SmallRepository::readable(storage);
  const auto objects_before = objects_of(storage);

  RepairOptions only_report;
  only_report.act = Act::only_report;
  const RepairResult planned = run_repair(storage, access, only_report);
  ASSERT_EQ(objects_of(storage), objects_before) << "a dry run changed something";
  const RepairResult result = run_repair(storage, access);
  ASSERT_EQ(planned.salvaged_packs, result.salvaged_packs);
  ASSERT_EQ(planned.records_salvaged, result.records_salvaged);
  ASSERT_EQ(planned.losses.size(), result.losses.size());

  const auto after = SmallRepository::readable(storage);
  expect_no_worse(before, after);
  if (::testing::Test::HasFatalFailure()) return;
  for (const auto& [name, bytes] : objects_before) {
    const auto now = storage.get(name, kPackLimit);
    ASSERT_TRUE((now && *now == bytes) || name.starts_with("indexes/")) << name << " was touched";
  }
  if (access == Access::read) {
    for (const auto& [snapshot, files] : small.snapshots()) {
      if (!after.contains(snapshot)) continue;  // its commit is lost
      for (const auto& [path, content] : files) {
        if (after.at(snapshot).contains(path)) continue;
        const bool is_named = std::any_of(result.losses.begin(), result.losses.end(), [&](const RepairResult::Loss& loss) {
          return loss.snapshot == snapshot.hex() &&
                 (loss.path.empty() || loss.path == "/" + path ||
                  (loss.path.ends_with('/') && ("/" + path).starts_with(loss.path)));
        });
        ASSERT_TRUE(is_named) << path;
      }
    }
    if (object.starts_with("indexes/")) {
      ASSERT_TRUE(verify_at(storage, kContent).clean()) << text(verify_at(storage, kContent));
    }
    if (object.starts_with("packs/") || object.starts_with("indexes/")) {
      ASSERT_EQ(verify_at(storage, kContent).clean(), result.losses.empty()) << text(verify_at(storage, kContent));
    }
  }

  const auto objects_after = objects_of(storage);
  const std::uint64_t mutations = storage.counters().mutations;
  const RepairResult again = run_repair(storage, access);
  ASSERT_EQ(storage.counters().mutations, mutations) << "a second repair changed something";
  ASSERT_EQ(objects_of(storage), objects_after);
  ASSERT_EQ(again.losses.size(), result.losses.size());

  if (access != Access::read || !object.starts_with("packs/")) return;
  SeededRandom random(12);
  for (const auto& [id, files] : small.snapshots()) {
    const auto repository = open_test_repository(storage, Access::write_only);
    StoreOptions options;
    options.chunk_bytes = SmallRepository::kChunkBytes;
    store_snapshot({storage, *repository, repository->domain(""), clock_of_repairs(), random}, files, options);
  }
  const auto whole = SmallRepository::readable(storage);
  for (const auto& [id, files] : small.snapshots()) ASSERT_EQ(whole.at(id), files);
  ASSERT_TRUE(verify_at(storage, kContent).clean()) << text(verify_at(storage, kContent));
}

}  // namespace qcbak::tests
