#include "backup/verify.h"

#include <gmock/gmock.h>

#include <set>

#include "base/error.h"
#include "tests/backup/small_repository.h"

namespace qcbak::tests {
namespace {

using namespace repository;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using Kind = VerifyFinding::Kind;

struct Level {
  const char* name;
  Access access;
  VerifyOptions::Data data;
};
constexpr Level kKeyless{"keyless", Access::locked, VerifyOptions::Data::skip};
constexpr Level kMap{"map key", Access::write_only, VerifyOptions::Data::skip};
constexpr Level kStructure{"reading key, structure", Access::read, VerifyOptions::Data::skip};
constexpr Level kContent{"reading key, content", Access::read, VerifyOptions::Data::read};
constexpr Level kLevels[] = {kKeyless, kMap, kStructure, kContent};

VerifyResult verify_at(const storage::ReadStorage& storage, const Level& level, VerifyOptions options = {}) {
  const auto repository = open_test_repository(storage, level.access);
  options.data = level.data;
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

TEST(Verify, FindsNothingInAnIntactRepository) {
  const SmallRepository small;
  for (const Level& level : kLevels) {
    const VerifyResult result = verify_at(small.storage(), level);
    EXPECT_THAT(result.findings, IsEmpty()) << level.name << "\n" << text(result);
    EXPECT_TRUE(result.clean());
    EXPECT_EQ(result.snapshots, 3U);
    EXPECT_EQ(result.packs_read, result.packs);
    EXPECT_GE(result.packs, 4U);
    EXPECT_EQ(result.log_entries, 4U);
    EXPECT_EQ(result.chunks > 0, level.access != Access::locked);
  }
}

// Whatever byte of whatever object changes, every level finds it and names the object; packs and snapshots also name
// the snapshots that need what was lost; with the reading key, the files are exactly those that no longer can be read.
void flip_bytes(std::size_t step) {
  const SmallRepository small;
  std::size_t offset = 0;
  for (const storage::ObjectInfo& object : small.storage().list("")) {
    const bool is_pack = object.name.starts_with("packs/");
    for (std::uint64_t at = offset % step; at < object.size_bytes; at += step) {
      SCOPED_TRACE(object.name + " byte " + std::to_string(at));
      const auto medium = small.medium().copy();
      medium->flip_bit(object.name, at * 8 + at % 8);
      const simulated::SimulatedStorage storage(*medium);
      for (const Level& level : kLevels) {
        SCOPED_TRACE(level.name);
        VerifyResult result;
        try {
          result = verify_at(storage, level);
        } catch (const Error& error) {
          // What everything hangs on: it does not even open.
          ASSERT_FALSE(is_pack || object.name.starts_with("indexes/") || object.name.starts_with("snapshots/"))
              << error.what();
          ASSERT_THAT(error.code(), AnyOf(ErrorCode::damaged, ErrorCode::unsupported, ErrorCode::wrong_key));
          continue;
        }
        ASSERT_FALSE(result.clean()) << text(result);
        const VerifyFinding* finding = finding_of(result, object.name);
        ASSERT_NE(finding, nullptr) << text(result);
        if (object.name.starts_with("snapshots/")) {
          ASSERT_EQ(finding->snapshots.size(), 1U);
        }
        if (is_pack && level.access != Access::read) {
          ASSERT_THAT(finding->snapshots, Not(IsEmpty()));
        }
        if (!is_pack || level.access != Access::read) continue;
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
    }
    offset += object.size_bytes;
  }
}

TEST(Verify, FindsChangedBytesOfEveryObject) { flip_bytes(97); }

}  // namespace
}  // namespace qcbak::tests
