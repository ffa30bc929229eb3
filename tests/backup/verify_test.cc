#include "backup/verify.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "tests/backup/damage_checks.h"

namespace qcbak::tests {
namespace {

using namespace repository;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = VerifyFinding::Kind;

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

// The end of the log and indexes are what a repository can be without: nothing shows that there were more.
TEST(Verify, FindsWhatIsMissingOrCutOff) {
  const SmallRepository small;
  for (const storage::ObjectInfo& object : small.storage().list("")) {
    for (const bool lost : {true, false}) {
      SCOPED_TRACE(object.name + (lost ? " lost" : " cut off"));
      if (lost && (object.name.starts_with("indexes/") || object.name == log_path(4))) continue;
      const auto medium = small.medium().copy();
      if (lost) medium->lose(object.name);
      else medium->truncate(object.name, object.size_bytes - 1);
      const simulated::SimulatedStorage storage(*medium);
      for (const Level& level : kLevels) {
        SCOPED_TRACE(level.name);
        VerifyResult result;
        try {
          result = verify_at(storage, level);
        } catch (const Error& error) {
          ASSERT_FALSE(object.name.starts_with("packs/") || object.name.starts_with("snapshots/")) << error.what();
          continue;
        }
        EXPECT_FALSE(result.clean());
        // A gap in the log hides what comes after it.
        if (object.name.starts_with("log/")) continue;
        const VerifyFinding* finding = finding_of(result, object.name);
        ASSERT_NE(finding, nullptr) << text(result);
        EXPECT_EQ(finding->kind, lost ? Kind::missing : Kind::damaged);
        if (object.name.starts_with("packs/")) {
          EXPECT_FALSE(finding->snapshots.empty());
          if (level.access == Access::read) {
            EXPECT_EQ(finding->files.empty(), finding->files_affected == 0);
          }
        }
      }
    }
  }
}

TEST(Verify, AMissingIndexIsNoDamage) {
  const SmallRepository small;
  for (const storage::ObjectInfo& object : small.storage().list("indexes/")) {
    const auto medium = small.medium().copy();
    medium->lose(object.name);
    const VerifyResult result = verify_at(simulated::SimulatedStorage(*medium), kContent);
    EXPECT_TRUE(result.clean()) << text(result);
    EXPECT_FALSE(result.findings.empty());
  }
}

TEST(Verify, FindsSwappedObjects) {
  const SmallRepository small;
  for (const char* kind : {"packs/", "indexes/", "snapshots/"}) {
    const auto objects = small.storage().list(kind);
    for (std::size_t i = 1; i < objects.size(); ++i) {
      const auto medium = small.medium().copy();
      medium->swap(objects[0].name, objects[i].name);
      for (const Level& level : kLevels) {
        const VerifyResult result = verify_at(simulated::SimulatedStorage(*medium), level);
        EXPECT_NE(finding_of(result, objects[0].name), nullptr) << text(result);
        EXPECT_NE(finding_of(result, objects[i].name), nullptr) << text(result);
      }
    }
  }
  const auto medium = small.medium().copy();
  medium->swap(log_path(2), log_path(3));
  EXPECT_THROW(verify_at(simulated::SimulatedStorage(*medium), kKeyless), Error);
}

// Objects of another repository are intact and mean nothing here; under the name of ours they are not what was stored.
TEST(Verify, TellsForeignObjects) {
  const SmallRepository small, stranger(8);
  for (const storage::ObjectInfo& object : stranger.storage().list("")) {
    if (object.name.starts_with("log/") || object.name == kConfigPath) continue;
    SCOPED_TRACE(object.name);
    const Bytes foreign = *stranger.storage().get(object.name, kPackLimit);
    const auto medium = small.medium().copy();
    medium->plant(object.name, foreign);
    for (const Level& level : kLevels) {
      const VerifyResult result = verify_at(simulated::SimulatedStorage(*medium), level);
      EXPECT_TRUE(result.clean()) << text(result);
      ASSERT_EQ(result.findings.size(), 1U) << text(result);
      EXPECT_EQ(result.findings.front().object, object.name);
    }
    const std::string kind = object.name.substr(0, object.name.find('/') + 1);
    if (kind == "keys/") continue;
    for (const storage::ObjectInfo& ours : small.storage().list(kind)) {
      const auto replaced = small.medium().copy();
      replaced->plant(ours.name, foreign);
      for (const Level& level : kLevels) {
        const VerifyResult result = verify_at(simulated::SimulatedStorage(*replaced), level);
        EXPECT_NE(finding_of(result, ours.name), nullptr) << text(result);
      }
    }
  }
}

TEST(Verify, FindsAnIndexThatLies) {
  const SmallRepository small;
  for (const bool nowhere : {true, false}) {
    const auto medium = small.medium().copy();
    simulated::SimulatedStorage storage(*medium);
    std::string path;
    {
      const auto repository = open_test_repository(storage, Access::write_only);
      const DomainKeys& domain = repository->domain("");
      const Binding binding = repository->binding(domain.id);
      const std::string old = storage.list("indexes/").front().name;
      const IndexSegment segment = IndexSegment::parse(open_index(binding, domain, *storage.get(old, kIndexLimit)));
      std::vector<IndexEntry> entries;
      for (std::size_t i = 0; i < segment.entry_count(); ++i) entries.push_back(segment.entry(i));
      if (nowhere) entries.front().offset += 1;
      else entries.pop_back();
      const Bytes index = seal_index(binding, domain.current_epoch(), encode_index(segment.packs(), entries), small.random());
      path = index_path(name_of(index));
      medium->plant(path, index);
      medium->lose(old);
    }
    EXPECT_TRUE(verify_at(storage, kKeyless).clean());
    for (const Level& level : {kMap, kContent}) {
      const VerifyResult result = verify_at(storage, level);
      EXPECT_NE(finding_of(result, path), nullptr) << text(result);
    }
    expect_good_repair(small, *medium, Access::read, path);
    EXPECT_TRUE(verify_at(storage, kContent).clean());
  }
}

TEST(Verify, FindsAReferenceTreeOfOtherFiles) {
  const SmallRepository small;
  const auto medium = small.medium().copy();
  simulated::SimulatedStorage storage(*medium);
  SnapshotId liar;
  {
    const auto repository = open_test_repository(storage, Access::write_only);
    const WriteContext context{storage, *repository, repository->domain(""), small.clock(), small.random()};
    StoredFiles one = store_files(context, {{"a", to_bytes(as_bytes("one"))}});
    const StoredFiles other = store_files(context, {{"b", to_bytes(as_bytes("other"))}});
    one.header.reference_root = other.header.reference_root;
    liar = commit_snapshot(context, std::move(one.header), std::move(one.body), other.packs);
  }
  for (const Level& level : {kStructure, kContent}) {
    const VerifyResult result = verify_at(storage, level);
    ASSERT_FALSE(result.clean());
    EXPECT_THAT(result.findings.front().snapshots, ElementsAre(liar.hex())) << text(result);
  }
}

// Packs that were collected are still in the lists of the snapshots of that time.
TEST(Verify, KnowsWhatWasCollected) {
  const SmallRepository small;
  const auto medium = small.medium().copy();
  simulated::SimulatedStorage storage(*medium);
  const storage::ObjectInfo pack = storage.list("packs/").front();
  const ObjectName name = *name_from_path(pack.name);
  medium->flip_bit(pack.name, pack.size_bytes * 8 - 1);  // in the trailer: all of its records are good, and move
  EXPECT_THAT(run_repair(storage).salvaged_packs, ElementsAre(pack.name));
  EXPECT_TRUE(verify_at(storage, kContent).clean());
  EXPECT_FALSE(verify_at(storage, kKeyless).clean());
  storage.remove(pack.name);
  {
    const auto repository = open_test_repository(storage, Access::write_only);
    append_log({storage, *repository, repository->domain(""), small.clock(), small.random()},
               [&] { return LogEvent(Collection{{name}}); });
  }
  EXPECT_TRUE(verify_at(storage, kKeyless).clean()) << text(verify_at(storage, kKeyless));
  // Its index still lists it, which is why a collection puts new indexes first.
  for (const VerifyFinding& finding : verify_at(storage, kContent).findings)
    EXPECT_TRUE(finding.object.starts_with("indexes/")) << finding.object;
  run_repair(storage);
  for (const Level& level : kLevels) EXPECT_TRUE(verify_at(storage, level).clean()) << text(verify_at(storage, level));
}

// Whichever read fails, the result is an error or a finding.
TEST(Verify, NeverEndsCleanWhenTheMediumFails) {
  const SmallRepository small;
  for (const Level& level : kLevels) {
    for (std::uint64_t read = 1;; ++read) {
      SCOPED_TRACE(std::string(level.name) + " read " + std::to_string(read));
      simulated::SimulatedStorage storage(small.medium());
      storage.fail_read(read);
      bool clean = false;
      try {
        clean = verify_at(storage, level).clean();
      } catch (const Error&) {
      }
      if (storage.counters().reads < read) break;
      ASSERT_FALSE(clean);
    }
  }
}

TEST(Verify, ReadsEveryPackInTurnWhenItSamples) {
  const SmallRepository small;
  VerifyOptions options;
  options.sample = 0.3;
  std::uint64_t read = 0, packs = 0;
  constexpr std::uint64_t kDays = 30;
  for (options.day = 20'000; options.day < 20'000 + kDays; ++options.day) {
    const VerifyResult result = verify_at(small.storage(), kContent, options);
    EXPECT_TRUE(result.clean());
    read += result.packs_read;
    packs = result.packs;
  }
  EXPECT_NEAR(static_cast<double>(read), 0.3 * static_cast<double>(packs * kDays), static_cast<double>(packs));

  // Whichever pack is damaged: within 1/0.3 days it is its turn.
  for (const storage::ObjectInfo& pack : small.storage().list("packs/")) {
    const auto medium = small.medium().copy();
    medium->flip_bit(pack.name, (pack.size_bytes / 2) * 8);
    bool found = false;
    for (options.day = 20'000; options.day < 20'004; ++options.day)
      found |= finding_of(verify_at(simulated::SimulatedStorage(*medium), kKeyless, options), pack.name) != nullptr;
    EXPECT_TRUE(found);
  }
}

TEST(Verify, LooksOnlyAtTheSnapshotsAskedFor) {
  const SmallRepository small;
  for (const auto& [id, files] : small.snapshots()) {
    VerifyOptions options;
    options.snapshots = {id};
    const StoredSnapshot stored = [&, snapshot = id] {
      const auto repository = open_test_repository(small.storage(), Access::locked);
      return repository->stored_snapshot(repository->log().snapshots.at(snapshot));
    }();
    for (const Level& level : kLevels) {
      const VerifyResult result = verify_at(small.storage(), level, options);
      EXPECT_TRUE(result.clean());
      EXPECT_EQ(result.snapshots, 1U);
      EXPECT_EQ(result.packs_read, stored.packs.size());
    }
  }
  VerifyOptions options;
  options.snapshots = {SnapshotId()};
  EXPECT_THROW(verify_at(small.storage(), kKeyless, options), Error);
}

TEST(Verify, StopsWhenAsked) {
  const SmallRepository small;
  const auto repository = open_test_repository(small.storage(), Access::read);
  std::stop_source source;
  source.request_stop();
  Progress progress;
  try {
    verify(*repository, {}, progress, source.get_token());
    FAIL() << "it went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::interrupted);
  }
}

}  // namespace
}  // namespace qcbak::tests
