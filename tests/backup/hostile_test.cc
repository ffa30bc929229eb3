// Snapshots that somebody with all the keys wrote to harm who restores them, and targets prepared for the same.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "backup/browse.h"
#include "backup/verify.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "tests/backup/workshop.h"

namespace qcbak::tests {
namespace {

using namespace repository;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Bytes bytes(std::string_view text) { return to_bytes(as_bytes(text)); }

// Stores tree nodes as they are given, true or not.
class Forger {
 public:
  explicit Forger(const WriteContext& context)
      : context_(context),
        packs_(context),
        namer_(context.domain.current_epoch().id_key),
        writers_{{packs_, ChunkType::data, 3}, {packs_, ChunkType::tree, 3}, {packs_, ChunkType::reference, 3}} {}

  ChunkId store(ChunkType type, ByteView plaintext) {
    const ChunkId id = namer_.name(type, crypto::sha256(plaintext));
    if (context_.repository.index(context_.domain).claim(id))
      writers_[static_cast<std::size_t>(type) - 1].add(id, plaintext);
    return id;
  }
  ChunkId leaf(const std::vector<Bytes>& entries) {
    Bytes node;
    cbor::Writer writer(node);
    writer.array(2).uint(0).array(entries.size());
    for (const Bytes& entry : entries) writer.raw(entry);
    return store(ChunkType::tree, node);
  }
  struct Child {
    std::string first_name;  // of a directory's branches
    ChunkId node;
    std::uint64_t weight;
  };
  ChunkId branch(NodeKind kind, const std::vector<Child>& children) {
    Bytes node;
    cbor::Writer writer(node);
    writer.array(2).uint(static_cast<std::uint64_t>(kind)).array(children.size());
    for (const Child& child : children) {
      if (kind == NodeKind::directory_branch)
        writer.array(3).bytes(as_bytes(child.first_name));
      else
        writer.array(2);
      writer.bytes(child.node.view()).uint(child.weight);
    }
    return store(ChunkType::tree, node);
  }
  ChunkId content_leaf(const std::vector<Part>& parts) {
    Bytes node;
    cbor::Writer writer(node);
    writer.array(2).uint(2).array(2 * parts.size());
    for (const Part& part : parts) {
      if (part.chunk)
        writer.bytes(part.chunk->view());
      else
        writer.null();
      writer.uint(part.length);
    }
    return store(ChunkType::tree, node);
  }

  Entry file(std::string_view content) {
    Entry entry = of_type(EntryType::file);
    entry.metadata.size_bytes = content.size();
    entry.sha256 = crypto::sha256(as_bytes(content));
    if (!content.empty()) entry.parts = {{store(ChunkType::data, as_bytes(content)), content.size()}};
    return entry;
  }
  // A file of which only the tree tells.
  Entry file_of(std::uint64_t size, std::vector<Part> parts) {
    Entry entry = file("");
    entry.metadata.size_bytes = size;
    entry.parts = std::move(parts);
    return entry;
  }
  static Entry of_type(EntryType type) {
    Entry entry;
    entry.metadata.type = type;
    entry.metadata.mode = type == EntryType::directory ? 0755 : 0644;
    entry.metadata.mtime_s = 1'000'000'000;
    return entry;
  }
  static Entry symlink(std::string_view target) {
    Entry entry = of_type(EntryType::symlink);
    entry.metadata.link_target = bytes(target);
    return entry;
  }
  static Entry directory(const ChunkId& node) {
    Entry entry = of_type(EntryType::directory);
    entry.directory = node;
    return entry;
  }
  static Bytes named(const std::string& name, const Entry& entry) {
    return encode_entry(name, entry.metadata, encode_details(entry));
  }

  void commit(const Entry& root, const std::optional<ChunkId>& reference = std::nullopt) {
    const ChunkId mirror =
        reference ? *reference
                  : store(ChunkType::reference, encode_reference(root.directory.value_or(ChunkId()), {}, {}));
    for (ChunkWriter& writer : writers_) writer.flush();
    packs_.flush();
    SnapshotHeader header;
    header.time = header.end = context_.clock.now();
    header.host = "host";
    header.paths = {bytes("/")};
    header.program = "tests";
    header.reference_root = mirror;
    SnapshotBody body;
    body.root = encode_root(root.metadata, encode_details(root));
    const auto packs = packs_.stored();
    commit_snapshot(context_, header, body, {packs.begin(), packs.end()});
  }

 private:
  const WriteContext& context_;
  PackWriter packs_;
  ChunkNamer namer_;
  ChunkWriter writers_[3];
};

// A repository to which a forged snapshot is added, a target, and beside it a directory that nobody may touch.
class Yard {
 public:
  Yard() {
    run_or_throw({"sh", "-euc", R"sh(
      cd "$0"; mkdir -p outside/directory target
      for f in file evil x passwd directory/file; do printf "kept $f" > outside/$f; chmod 640 outside/$f; done
      touch -d '2001-01-01' outside/* outside
    )sh",
                  shop.root()});
    before_ = fingerprint();
  }

  void forge(const std::function<Entry(Forger&)>& make_root) {
    const auto storage = shop.open_storage();
    const auto repository = shop.open(*storage, Access::write_only);
    const SystemClock clock;
    SystemRandom random;
    const WriteContext context{*storage, *repository, repository->domain(""), clock, random};
    Forger forger(context);
    forger.commit(make_root(forger));
  }

  struct Outcome {
    std::vector<RestoreFinding> findings;
    std::optional<Error> error;
    std::string text() const {
      std::string all = error ? std::string("error: ") + error->what() + "\n" : "";
      for (const RestoreFinding& finding : findings) all += printable(finding.path) + ": " + finding.what + "\n";
      return all;
    }
  };
  Outcome restore(RestoreOptions options = {}, std::stop_token stop = {}) const {
    Outcome outcome;
    const auto started = std::chrono::steady_clock::now();
    try {
      options.path = "/";
      options.target = shop.target();
      const auto storage = shop.open_storage();
      const auto repository = shop.open(*storage, Access::read);
      Progress progress;
      outcome.findings =
          qcbak::restore(*repository, find_snapshot(*repository, "latest", {}), options, progress, stop).findings;
    } catch (const Error& error) {
      outcome.error = error;
    }
    EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(120));
    expect_nothing_touched();
    return outcome;
  }

  void expect_nothing_touched() const { EXPECT_EQ(fingerprint(), before_); }
  std::string outside() const { return shop.root() + "/outside"; }
  // What `script`, run in the target, prints.
  std::string in_target(const std::string& script) const {
    return run_or_throw({"sh", "-euc", "cd \"$0\"; " + script, shop.target()});
  }

  const Workshop shop;

 private:
  std::string fingerprint() const {
    return run_or_throw({"sh", "-euc", R"sh(
      cd "$0"; ls -A . | grep -v '^cache$'; find outside -printf '%p %y %m %U %G %T@ %s %l\n' | sort
      find outside -type f | sort | xargs sha256sum; stat -c '%i %Z' /etc/passwd
    )sh",
                         shop.root()});
  }
  std::string before_;
};

constexpr const char* kContent = "good content";

struct Case {
  const char* name;
  // The node of the directory "bad", which lies beside a good file.
  std::function<ChunkId(Forger&, const Yard&)> make;
  enum class Expect { told, clean, either } expect = Expect::told;  // told: a finding or an error says that it is bad
};
void PrintTo(const Case& from, std::ostream* to) { *to << from.name; }

ChunkId one(Forger& forger, const std::string& name, const Entry& entry) {
  return forger.leaf({Forger::named(name, entry)});
}

Case bad_name(const char* title, std::string name) {
  return {title, [=](Forger& forger, const Yard&) { return one(forger, name, forger.file("evil")); }};
}
Case bad_file(const char* title, std::function<Entry(Forger&)> make, Case::Expect expect = Case::Expect::told) {
  return {title, [=](Forger& forger, const Yard&) { return one(forger, "file", make(forger)); }, expect};
}

const Case kCases[] = {
    bad_name("NameDotDot", ".."),
    bad_name("NameDot", "."),
    bad_name("NameEmpty", ""),
    bad_name("NameWithSlash", "a/b"),
    bad_name("NameUpwards", "../../outside/evil"),
    bad_name("NameAbsolute", "/etc/passwd"),
    bad_name("NameWithNul", std::string("a\0b", 3)),
    bad_name("NameOf300Bytes", std::string(300, 'n')),
    {"DirectoryDotDot",
     [](Forger& forger, const Yard&) {
       return one(forger, "..", Forger::directory(one(forger, "passwd", forger.file("evil"))));
     }},
    {"SymlinkThenDirectoryOfTheSameName",
     [](Forger& forger, const Yard& yard) {
       const ChunkId inside = one(forger, "evil", forger.file("evil"));
       return forger.leaf(
           {Forger::named("x", Forger::symlink(yard.outside())), Forger::named("x", Forger::directory(inside))});
     }},
    {"SymlinkThenDirectoryInAnotherLeaf",
     [](Forger& forger, const Yard& yard) {
       const ChunkId inside = one(forger, "evil", forger.file("evil"));
       const ChunkId first = one(forger, "x", Forger::symlink(yard.outside()));
       const ChunkId second = one(forger, "x", Forger::directory(inside));
       return forger.branch(NodeKind::directory_branch, {{"w", first, 1}, {"x", second, 1}});
     }},
    {"SymlinkThenFileBelowIt",
     [](Forger& forger, const Yard& yard) {
       return forger.leaf(
           {Forger::named("x", Forger::symlink(yard.outside())), Forger::named("x/evil", forger.file("evil"))});
     }},
    {"SymlinkThenDirectoryOutOfOrder",
     [](Forger& forger, const Yard& yard) {
       const ChunkId inside = one(forger, "evil", forger.file("evil"));
       return forger.leaf({Forger::named("y", Forger::symlink(yard.outside())),
                           Forger::named("x", Forger::directory(inside)),
                           Forger::named("y", Forger::directory(inside))});
     }},
    {"SymlinkOutside",
     [](Forger& forger, const Yard& yard) {
       Entry link = Forger::symlink(yard.outside() + "/file");
       link.metadata.uid = 1234;
       link.metadata.mode = 0777;
       link.metadata.attributes = {{bytes("trusted.x"), bytes("1")}};
       return one(forger, "x", link);
     },
     Case::Expect::clean},
    {"SymlinkWithNul",
     [](Forger& forger, const Yard&) {
       return one(forger, "x", Forger::symlink({"/etc\0x", 6}));
     }},
    {"SymlinkOf5000Bytes",
     [](Forger& forger, const Yard&) { return one(forger, "x", Forger::symlink(std::string(5000, 'l'))); }},
    {"HardLinkGroupOfSymlinkAndFile",
     [](Forger& forger, const Yard& yard) {
       struct stat status {};
       check(::stat((yard.outside() + "/file").c_str(), &status) == 0, "the file outside is there");
       std::vector<Bytes> entries;
       for (Entry entry : {Forger::symlink(yard.outside() + "/file"), forger.file("evil")}) {
         entry.metadata.link_count = 2;
         entry.metadata.link_device = status.st_dev;
         entry.metadata.link_inode = status.st_ino;
         entries.push_back(Forger::named(entries.empty() ? "a" : "b", entry));
       }
       return forger.leaf(entries);
     },
     Case::Expect::clean},
    {"HardLinkGroupOfTwoContents",
     [](Forger& forger, const Yard&) {
       std::vector<Bytes> entries;
       for (const char* content : {"one", "another"}) {
         Entry entry = forger.file(content);
         entry.metadata.link_count = 2;
         entry.metadata.link_inode = 7;
         entries.push_back(Forger::named(content, entry));
       }
       std::swap(entries[0], entries[1]);
       return forger.leaf(entries);
     }},
    {"HardLinkGroupOfDevices",
     [](Forger& forger, const Yard&) {
       Entry device = Forger::of_type(EntryType::char_device);
       device.metadata.device = std::uint64_t(1) << 32 | 3;
       device.metadata.link_count = 3;
       device.metadata.link_inode = 7;
       Entry file = forger.file("evil");
       file.metadata.link_count = 3;
       file.metadata.link_inode = 7;
       return forger.leaf({Forger::named("a", device), Forger::named("b", device), Forger::named("c", file)});
     },
     Case::Expect::clean},
    bad_file(
        "HoleOf2To60",
        [](Forger& forger) {
          return forger.file_of(1ULL << 60, {{std::nullopt, 1ULL << 60}});
        },
        Case::Expect::either),
    bad_file("PartsLessThanTheSize",
             [](Forger& forger) {
               return forger.file_of(1000, {{std::nullopt, 999}});
             }),
    bad_file("PartsMoreThanTheSize",
             [](Forger& forger) {
               return forger.file_of(1000, {{std::nullopt, 1001}});
             }),
    bad_file("PartsAroundTheEndOfNumbers",
             [](Forger& forger) {
               return forger.file_of(10, {{std::nullopt, 11}, {std::nullopt, UINT64_MAX}});
             }),
    bad_file("ChunkShorterThanItsPart",
             [](Forger& forger) {
               return forger.file_of(1000, {{forger.store(ChunkType::data, as_bytes("short")), 1000}});
             }),
    bad_file("ChunkLongerThanItsPart",
             [](Forger& forger) {
               return forger.file_of(4, {{forger.store(ChunkType::data, as_bytes("longer")), 4}});
             }),
    bad_file("ChunkThatIsNowhere",
             [](Forger& forger) {
               return forger.file_of(4, {{ChunkId(), 4}});
             }),
    bad_file("ContentThatIsADirectory",
             [](Forger& forger) {
               Entry entry = forger.file_of(4, {});
               entry.content_node = forger.leaf({});
               return entry;
             }),
    bad_file("ContentBomb",
             [](Forger& forger) {
               ChunkId node = forger.content_leaf({{std::nullopt, 1}});
               for (int depth = 0; depth < 15; ++depth)
                 node = forger.branch(NodeKind::content_branch, std::vector<Forger::Child>(2000, {"", node, 1}));
               Entry entry = forger.file_of(1ULL << 60, {});
               entry.content_node = node;
               return entry;
             }),
    {"BranchBomb",
     [](Forger& forger, const Yard&) {
       ChunkId node = one(forger, "a", forger.file("a"));
       for (int depth = 0; depth < 15; ++depth) {
         std::vector<Forger::Child> children;
         for (int i = 0; i < 2000; ++i)
           children.push_back({"a" + std::string(i > 0, 'a') + std::to_string(10000 + i), node, 1});
         children[0].first_name = "a";
         node = forger.branch(NodeKind::directory_branch, children);
       }
       return node;
     }},
    {"EmptyBranchBomb",
     [](Forger& forger, const Yard&) {
       ChunkId node = forger.leaf({});
       for (int depth = 0; depth < 15; ++depth)
         node = forger.branch(NodeKind::directory_branch, std::vector<Forger::Child>(2000, {"", node, 0}));
       return node;
     }},
    {"BranchesNestedWithoutEnd",
     [](Forger& forger, const Yard&) {
       ChunkId node = one(forger, "a", forger.file("a"));
       for (int depth = 0; depth < 1000; ++depth)
         node = forger.branch(NodeKind::directory_branch, {{"a", node, std::uint64_t(depth) + 1}});
       return node;
     }},
    bad_file(
        "AttributesBy65536",
        [](Forger& forger) {
          Entry entry = forger.file("content");
          for (int i = 0; i < 65536; ++i)
            entry.metadata.attributes.push_back({bytes("user." + std::to_string(100000 + i)), bytes("v")});
          return entry;
        },
        Case::Expect::either),
    bad_file("AttributesThatAreNone",
             [](Forger& forger) {
               Entry entry = forger.file("content");
               for (const std::string_view name :
                    {std::string_view(""), std::string_view("nothing.at.all"), std::string_view("security.capability"),
                     std::string_view("system.posix_acl_access"), std::string_view("user.\0x", 7)})
                 entry.metadata.attributes.push_back({bytes(name), bytes("junk")});
               return entry;
             }),
    bad_file(
        "FlagsAll",
        [](Forger& forger) {
          Entry entry = forger.file("content");
          entry.metadata.flags = UINT32_MAX;
          return entry;
        },
        Case::Expect::either),
    bad_file("TimeOutOfRange",
             [](Forger& forger) {
               Entry entry = forger.file("content");
               entry.metadata.mtime_s = INT64_MIN;
               entry.metadata.mtime_ns = 999'999'999;
               return entry;
             }),
    bad_file(
        "SetuidOfAnUnknownOwner",
        [](Forger& forger) {
          Entry entry = forger.file("content");
          entry.metadata.mode = 06755;
          entry.metadata.uid = 3'000'000'000;
          entry.metadata.gid = 3'000'000'001;
          return entry;
        },
        Case::Expect::clean),
    bad_file("SetuidOfNobodyAtAll",
             [](Forger& forger) {
               Entry entry = forger.file("content");
               entry.metadata.mode = 06755;
               entry.metadata.uid = UINT32_MAX;
               return entry;
             }),
    {"NodeThatIsNoNode", [](Forger& forger, const Yard&) { return forger.store(ChunkType::tree, as_bytes("junk")); }},
    {"NodeThatIsContent",
     [](Forger& forger, const Yard&) {
       return forger.content_leaf({{std::nullopt, 5}});
     }},
    {"NodeThatIsNowhere", [](Forger&, const Yard&) { return ChunkId(); }},
};

class Hostile : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Snapshot, Hostile, ::testing::ValuesIn(kCases),
                         [](const auto& case_) { return case_.param.name; });

TEST_P(Hostile, StaysInTheTarget) {
  Yard yard;
  yard.forge([&](Forger& forger) {
    const ChunkId bad = GetParam().make(forger, yard);
    return Forger::directory(
        forger.leaf({Forger::named("bad", Forger::directory(bad)), Forger::named("good", forger.file(kContent))}));
  });
  // Into an empty directory, over what came of that, and with everything else removed.
  for (const auto& [overwrite, extra] :
       {std::pair(RestoreOptions::Overwrite::if_changed, RestoreOptions::Extra::keep),
        std::pair(RestoreOptions::Overwrite::if_changed, RestoreOptions::Extra::remove),
        std::pair(RestoreOptions::Overwrite::always, RestoreOptions::Extra::keep)}) {
    RestoreOptions options;
    options.overwrite = overwrite;
    options.extra = extra;
    const Yard::Outcome outcome = yard.restore(options);
    const std::string text = outcome.text();
    EXPECT_EQ(outcome.error.value_or(Error(ErrorCode::damaged, "")).code(), ErrorCode::damaged) << text;
    if (GetParam().expect != Case::Expect::either) {
      EXPECT_EQ(text.empty(), GetParam().expect == Case::Expect::clean) << text;
    }
    EXPECT_EQ(yard.in_target("cat good"), kContent) << text;
  }
}

TEST(HostileSnapshot, MembersOfALinkGroupAreWhatTheyClaim) {
  Yard yard;
  yard.forge([&](Forger& forger) {
    Entry link = Forger::symlink(yard.outside() + "/file"), file = forger.file(kContent);
    for (Entry* entry : {&link, &file}) {
      entry->metadata.link_count = 2;
      entry->metadata.link_inode = 7;
    }
    return Forger::directory(forger.leaf({Forger::named("a", link), Forger::named("b", file)}));
  });
  EXPECT_EQ(yard.restore().text(), "");
  EXPECT_EQ(yard.in_target("stat -c %F a b; cat b"), std::string("symbolic link\nregular file\n") + kContent);
}

TEST(HostileSnapshot, WhatIsLeftOfADamagedDirectoryComesBack) {
  Yard yard;
  yard.forge([&](Forger& forger) {
    const auto leaf = [&](const char* name) { return one(forger, name, forger.file(name)); };
    return Forger::directory(
        forger.branch(NodeKind::directory_branch, {{"a", leaf("a"), 1}, {"b", ChunkId(), 1}, {"c", leaf("c"), 1}}));
  });
  yard.in_target("printf kept > b; printf more > d");
  RestoreOptions options;
  options.extra = RestoreOptions::Extra::remove;
  const Yard::Outcome outcome = yard.restore(options);
  EXPECT_FALSE(outcome.error);
  EXPECT_EQ(outcome.findings.size(), 1U);
  // What may be in the part that cannot be read is not taken away.
  EXPECT_EQ(yard.in_target("cat a b c d"), "akeptcmore");
}

TEST(HostileSnapshot, ARootThatCannotBeReadIsAnError) {
  Yard yard;
  yard.forge([](Forger&) { return Forger::directory(ChunkId()); });
  const Yard::Outcome outcome = yard.restore();
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code(), ErrorCode::damaged);
}

TEST(HostileSnapshot, ARootThatIsNoDirectoryIsAnError) {
  Yard yard;
  yard.forge([&](Forger&) { return Forger::symlink(yard.outside()); });
  const Yard::Outcome outcome = yard.restore();
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code(), ErrorCode::damaged);
}

// Nests `depth` directories, each by one node of trees and one of references.
std::pair<ChunkId, ChunkId> nest(Forger& forger, std::size_t depth) {
  ChunkId node = one(forger, "file", forger.file(kContent));
  ChunkId mirror = forger.store(ChunkType::reference,
                                encode_reference(node, forger.store(ChunkType::data, as_bytes(kContent)).view(), {}));
  for (std::size_t i = 0; i < depth; ++i) {
    node = one(forger, "d", Forger::directory(node));
    mirror = forger.store(ChunkType::reference, encode_reference(node, {}, mirror.view()));
  }
  return {node, mirror};
}

TEST(HostileSnapshot, DepthHasALimit) {
  Yard yard;
  {
    const auto storage = yard.shop.open_storage();
    const auto repository = yard.shop.open(*storage, Access::write_only);
    const SystemClock clock;
    SystemRandom random;
    const WriteContext context{*storage, *repository, repository->domain(""), clock, random};
    Forger forger(context);
    const auto [node, mirror] = nest(forger, 30'000);
    forger.commit(Forger::directory(node), mirror);
  }
  RestoreOptions options;
  options.verify = RestoreOptions::Verify::yes;
  const std::string text = yard.restore(options).text();
  EXPECT_THAT(text, HasSubstr("directories nested too deeply"));
  const auto storage = yard.shop.open_storage();
  const auto repository = yard.shop.open(*storage, Access::read);
  Progress progress;
  VerifyOptions all;
  all.data = VerifyOptions::Data::read;
  EXPECT_FALSE(verify(*repository, all, progress, {}).clean());
  yard.in_target("rm -rf d");
}

TEST(HostileSource, DepthHasALimit) {
  const Workshop shop;
  {
    UniqueFd at(::open(shop.source().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (int i = 0; i < kTreeDepthLimit; ++i) {
      ASSERT_EQ(::mkdirat(at.get(), "d", 0755), 0);
      at = UniqueFd(::openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
  }
  const BackupResult made = shop.backup();
  ASSERT_EQ(made.findings.size(), 1U);
  EXPECT_THAT(made.findings[0].what, HasSubstr("nested too deeply"));
  RestoreOptions options;
  options.verify = RestoreOptions::Verify::yes;
  options.path = "/";
  const RestoreResult restored = shop.restore(options);
  EXPECT_EQ(restored.directories, std::uint64_t(kTreeDepthLimit));
  EXPECT_THAT(restored.findings, IsEmpty());
  run_or_throw({"rm", "-rf", shop.source(), shop.target()});
}

TEST(HostileSnapshot, ManyDirectoriesOutOfFewNodesCanBeStopped) {
  Yard yard;
  yard.forge([](Forger& forger) {
    ChunkId node = one(forger, "file", forger.file(kContent));
    for (int i = 0; i < 60; ++i)
      node = forger.leaf({Forger::named("a", Forger::directory(node)), Forger::named("b", Forger::directory(node))});
    return Forger::directory(node);
  });
  std::stop_source source;
  std::jthread timer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    source.request_stop();
  });
  const auto started = std::chrono::steady_clock::now();
  const Yard::Outcome outcome = yard.restore({}, source.get_token());
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(15));
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code(), ErrorCode::interrupted);
}

TEST(HostileIndex, LengthsThatThePackDoesNotHave) {
  Yard yard;
  std::vector<std::string> contents;
  for (int i = 0; i < 3; ++i) contents.push_back(std::string(300'000, static_cast<char>('a' + i)));
  yard.forge([&](Forger& forger) {
    std::vector<Bytes> entries;
    for (const std::string& content : contents)
      entries.push_back(Forger::named(content.substr(0, 1), forger.file(content)));
    return Forger::directory(forger.leaf(entries));
  });
  // An index of the same chunks, in which the first is longer than all the rest and the last is short.
  const auto storage = yard.shop.open_storage();
  {
    const auto repository = yard.shop.open(*storage, Access::write_only);
    const DomainKeys& domain = repository->domain("");
    const Binding binding = repository->binding(domain.id);
    std::vector<IndexEntry> entries;
    std::vector<IndexedPack> packs;
    for (const auto& [path, size] : storage->list("packs/")) {
      const ObjectName name = *name_from_path(path);
      for (const PackRecord& record : read_pack_table(*storage, name, binding, domain).records)
        for (const ChunkRef& chunk : record.info.chunks)
          entries.push_back(
              {chunk.id, static_cast<std::uint32_t>(packs.size()), record.offset, record.stored_length, chunk.length});
      packs.push_back({name, static_cast<std::uint32_t>(size)});
    }
    std::sort(entries.begin(), entries.end(),
              [](const auto& a, const auto& b) { return std::pair(a.pack, a.offset) < std::pair(b.pack, b.offset); });
    for (std::size_t i = 0; i < entries.size(); ++i) entries[i].stored_length = i % 2 == 0 ? kRecordLimit : 1;
    for (const auto& [path, size] : storage->list("indexes/")) storage->remove(path);
    SystemRandom random;
    const Bytes index = seal_index(binding, domain.current_epoch(), encode_index(packs, entries), random);
    storage->put(index_path(name_of(index)), index);
  }
  run_or_throw({"rm", "-rf", yard.shop.root() + "/cache"});
  // The packs say where everything is; what an index says beyond that is not believed.
  EXPECT_EQ(yard.restore().text(), "");
  for (const std::string& content : contents) EXPECT_EQ(yard.in_target("cat " + content.substr(0, 1)), content);
}

TEST(HostileTarget, LinksThatLeadOutsideAreNotFollowed) {
  for (const auto extra : {RestoreOptions::Extra::keep, RestoreOptions::Extra::remove}) {
    for (const auto overwrite : {RestoreOptions::Overwrite::if_changed, RestoreOptions::Overwrite::always}) {
      Yard yard;
      yard.forge([](Forger& forger) {
        const ChunkId inside =
            forger.leaf({Forger::named("evil", forger.file("evil")), Forger::named("file", forger.file("evil"))});
        Entry device = Forger::of_type(EntryType::char_device);
        device.metadata.device = std::uint64_t(1) << 32 | 3;
        return Forger::directory(forger.leaf({
            Forger::named("absolute", Forger::directory(inside)),
            Forger::named("deep", Forger::directory(one(forger, "directory", Forger::directory(inside)))),
            Forger::named("device", device),
            Forger::named("fifo", Forger::of_type(EntryType::fifo)),
            Forger::named("file", forger.file("evil")),
            Forger::named("hard", forger.file("evil")),
            Forger::named("link", Forger::symlink("elsewhere")),
            Forger::named("pipe", forger.file("evil")),
            Forger::named("relative", Forger::directory(inside)),
        }));
      });
      yard.in_target(R"sh(
        out="$PWD/../outside"; mkdir deep
        ln -s "$out" absolute; ln -s ../outside relative; ln -s ../../outside/directory deep/directory
        for n in file device fifo link; do ln -s "$out/file" $n; done
        ln "$out/x" hard; mkfifo pipe; ln -s "$out" extra
      )sh");
      RestoreOptions options;
      options.extra = extra;
      options.overwrite = overwrite;
      options.verify = RestoreOptions::Verify::yes;
      EXPECT_EQ(yard.restore(options).text(), "");
      EXPECT_EQ(yard.in_target(
                    "stat -c %F absolute deep/directory relative file device fifo link hard pipe | sort | uniq -c"),
                "      1 character special file\n      3 directory\n      1 fifo\n      3 regular file\n      1 "
                "symbolic link\n");
    }
  }
}

TEST(HostileTarget, WhatIsThereStaysWhenNothingMayBeOverwritten) {
  Yard yard;
  yard.forge([](Forger& forger) {
    const ChunkId inside = one(forger, "file", forger.file("evil"));
    return Forger::directory(
        forger.leaf({Forger::named("directory", Forger::directory(inside)), Forger::named("file", forger.file("evil")),
                     Forger::named("good", forger.file(kContent))}));
  });
  yard.in_target("ln -s ../outside directory; ln -s ../outside/file file");
  RestoreOptions options;
  options.overwrite = RestoreOptions::Overwrite::never;
  EXPECT_EQ(yard.restore(options).findings.size(), 2U);
  EXPECT_EQ(yard.in_target("readlink directory file; cat good"),
            std::string("../outside\n../outside/file\n") + kContent);
}

TEST(HostileTarget, DirectoriesThatTurnIntoLinksAreNotFollowed) {
  Yard yard;
  yard.forge([](Forger& forger) {
    std::vector<Bytes> entries;
    for (int i = 1000; i < 3000; ++i)
      entries.push_back(Forger::named("f" + std::to_string(i), forger.file(std::to_string(i))));
    entries.insert(entries.begin(), Forger::named("evil", forger.file("evil")));
    return Forger::directory(one(forger, "d", Forger::directory(forger.leaf(entries))));
  });
  yard.in_target("mkdir d; ln -s ../outside swap");
  const std::string first = yard.shop.target() + "/d", second = yard.shop.target() + "/swap";
  std::jthread swapper([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      ::syscall(SYS_renameat2, AT_FDCWD, first.c_str(), AT_FDCWD, second.c_str(), RENAME_EXCHANGE);
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  });
  for (int i = 0; i < 3; ++i) yard.restore();
}

}  // namespace
}  // namespace qcbak::tests
