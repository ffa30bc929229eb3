#include "backup/repository/collect.h"

#include <gmock/gmock.h>

#include <set>

#include "backup/repository/chunk_reader.h"
#include "base/error.h"
#include "tests/repository/world.h"

namespace qcbak::repository {
namespace {

using testing::IsEmpty;
using testing::SizeIs;
using namespace tests;
using simulated::Medium;
using simulated::SimulatedStorage;

const CollectOptions kExclusive;

class CollectTest : public testing::Test, protected World {
 protected:
  CollectTest() : World(1) {}
  CollectResult collect_with(const CollectOptions& options) { return World::collect(options); }
  void expect_all_readable() { expect_whole(); }

  // Two snapshots of which the second needs only the first file of the first, which is forgotten.
  void mostly_unneeded() {
    Files files = files_of(8);
    const SnapshotId first = backup(files);
    files.erase(std::next(files.begin()), files.end());
    backup(files);
    forget(first);
  }
};

TEST_F(CollectTest, NothingIsUnneeded) {
  backup(files_of(3));
  backup(files_of(3));
  const auto before = names("");
  const CollectResult result = collect_with(kExclusive);
  EXPECT_EQ(result.packs_before, 4U);
  EXPECT_EQ(result.packs_removed + result.packs_condemned + result.packs_rewritten, 0U);
  EXPECT_EQ(result.bytes_freed, 0U);
  EXPECT_GT(result.chunks_needed, 6U);
  EXPECT_EQ(names(""), before);
}

TEST_F(CollectTest, AnEmptyRepository) {
  EXPECT_EQ(collect_with(kExclusive).packs_before, 0U);
  EXPECT_EQ(collect_with(with_grace()).packs_before, 0U);
}

TEST_F(CollectTest, WhatOnlyAForgottenSnapshotNeededGoes) {
  backup(files_of(3));
  const std::uint64_t before = medium().used_bytes();
  const SnapshotId gone = backup(files_of(3));
  forget(gone);
  const CollectResult result = collect_with(kExclusive);
  EXPECT_EQ(result.packs_removed, 2U);
  EXPECT_EQ(result.snapshot_objects_removed, 1U);
  EXPECT_EQ(result.packs_rewritten, 0U);
  EXPECT_LT(medium().used_bytes(), before + 4096);
  EXPECT_THAT(names("packs/"), SizeIs(2));
  EXPECT_THAT(names("indexes/"), SizeIs(1));
  EXPECT_THAT(names("snapshots/"), SizeIs(1));
  expect_all_readable();
  // Done: nothing is condemned, and there is nothing to do.
  EXPECT_THAT(Process(*this).repository->log().condemned, IsEmpty());
  const auto objects = names("");
  collect_with(kExclusive);
  EXPECT_EQ(names(""), objects);
}

TEST_F(CollectTest, EverythingForgotten) {
  forget(backup(files_of(3)));
  collect_with(kExclusive);
  EXPECT_THAT(names("packs/"), IsEmpty());
  EXPECT_THAT(names("indexes/"), IsEmpty());
  EXPECT_THAT(names("snapshots/"), IsEmpty());
  backup(files_of(3));
  expect_all_readable();
}

TEST_F(CollectTest, PartlyUnneededPacksAreRewritten) {
  mostly_unneeded();
  const CollectResult result = collect_with(kExclusive);
  EXPECT_GE(result.packs_rewritten, 1U);
  EXPECT_GT(result.bytes_freed, 100'000U);
  expect_all_readable();
  const auto objects = names("");
  EXPECT_EQ(collect_with(kExclusive).packs_rewritten, 0U);
  EXPECT_EQ(names(""), objects);
}

TEST_F(CollectTest, PacksBelowTheLimitOfWasteStay) {
  Files files = files_of(20);
  const SnapshotId first = backup(files);
  files.erase(files.begin());
  backup(files);
  forget(first);
  EXPECT_EQ(collect_with(kExclusive).packs_rewritten, 0U);
  CollectOptions eager;
  eager.waste = 0;
  EXPECT_GE(collect_with(eager).packs_rewritten, 1U);
  expect_all_readable();
}

TEST_F(CollectTest, AReportChangesNothing) {
  mostly_unneeded();
  const auto before = names("");
  CollectOptions options;
  options.act = CollectOptions::Act::only_report;
  const CollectResult report = collect_with(options);
  EXPECT_EQ(names(""), before);
  const CollectResult real = collect_with(kExclusive);
  EXPECT_EQ(report.packs_removed, real.packs_removed);
  EXPECT_EQ(report.packs_rewritten, real.packs_rewritten);
  EXPECT_EQ(report.packs_condemned, real.packs_condemned);
}

TEST_F(CollectTest, WhatRunsThatDiedLeftBehindGoes) {
  backup(files_of(2));
  const auto before = names("");
  {
    Process dead(*this);
    store_files(dead.context, files_of(3));
    // And one that died after its snapshot object.
    SnapshotHeader header;
    header.reference_root = random().id<ChunkId>();
    const Binding binding = dead.repository->binding(dead.context.domain.id);
    SnapshotBody body;
    body.root = to_bytes(as_bytes("\x80"));  // an empty array: nobody looks
    const Bytes stored = encode_snapshot(
        binding, dead.context.domain.current_epoch(),
        new_data_segment(binding, new_run_key(dead.context.domain, random()), random()), {}, header, body, random());
    dead.storage.put(snapshot_path(name_of(stored)), stored);
  }
  const CollectResult result = collect_with(kExclusive);
  EXPECT_EQ(result.snapshot_objects_removed, 1U);
  EXPECT_EQ(result.packs_removed, 2U);
  std::vector<std::string> after = names("");
  std::erase_if(after, [](const std::string& name) { return name.starts_with("log/"); });
  std::vector<std::string> expected = before;
  std::erase_if(expected, [](const std::string& name) { return name.starts_with("log/"); });
  EXPECT_EQ(after, expected);
  expect_all_readable();
}

TEST_F(CollectTest, WithGraceRunningBackupsKeepWhatTheyStored) {
  Process running(*this);
  const Files files = files_of(3);
  StoredFiles stored = store_files(running.context, files);
  EXPECT_EQ(collect_with(with_grace()).packs_condemned, 2U);
  EXPECT_THAT(names("packs/"), SizeIs(2));
  promised()[commit_snapshot(running.context, stored.header, stored.body, stored.packs)] = files;
  clock().advance(kGraceNs);
  EXPECT_EQ(collect_with(with_grace()).packs_removed, 2U);
  expect_all_readable();
}

TEST_F(CollectTest, NothingGoesBeforeItsGrace) {
  forget(backup(files_of(3)));
  const CollectResult first = collect_with(with_grace());
  EXPECT_EQ(first.packs_condemned, 2U);
  EXPECT_EQ(first.packs_removed, 0U);
  clock().advance(kGraceNs - 1);
  EXPECT_EQ(collect_with(with_grace()).packs_removed, 0U);
  EXPECT_EQ(collect_with(with_grace()).packs_condemned, 0U);
  clock().advance(1);
  EXPECT_EQ(collect_with(with_grace()).packs_removed, 2U);
  EXPECT_THAT(names("packs/"), IsEmpty());
}

TEST_F(CollectTest, CondemnedChunksAreStoredAgain) {
  const Files files = files_of(3);
  forget(backup(files));
  collect_with(with_grace());
  backup(files);
  EXPECT_THAT(names("packs/"), SizeIs(4));
  clock().advance(kGraceNs);
  collect_with(with_grace());
  EXPECT_THAT(names("packs/"), SizeIs(2));
  expect_all_readable();
}

// A pack that a snapshot needs nevertheless (committed between mark and condemnation) is copied out before it goes.
TEST_F(CollectTest, WhatWasCommittedBetweenMarkAndCondemnationIsCopiedOut) {
  const Files files = files_of(3);
  const SnapshotId first = backup(files);
  Process running(*this);
  Files more = files;
  more["new"] = random_content(random(), 1000);
  StoredFiles stored = store_files(running.context, more);
  forget(first);
  {
    Process collector(*this);
    bool done = false;
    collector.storage.before_mutations([&](SimulatedStorage::Call, std::string_view name) {
      if (!name.starts_with("log/") || std::exchange(done, true)) return;
      promised()[commit_snapshot(running.context, stored.header, stored.body, stored.packs)] = more;
    });
    repository::collect(collector.context, with_grace(), {});
    EXPECT_TRUE(done);
  }
  expect_all_readable();
  clock().advance(kGraceNs);
  EXPECT_GE(collect_with(with_grace()).packs_rewritten, 1U);
  expect_all_readable();
  EXPECT_THAT(Process(*this).repository->log().condemned, IsEmpty());
}

// A run that began before anything was condemned, relies on what was, and commits at any step of a collection.
TEST_F(CollectTest, ARunThatCommitsWhileWhatItReliesOnGoes) {
  enum class When { exclusively, condemning, removing };
  for (const When when : {When::exclusively, When::condemning, When::removing}) {
    for (std::uint64_t step = 1;; ++step) {
      const Files files = files_of(3, 6000);
      const SnapshotId base = backup(files);
      Files more = files;
      more["new"] = random_content(random(), 1000);
      Process running(*this);
      const StoredFiles stored = store_files(running.context, more);
      forget(base);
      if (when == When::removing) {
        collect_with(with_grace());
        clock().advance(kGraceNs);
      }
      Process collector(*this);
      std::uint64_t steps = 0;
      collector.storage.before_mutations([&](SimulatedStorage::Call, std::string_view) {
        if (++steps != step) return;
        try {
          promised()[commit_snapshot(running.context, stored.header, stored.body, stored.packs)] = more;
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), ErrorCode::damaged) << error.what();
        }
      });
      repository::collect(collector.context, when == When::exclusively ? exclusively() : with_grace(), {});
      expect_all_readable();
      clock().advance(kGraceNs);
      collect_with(with_grace());
      expect_all_readable();
      forget_all();
      collect_with(kExclusive);
      if (steps < step) break;
    }
  }
}

TEST_F(CollectTest, ManyIndexObjectsAreMerged) {
  for (int i = 0; i < 17; ++i) backup(files_of(1, 500));
  EXPECT_THAT(names("indexes/"), SizeIs(17));
  Process process(*this);
  const auto entries_of = [&] {
    std::set<std::tuple<ChunkId, ObjectName, std::uint32_t, std::uint32_t, std::uint32_t>> entries;
    const auto repository = open_test_repository(process.storage, Access::write_only);
    for (const IndexSegment& segment : repository->index(repository->domain("")).segments())
      for (std::size_t at = 0; at < segment.entry_count(); ++at) {
        const IndexEntry entry = segment.entry(at);
        entries.emplace(entry.id, segment.packs()[entry.pack].name, entry.offset, entry.stored_length, entry.length);
      }
    return entries;
  };
  const auto before = entries_of();
  merge_indexes(process.context);
  EXPECT_THAT(names("indexes/"), SizeIs(1));
  EXPECT_EQ(entries_of(), before);
  merge_indexes(process.context);
  EXPECT_THAT(names("indexes/"), SizeIs(1));
  expect_all_readable();
}

class TwoDomains : public CollectTest {
 protected:
  static std::unique_ptr<Repository> made(SimulatedStorage& storage, World& world) {
    TestRepositoryOptions options;
    options.domains = {"one", "two"};
    create_test_repository(storage, world.clock(), world.random(), options);
    return open_test_repository(storage, Access::write_only);
  }
  Medium medium;
  SimulatedStorage storage{medium};
  const std::unique_ptr<Repository> repository = made(storage, *this);
  const WriteContext one{storage, *repository, repository->domain("one"), clock(), random()};
  const WriteContext two{storage, *repository, repository->domain("two"), clock(), random()};
};

TEST_F(TwoDomains, EachCollectsItsOwn) {
  const Files files = files_of(2);
  const SnapshotId in_one = store_snapshot(one, files);
  const SnapshotId in_two = store_snapshot(two, files);
  append_log(one, [&] { return Tombstone{{in_one}, ""}; });
  EXPECT_EQ(repository::collect(two, kExclusive, {}).packs_removed, 0U);
  EXPECT_EQ(repository::collect(one, kExclusive, {}).packs_removed, 2U);
  EXPECT_EQ(read_snapshot(*open_test_repository(storage, Access::read), in_two), files);
}

// A writer of one domain names the packs of another, which it cannot read: that must not touch them.
TEST_F(TwoDomains, CondemnationsOfTheOtherCountForNothing) {
  const Files files = files_of(2);
  const SnapshotId in_one = store_snapshot(one, files);
  std::vector<ObjectName> packs;
  for (const storage::ObjectInfo& object : storage.list("packs/")) packs.push_back(*name_from_path(object.name));
  append_log(two, [&] { return Condemnation{packs}; });
  append_log(two, [&] { return Collection{packs}; });
  append_log(two, [&] { return Condemnation{packs}; });

  EXPECT_EQ(repository::collect(two, kExclusive, {}).packs_removed, 0U);
  EXPECT_EQ(repository::collect(one, kExclusive, {}).packs_removed, 0U);
  EXPECT_THAT(storage.list("packs/"), SizeIs(packs.size()));
  // What is there is used again: nothing but an entry and a snapshot object is added.
  for (const ObjectName& pack : packs) EXPECT_TRUE(repository->index(one.domain).counts(pack));
  const auto reopened = open_test_repository(storage, Access::read);
  for (const ObjectName& pack : packs) EXPECT_TRUE(reopened->index(reopened->domain("one")).counts(pack));
  EXPECT_EQ(read_snapshot(*reopened, in_one), files);
}

TEST_F(CollectTest, AStopLeavesARepositoryThatTheNextRunFinishes) {
  mostly_unneeded();
  std::stop_source stopper;
  stopper.request_stop();
  {
    Process process(*this);
    EXPECT_THROW(repository::collect(process.context, kExclusive, stopper.get_token()), Error);
  }
  expect_all_readable();
  collect_with(kExclusive);
  expect_all_readable();
}

// ---- What happened to others: design notes "Real failures and the lesson" ----

// rustic 392: a pack that holds a chunk twice, and another copy elsewhere, was judged unneeded.
TEST_F(CollectTest, APackWithDuplicatesIsJudgedByPackAndOffset) {
  const Files files = files_of(4);
  const SnapshotId first = backup(files);
  // The same chunks again: stored by a run that did not see the first one's packs.
  const auto second_copies = [&] {
    Process blind(*this);
    for (const IndexedPack& pack : blind.repository->index(blind.context.domain).packs())
      blind.repository->index(blind.context.domain).exclude(pack.name);
    StoredFiles stored = store_files(blind.context, files);
    promised()[commit_snapshot(blind.context, stored.header, stored.body, stored.packs)] = files;
    return stored.packs;
  }();
  EXPECT_THAT(names("packs/"), SizeIs(4));
  // And a pack that holds one chunk twice.
  {
    Process process(*this);
    const Binding binding = process.repository->binding(process.context.domain.id);
    const PackReader source(process.storage, second_copies.front(), binding, process.context.domain);
    PackBuilder builder;
    for (int twice = 0; twice < 2; ++twice) {
      for (const PackRecord& record : source.table().records) {
        Bytes bytes(record.stored_length);
        source.fetch(record, bytes);
        builder.add(source.table().segments[record.segment], record.info, bytes);
      }
    }
    const FinishedPack pack = builder.finish(binding, process.context.domain.current_epoch(), random());
    process.storage.put(pack_path(pack.name), pack.bytes());
  }
  EXPECT_EQ(collect_with(kExclusive).packs_removed, 3U);
  EXPECT_THAT(names("packs/"), SizeIs(2));
  expect_all_readable();
  forget(first);
  collect_with(kExclusive);
  expect_all_readable();
}

// Giving up the good one of two copies.
TEST_F(CollectTest, OfTwoCopiesTheIntactOneIsKept) {
  for (const bool damage_the_first : {false, true}) {
    Files files = files_of(4);
    const std::size_t packs_before = names("packs/").size();
    backup(files);
    const auto before = names("packs/");
    Process blind(*this);
    for (const IndexedPack& pack : blind.repository->index(blind.context.domain).packs())
      blind.repository->index(blind.context.domain).exclude(pack.name);
    promised()[store_snapshot(blind.context, files)] = files;
    ASSERT_THAT(names("packs/"), SizeIs(packs_before + 4));
    const std::set<std::string> old(before.begin(), before.end());
    for (const std::string& name : names("packs/"))
      if (old.contains(name) == damage_the_first) medium().flip_bit(name, 8 * 1000);
    collect_with(kExclusive);
    expect_all_readable();
    forget_all();
    collect_with(kExclusive);
  }
}

// PBS PSA-2025-00019-1: a snapshot based on another appeared during the run, and the other was forgotten before it had
// been marked; also at every other step.
TEST_F(CollectTest, ASnapshotBasedOnOneThatIsForgottenMeanwhile) {
  for (const bool grace : {false, true}) {
    for (std::uint64_t step = 1;; ++step) {
      const Files files = files_of(3);
      const SnapshotId base = backup(files);
      forget(backup(files_of(2)));  // something to collect
      Process collector(*this);
      std::uint64_t steps = 0;
      collector.storage.before_mutations([&](SimulatedStorage::Call, std::string_view) {
        if (++steps != step) return;
        Files more = files;
        more["new"] = random_content(random(), 1000);
        backup(more);
        forget(base);
      });
      repository::collect(collector.context, grace ? with_grace() : kExclusive, {});
      expect_all_readable();
      clock().advance(kGraceNs);
      collect_with(grace ? with_grace() : kExclusive);
      expect_all_readable();
      forget_all();
      collect_with(kExclusive);
      if (steps < step) break;
    }
  }
}

// borg 4829: an index that was wrong about where a chunk lies, and a chunk that nothing missed until it was restored.
TEST_F(CollectTest, AnIndexThatIsWrongAboutAChunkDoesNotCostIt) {
  backup(files_of(1));
  const auto other = names("packs/");
  backup(files_of(2));
  for (const bool real_one_too : {false, true}) {
    // Every chunk is said to lie in a pack that does not have it.
    Process process(*this);
    const auto& domain = process.context.domain;
    const Binding binding = process.repository->binding(domain.id);
    std::vector<IndexedPack> packs;
    std::vector<IndexEntry> entries;
    const ObjectName liar = *name_from_path(other.front());
    packs.push_back({liar, static_cast<std::uint32_t>(*process.storage.size(other.front()))});
    const auto indexes = names("indexes/");
    for (const IndexSegment& segment : process.repository->index(domain).segments()) {
      for (const IndexedPack& pack : segment.packs())
        if (pack.name != liar) packs.push_back(pack);
      for (std::size_t at = 0; at < segment.entry_count(); ++at) {
        IndexEntry entry = segment.entry(at);
        entry.pack = 0;
        entries.push_back(entry);
      }
    }
    const auto whole = medium().copy();
    const Bytes wrong = seal_index(binding, domain.current_epoch(), encode_index(packs, entries), random());
    process.storage.put(index_path(name_of(wrong)), wrong);
    if (!real_one_too)
      for (const std::string& index : indexes) medium().lose(index);
    try {
      CollectOptions eager;
      eager.waste = 0;
      collect_with(eager);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::damaged);
    }
    // With its index objects gone, everything is found again.
    for (const std::string& index : names("indexes/")) medium().lose(index);
    expect_all_readable();
    medium().restore(*whole);
  }
}

// kopia 5371: a compaction of the index that started from too little made contents vanish.
TEST_F(CollectTest, IndexObjectsThatDisagreeAreNotMerged) {
  backup(files_of(2));
  Process process(*this);
  const auto& domain = process.context.domain;
  const Binding binding = process.repository->binding(domain.id);
  const IndexSegment segment = process.repository->index(domain).segments().front();
  std::vector<IndexEntry> entries;
  for (std::size_t at = 0; at < segment.entry_count(); ++at) entries.push_back(segment.entry(at));
  entries.front().stored_length += 1;
  const Bytes wrong = seal_index(binding, domain.current_epoch(), encode_index(segment.packs(), entries), random());
  process.storage.put(index_path(name_of(wrong)), wrong);
  for (int i = 0; i < 17; ++i) backup(files_of(1, 500));
  const auto before = names("indexes/");
  merge_indexes(process.context);
  EXPECT_EQ(names("indexes/"), before);
  expect_all_readable();
}

// An index object that names a pack but only some of its chunks must not hide the others.
TEST_F(CollectTest, AnIncompleteIndexObjectBesideAWholeOneLosesNothingInAMerge) {
  backup(files_of(2));
  Process process(*this);
  const auto& domain = process.context.domain;
  const Binding binding = process.repository->binding(domain.id);
  const IndexSegment segment = process.repository->index(domain).segments().front();
  std::vector<IndexEntry> entries;
  for (std::size_t at = 0; at < segment.entry_count() / 2; ++at) entries.push_back(segment.entry(at));
  const Bytes partial = seal_index(binding, domain.current_epoch(), encode_index(segment.packs(), entries), random());
  process.storage.put(index_path(name_of(partial)), partial);
  for (int i = 0; i < 17; ++i) backup(files_of(1, 500));
  merge_indexes(process.context);
  EXPECT_THAT(names("indexes/"), SizeIs(1));
  expect_all_readable();
}

// restic, prune of 2020: a listing that was cut off left packs out, and what was missing was taken for unneeded.
TEST_F(CollectTest, WhatCannotBeFoundStopsTheCollection) {
  mostly_unneeded();
  for (const std::string& pack : names("packs/")) {
    const auto before = medium().copy();
    medium().lose(pack);
    const auto objects = names("");
    try {
      collect_with(kExclusive);
      // Only packs that nothing needs may be missing.
      medium().restore(*before);
      expect_all_readable();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::damaged);
      EXPECT_EQ(names(""), objects);
      medium().restore(*before);
    }
  }
}

TEST_F(CollectTest, ADamagedReferenceTreeStopsTheCollection) {
  const SnapshotId needed = backup(files_of(3));
  for (const std::string& path : names("packs/")) {
    Process process(*this);
    const Binding binding = process.repository->binding(process.context.domain.id);
    for (const PackRecord& record :
         read_pack_table(process.storage, *name_from_path(path), binding, process.context.domain).records)
      if (record.info.type == static_cast<std::uint8_t>(ChunkType::reference))
        medium().flip_bit(path, 8 * std::uint64_t(record.offset));
  }
  forget(backup(files_of(3)));
  const auto objects = names("");
  EXPECT_THROW(collect_with(kExclusive), Error);
  EXPECT_EQ(names(""), objects);
  // Forgetting it is the way on.
  forget(needed);
  collect_with(kExclusive);
  EXPECT_THAT(names("packs/"), IsEmpty());
}

TEST_F(CollectTest, ADamagedSnapshotObjectStopsTheCollection) {
  backup(files_of(3));
  const auto snapshots = names("snapshots/");
  forget(backup(files_of(3)));
  medium().flip_bit(snapshots.front(), 8 * 100);
  const auto objects = names("");
  EXPECT_THROW(collect_with(kExclusive), Error);
  EXPECT_EQ(names(""), objects);
}

// Damage must not be copied into a pack with a good name.
TEST_F(CollectTest, ADamagedPackIsNotRewritten) {
  Files files = files_of(8);
  const SnapshotId first = backup(files);
  const auto packs = names("packs/");
  files.erase(std::next(files.begin()), files.end());
  backup(files);
  forget(first);
  std::string content_pack;
  for (const std::string& pack : packs)
    if (content_pack.empty() || *SimulatedStorage(medium()).size(pack) > *SimulatedStorage(medium()).size(content_pack))
      content_pack = pack;
  medium().flip_bit(content_pack, 8 * 70'000);
  const CollectResult result = collect_with(kExclusive);
  ASSERT_THAT(result.packs_damaged, SizeIs(1));
  EXPECT_EQ(pack_path(result.packs_damaged.front()), content_pack);
  EXPECT_THAT(names("packs/"), testing::Contains(content_pack));
}

// A log entry in the middle that is lost, or put back as it was before: what is behind it looks uncommitted.
TEST_F(CollectTest, ALogWithAHoleStopsTheCollection) {
  backup(files_of(2));
  backup(files_of(2));
  const auto log = names("log/");
  medium().lose(log[log.size() - 2]);
  const auto objects = names("");
  EXPECT_THROW(collect_with(kExclusive), Error);
  EXPECT_EQ(names(""), objects);
}

// borg 2.0.0b22: an index in a process's memory claimed chunks that a collection had removed.
TEST_F(CollectTest, ARunThatOutlastsACollectionDoesNotCommitWhatIsGone) {
  for (const bool grace : {false, true}) {
    const Files files = files_of(3);
    const SnapshotId first = backup(files);
    Process running(*this);
    StoredFiles stored = store_files(running.context, files);  // everything is there already
    forget(first);
    if (grace) {
      collect_with(with_grace());
      clock().advance(kGraceNs);
    }
    collect_with(grace ? with_grace() : kExclusive);
    ASSERT_THAT(names("packs/"), IsEmpty());
    EXPECT_THROW(commit_snapshot(running.context, stored.header, stored.body, stored.packs), Error);
    backup(files);
    expect_all_readable();
    forget_all();
    collect_with(kExclusive);
  }
}

// The same where the collection could not even log what it removed.
TEST_F(CollectTest, ACommitAsksWhetherItsPacksAreThere) {
  Process running(*this);
  StoredFiles stored = store_files(running.context, files_of(3));
  for (const std::string& pack : names("packs/")) medium().lose(pack);
  EXPECT_THROW(commit_snapshot(running.context, stored.header, stored.body, stored.packs), Error);
  EXPECT_THAT(Process(*this).repository->snapshots(nullptr), IsEmpty());
}

// A reader needs no lock: what it is about to read may move.
TEST_F(CollectTest, AReaderFollowsWhatWasMoved) {
  Files files = files_of(8);
  const SnapshotId first = backup(files);
  files.erase(std::next(files.begin()), files.end());
  const SnapshotId second = backup(files);
  Process reader(*this, Access::read);
  EXPECT_EQ(read_snapshot(*reader.repository, second), files);
  forget(first);
  EXPECT_GE(collect_with(kExclusive).packs_rewritten, 1U);
  EXPECT_EQ(read_snapshot(*reader.repository, second), files);
}

// borg 2.0.0b22 and others: on a full disk nothing could be freed.
TEST_F(CollectTest, AFullDiskIsFreed) {
  backup(files_of(3));
  forget(backup(files_of(3)));
  medium().set_capacity(medium().used_bytes());
  const CollectResult result = collect_with(kExclusive);
  EXPECT_EQ(result.packs_removed, 2U);
  expect_all_readable();
  EXPECT_GT(*SimulatedStorage(medium()).free_bytes(), 50'000U);
  // The next one finds nothing to do, and nothing condemned.
  collect_with(kExclusive);
  EXPECT_THAT(Process(*this).repository->log().condemned, IsEmpty());
}

TEST_F(CollectTest, WithLittleSpaceWhatCannotBeRewrittenStays) {
  mostly_unneeded();
  medium().set_capacity(medium().used_bytes() + 2000);
  const auto packs = names("packs/").size();
  const CollectResult result = collect_with(kExclusive);
  EXPECT_EQ(result.space, CollectResult::Space::too_little);
  EXPECT_LE(names("packs/").size(), packs);
  expect_all_readable();
  medium().set_capacity(Medium::kUnlimited);
  EXPECT_EQ(collect_with(kExclusive).space, CollectResult::Space::enough);
  expect_all_readable();
}

}  // namespace
}  // namespace qcbak::repository
