#include "backup/browse.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "tests/repository/test_repository.h"
#include "tests/simulated/simulated_storage.h"

namespace qcbak::tests {
namespace {

using repository::Entry;
using repository::SnapshotId;
using testing::ElementsAre;
using testing::HasSubstr;
using Descend = SnapshotTree::Descend;

Bytes text(std::string_view content) { return to_bytes(as_bytes(content)); }

class Browse : public testing::Test {
 protected:
  Browse() : storage_(medium_) { create_test_repository(storage_, clock_, random_, {}); }

  SnapshotId store(const Files& files, const StoreOptions& options = {}) {
    const auto writer = open_test_repository(storage_, Access::write_only);
    clock_.advance(kHourNs);
    return store_snapshot({storage_, *writer, writer->domain(""), clock_, random_}, files, options);
  }
  SnapshotTree& open(const std::string& name = "latest") {
    repository_ = open_test_repository(storage_, Access::read);
    tree_.emplace(*repository_, find_snapshot(*repository_, name, {}));
    return *tree_;
  }
  template <class Event>
  void log(const Event& event) {
    const auto writer = open_test_repository(storage_, Access::write_only);
    clock_.advance(kHourNs);
    repository::append_log({storage_, *writer, writer->domain(""), clock_, random_}, [&] { return repository::LogEvent(event); });
  }
  std::vector<std::string> paths_below(const std::string& path) {
    std::vector<std::string> paths;
    tree_->walk(path, tree_->find(path).value(), [&](const std::string& at, const Entry&) {
      paths.push_back(at);
      return Descend::yes;
    });
    return paths;
  }
  Bytes content(const std::string& path) {
    Bytes all;
    tree_->read_file(tree_->find(path).value(), [&](ByteView piece) { append(all, piece); });
    return all;
  }

  simulated::Medium medium_;
  simulated::SimulatedStorage storage_;
  ManualClock clock_;
  SeededRandom random_{7};
  std::unique_ptr<repository::Repository> repository_;
  std::optional<SnapshotTree> tree_;
};

// What the closure throws: its code and its message.
std::pair<ErrorCode, std::string> error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {ErrorCode::failed, "nothing was thrown"};
}

TEST(NormalPath, IsAbsoluteWithoutEmptyComponents) {
  EXPECT_EQ(normal_path(""), "/");
  EXPECT_EQ(normal_path("//"), "/");
  EXPECT_EQ(normal_path("a"), "/a");
  EXPECT_EQ(normal_path("/a//b/./c/"), "/a/b/c");
  EXPECT_EQ(error_of([] { normal_path("/a/../b"); }).first, ErrorCode::usage);
}

TEST(NormalPaths, AreInTheOrderOfAWalkAndNotNested) {
  EXPECT_THAT(normal_paths({}), ElementsAre("/"));
  EXPECT_THAT(normal_paths({"/b", "/a.d", "/a/x", "/a", "/b/"}), ElementsAre("/a", "/a.d", "/b"));
  EXPECT_THAT(normal_paths({"/a", "/"}), ElementsAre("/"));
}

TEST_F(Browse, FindsEntriesAndWalksParentsFirst) {
  store({{"a/b/c", text("c")}, {"a.d", text("d")}, {"a/b/a", {}}, {"z", text("z")}});
  SnapshotTree& tree = open();
  EXPECT_EQ(tree.find("/")->metadata.type, repository::EntryType::directory);
  EXPECT_EQ(tree.find("/a/b/c")->name, "c");
  EXPECT_FALSE(tree.find("/a/b/d"));
  EXPECT_FALSE(tree.find("/z/below"));
  EXPECT_THAT(paths_below("/"), ElementsAre("/a", "/a/b", "/a/b/a", "/a/b/c", "/a.d", "/z"));
  EXPECT_THAT(paths_below("/a"), ElementsAre("/a/b", "/a/b/a", "/a/b/c"));
  EXPECT_THAT(paths_below("/z"), ElementsAre());
  std::vector<std::string> shallow;
  tree.walk("/", *tree.find("/"), [&](const std::string& at, const Entry&) {
    shallow.push_back(at);
    return Descend::no;
  });
  EXPECT_THAT(shallow, ElementsAre("/a", "/a.d", "/z"));
}

TEST_F(Browse, FindsEachOfManyEntriesAndOfManyLevels) {
  Files files;
  for (int i = 0; i < 5000; ++i) files["many/" + std::to_string(i)] = text("same");
  std::string deep = "deep";
  for (int i = 0; i < 1000; ++i) deep += "/d";
  files[deep] = text("down here");
  store(files, {.records = StoreOptions::Records::shared});
  SnapshotTree& tree = open();
  EXPECT_EQ(paths_below("/many").size(), 5000U);
  for (int i = 0; i < 5000; i += 17) EXPECT_TRUE(tree.find("/many/" + std::to_string(i))) << i;
  EXPECT_FALSE(tree.find("/many/50000"));
  EXPECT_EQ(paths_below("/deep").size(), 1000U);
  EXPECT_EQ(content("/" + deep), text("down here"));
}

TEST_F(Browse, ReadsContentInlineAndInNodes) {
  const Files files{{"empty", {}}, {"small", random_content(random_, 5000)}, {"large", random_content(random_, 300'000)}};
  store(files);
  open();
  for (const auto& [name, expected] : files) EXPECT_EQ(content("/" + name), expected) << name;
}

TEST_F(Browse, ADamagedDirectoryHidesNothingElse) {
  Files files;
  for (int d = 0; d < 8; ++d)
    for (int i = 0; i < 2000; ++i) files["d" + std::to_string(d) + "/" + std::to_string(i)] = {};
  store(files, {.records = StoreOptions::Records::shared});
  open();
  const std::size_t whole = paths_below("/").size();
  const Entry directory = tree_->find("/d3").value();

  // The same walk, when one leaf in the middle of a directory cannot be had.
  const auto load = tree_->loader();
  const repository::Node node = repository::parse_node(load(repository::ChunkType::tree, *directory.directory));
  ASSERT_EQ(node.kind, repository::NodeKind::directory_branch);
  ASSERT_GT(node.branches.size(), 2U);
  const repository::LoadChunk faulty = [&](repository::ChunkType type, const repository::ChunkId& id) {
    if (id == node.branches[1].child) throw Error(ErrorCode::damaged, "gone");
    return load(type, id);
  };
  repository::DirectoryCursor cursor(faulty, *directory.directory);
  std::size_t read = 0, damaged = 0;
  for (;;) {
    try {
      if (!cursor.next()) break;
      ++read;
    } catch (const Error&) {
      ++damaged;
    }
  }
  EXPECT_EQ(damaged, 1U);
  EXPECT_EQ(read, 2000 - node.branches[1].weight);
  EXPECT_EQ(whole, 8 * 2001U);
}

TEST_F(Browse, DamageIsReportedWithItsPathOrThrown) {
  store({{"a/file", random_content(random_, 5000)}, {"b/file", text("x")}});
  open();
  for (const storage::ObjectInfo& pack : storage_.list("packs/"))
    for (std::uint64_t byte = 64; byte < pack.size_bytes; byte += 97) medium_.flip_bit(pack.name, 8 * byte);
  repository_ = open_test_repository(storage_, Access::read);
  tree_.emplace(*repository_, find_snapshot(*repository_, "latest", {}));
  std::vector<std::string> damaged;
  const std::optional<Entry> found = tree_->find("/");
  ASSERT_TRUE(found);
  tree_->walk("/", *found, [](const std::string&, const Entry&) { return Descend::yes; },
              [&](const std::string& path, const Error& error) {
                EXPECT_EQ(error.code(), ErrorCode::damaged);
                damaged.push_back(path);
              });
  EXPECT_THAT(damaged, ElementsAre("/"));
  const auto [code, message] = error_of([&] {
    tree_->walk("/", *found, [](const std::string&, const Entry&) { return Descend::yes; });
  });
  EXPECT_EQ(code, ErrorCode::damaged);
  EXPECT_THAT(message, testing::StartsWith("/: "));
}

TEST_F(Browse, AWriteCredentialReadsNothing) {
  store({{"file", text("x")}});
  const auto writer = open_test_repository(storage_, Access::write_only);
  const repository::SnapshotInfo latest = find_snapshot(*writer, "latest", {});
  EXPECT_EQ(error_of([&] { SnapshotTree tree(*writer, latest); }).first, ErrorCode::wrong_key);
}

TEST_F(Browse, LatestIsTheLatestThatFits) {
  const SnapshotId first = store({{"file", text("1")}}, {.host = "one", .labels = {{"kind", "config"}, {"unit", "a"}}});
  const SnapshotId second = store({{"file", text("2")}}, {.host = "two"});
  const auto repository = open_test_repository(storage_, Access::read);
  const auto latest = [&](const SnapshotFilter& filter) { return find_snapshot(*repository, "latest", filter).header.id; };
  EXPECT_EQ(latest({}), second);
  EXPECT_EQ(latest({.host = "one"}), first);
  EXPECT_EQ(latest({.labels = {{"kind", "config"}}}), first);
  EXPECT_EQ(latest({.path = "/etc//ssh"}), second);  // the fixture gives "/"
  EXPECT_EQ(latest({.domain = "default"}), second);
  EXPECT_EQ(error_of([&] { latest({.labels = {{"kind", "other"}}}); }).first, ErrorCode::not_found);
  EXPECT_EQ(error_of([&] { latest({.domain = "other"}); }).first, ErrorCode::not_found);
}

TEST_F(Browse, AnIdNamesItsSnapshot) {
  const SnapshotId first = store({{"file", text("1")}});
  store({{"file", text("2")}});
  const auto repository = open_test_repository(storage_, Access::read);
  const auto find = [&](const std::string& name) { return find_snapshot(*repository, name, {}).header.id; };
  std::string upper = first.hex().substr(0, 8);
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  EXPECT_EQ(find(first.hex()), first);
  EXPECT_EQ(find(first.hex().substr(0, 8)), first);
  EXPECT_EQ(find(upper), first);
  EXPECT_EQ(error_of([&] { find(first.hex().substr(0, 7)); }).first, ErrorCode::usage);
  EXPECT_EQ(error_of([&] { find("later"); }).first, ErrorCode::usage);
  EXPECT_EQ(error_of([&] { find(first.hex() + "0"); }).first, ErrorCode::usage);
  EXPECT_EQ(error_of([&] { find("00000000"); }).first, ErrorCode::not_found);
  EXPECT_EQ(error_of([&] { find_snapshot(*repository, first.hex(), {.host = "elsewhere"}); }).first,
            ErrorCode::not_found);
}

TEST_F(Browse, AForgottenSnapshotIsSaidToBeForgotten) {
  const SnapshotId first = store({{"file", text("1")}});
  log(repository::Tombstone{{first}, "enough"});
  const auto repository = open_test_repository(storage_, Access::read);
  const auto [code, message] = error_of([&] { find_snapshot(*repository, first.hex(), {}); });
  EXPECT_EQ(code, ErrorCode::not_found);
  EXPECT_THAT(message, HasSubstr("was forgotten on " + format_time(clock_.now())));
  EXPECT_EQ(error_of([&] { find_snapshot(*repository, "latest", {}); }).first, ErrorCode::not_found);
}

TEST_F(Browse, LatestNeverStandsForAnOlderOneWhenANewerIsDamaged) {
  const SnapshotId first = store({{"file", text("1")}});
  const SnapshotId second = store({{"file", text("2")}});
  auto repository = open_test_repository(storage_, Access::read);
  medium_.flip_bit(repository::snapshot_path(repository->log().snapshots.at(second).object), 800);
  EXPECT_EQ(error_of([&] { find_snapshot(*repository, "latest", {}); }).first, ErrorCode::damaged);
  EXPECT_EQ(find_snapshot(*repository, first.hex(), {}).header.id, first);
  EXPECT_EQ(error_of([&] { find_snapshot(*repository, second.hex(), {}); }).first, ErrorCode::damaged);
  const SnapshotId third = store({{"file", text("3")}});
  repository = open_test_repository(storage_, Access::read);
  EXPECT_EQ(find_snapshot(*repository, "latest", {}).header.id, third);
}

}  // namespace
}  // namespace qcbak::tests
