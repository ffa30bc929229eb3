// What backup/storage/storage.h promises, asked of every backend.
#include <gmock/gmock.h>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "backup/storage/local_directory.h"
#include "backup/storage/storage.h"
#include "base/error.h"
#include "tests/simulated/simulated_storage.h"
#include "tests/storage/child_process.h"
#include "tests/support/code_of.h"
#include "tests/support/temporary_directory.h"

namespace qcbak::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using tests::code_of;
using tests::TemporaryDirectory;

// An empty medium, which several handles can be opened on.
class TestMedium {
 public:
  virtual ~TestMedium() = default;
  virtual std::unique_ptr<Storage> open() = 0;
};

class LocalMedium final : public TestMedium {
 public:
  explicit LocalMedium(TemporaryFiles temporary) : temporary_(temporary) {}
  std::unique_ptr<Storage> open() override { return open_local_directory(directory_.path(), temporary_); }

 private:
  TemporaryDirectory directory_;
  TemporaryFiles temporary_;
};

class SimulatedMedium final : public TestMedium {
 public:
  std::unique_ptr<Storage> open() override { return std::make_unique<simulated::SimulatedStorage>(medium_); }

 private:
  simulated::Medium medium_;
};

struct Backend {
  const char* name;
  std::function<std::unique_ptr<TestMedium>()> make;
};
void PrintTo(const Backend& backend, std::ostream* out) { *out << backend.name; }
std::string backend_name(const testing::TestParamInfo<Backend>& info) { return info.param.name; }

const Backend kUnnamed{"LocalDirectory",
                       [] { return std::make_unique<LocalMedium>(TemporaryFiles::unnamed_where_possible); }};
const Backend kNamed{"LocalDirectoryWithNamedTemporaries",
                     [] { return std::make_unique<LocalMedium>(TemporaryFiles::named); }};
const Backend kSimulated{"Simulated", [] { return std::make_unique<SimulatedMedium>(); }};

class StorageContract : public testing::TestWithParam<Backend> {
 protected:
  std::unique_ptr<TestMedium> medium_ = GetParam().make();
  std::unique_ptr<Storage> storage_ = medium_->open();

  std::optional<std::string> text_of(std::string_view name) {
    const std::optional<Bytes> bytes = storage_->get(name, 1 << 20);
    if (!bytes) return std::nullopt;
    return to_string(*bytes);
  }
  std::vector<std::string> names(std::string_view prefix) {
    std::vector<std::string> result;
    for (const ObjectInfo& object : storage_->list(prefix)) result.push_back(object.name);
    return result;
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, StorageContract, testing::Values(kUnnamed, kNamed, kSimulated), backend_name);

// Those whose medium several processes can share.
class StorageAcrossProcesses : public StorageContract {};
INSTANTIATE_TEST_SUITE_P(Backends, StorageAcrossProcesses, testing::Values(kUnnamed, kNamed), backend_name);

Bytes pattern(std::size_t size_bytes, unsigned seed) {
  Bytes bytes(size_bytes);
  for (std::size_t i = 0; i < size_bytes; ++i) bytes[i] = static_cast<std::byte>((i * 2654435761U >> 13) + seed);
  return bytes;
}

TEST_P(StorageContract, GivesBackWhatWasPut) {
  EXPECT_EQ(storage_->put("packs/ab/abcd", as_bytes("bytes")), PutResult::stored);
  EXPECT_EQ(text_of("packs/ab/abcd"), "bytes");
  EXPECT_EQ(storage_->size("packs/ab/abcd"), 5);
  EXPECT_EQ(medium_->open()->get("packs/ab/abcd", 5), to_bytes(as_bytes("bytes")));
}

TEST_P(StorageContract, KnowsNothingOfWhatIsNotThere) {
  storage_->put("packs/ab", as_bytes("x"));
  std::byte one;
  for (const char* name : {"config", "packs", "packs/ac", "packs/ab/below", "other/folder/thing"}) {
    EXPECT_EQ(storage_->get(name, 10), std::nullopt) << name;
    EXPECT_EQ(storage_->get_range(name, 0, {&one, 1}), std::nullopt) << name;
    EXPECT_EQ(storage_->size(name), std::nullopt) << name;
    EXPECT_NO_THROW(storage_->remove(name)) << name;
  }
  EXPECT_EQ(text_of("packs/ab"), "x");
}

TEST_P(StorageContract, LeavesAnExistingObjectUntouched) {
  storage_->put("log/1", as_bytes("first"));
  EXPECT_EQ(storage_->put("log/1", as_bytes("second")), PutResult::exists);
  EXPECT_EQ(medium_->open()->put("log/1", as_bytes("third")), PutResult::exists);
  EXPECT_EQ(text_of("log/1"), "first");
}

TEST_P(StorageContract, StoresEmptyAndLargeObjects) {
  EXPECT_EQ(storage_->put("empty", {}), PutResult::stored);
  EXPECT_EQ(storage_->get("empty", 0), Bytes());
  EXPECT_EQ(storage_->size("empty"), 0);
  const Bytes large = pattern((17 << 20) + 123, 1);
  EXPECT_EQ(storage_->put("large", large), PutResult::stored);
  EXPECT_TRUE(storage_->get("large", large.size()) == large);
}

TEST_P(StorageContract, RefusesToReadMoreThanTheLimit) {
  storage_->put("object", as_bytes("12345"));
  EXPECT_NO_THROW(storage_->get("object", 5));
  EXPECT_EQ(code_of([&] { storage_->get("object", 4); }), ErrorCode::damaged);
}

TEST_P(StorageContract, ReadsRanges) {
  storage_->put("object", as_bytes("0123456789"));
  const auto range = [&](std::uint64_t offset, std::size_t size_bytes) {
    std::string text(size_bytes, '?');
    const auto into = std::as_writable_bytes(std::span(text));
    text.resize(storage_->get_range("object", offset, into).value());
    return text;
  };
  EXPECT_EQ(range(0, 10), "0123456789");
  EXPECT_EQ(range(3, 4), "3456");
  EXPECT_EQ(range(8, 4), "89");
  EXPECT_EQ(range(10, 4), "");
  EXPECT_EQ(range(~std::uint64_t{0}, 4), "");
  EXPECT_EQ(range(2, 0), "");
}

TEST_P(StorageContract, ListsInOrderOfNames) {
  EXPECT_THAT(names(""), IsEmpty());
  // '-' and '.' sort before '/', letters after: the order of whole names, not of folders.
  for (const char* name : {"a/b", "a-b", "a.b", "ab", "a/a", "packs/ab/1", "packs/ab/0", "packs/aa/2", "b"})
    storage_->put(name, as_bytes(name));
  EXPECT_THAT(names(""), ElementsAre("a-b", "a.b", "a/a", "a/b", "ab", "b", "packs/aa/2", "packs/ab/0", "packs/ab/1"));
  EXPECT_THAT(names("packs/"), ElementsAre("packs/aa/2", "packs/ab/0", "packs/ab/1"));
  EXPECT_THAT(names("packs/ab/"), ElementsAre("packs/ab/0", "packs/ab/1"));
  EXPECT_THAT(names("packs/a"), ElementsAre("packs/aa/2", "packs/ab/0", "packs/ab/1"));
  EXPECT_THAT(names("a"), ElementsAre("a-b", "a.b", "a/a", "a/b", "ab"));
  EXPECT_THAT(names("packs/ab/1"), ElementsAre("packs/ab/1"));
  EXPECT_THAT(names("nothing/"), IsEmpty());
  EXPECT_THAT(names("packs/ab/1/"), IsEmpty());
  EXPECT_EQ(storage_->list("packs/ab/").front().size_bytes, 10);
}

TEST_P(StorageContract, RemovesOnce) {
  storage_->put("packs/1", as_bytes("1"));
  storage_->put("packs/2", as_bytes("2"));
  storage_->remove("packs/1");
  storage_->remove("packs/1");
  EXPECT_THAT(names(""), ElementsAre("packs/2"));
  EXPECT_EQ(storage_->put("packs/1", as_bytes("again")), PutResult::stored);
  EXPECT_EQ(text_of("packs/1"), "again");
}

TEST_P(StorageContract, ReplacesAndCreates) {
  storage_->put("packs/1", as_bytes("rotten"));
  storage_->replace("packs/1", as_bytes("healed"));
  storage_->replace("packs/2", as_bytes("new"));
  EXPECT_EQ(text_of("packs/1"), "healed");
  EXPECT_EQ(text_of("packs/2"), "new");
  EXPECT_THAT(names(""), ElementsAre("packs/1", "packs/2"));
}

TEST_P(StorageContract, RefusesNamesThatCannotBe) {
  const std::string long_name(kNameLimit + 1, 'a');
  for (const std::string_view name :
       {"",          "/",           "/absolute",   "..",      "../outside", "a/../b",
        "a/..",      ".",           "./a",         ".hidden", "a/.hidden",  "a//b",
        "a/",        "Upper",       "under_score", "spa ce",  "tilde~",     "back\\slash",
        "new\nline", "caf\xc3\xa9", "lock",        "tmp",     "tmp/1",      long_name.c_str()}) {
    EXPECT_FALSE(is_object_name(name)) << name;
    EXPECT_EQ(code_of([&] { storage_->put(name, {}); }), ErrorCode::usage) << name;
    EXPECT_EQ(code_of([&] { storage_->replace(name, {}); }), ErrorCode::usage) << name;
    EXPECT_EQ(code_of([&] { storage_->remove(name); }), ErrorCode::usage) << name;
    EXPECT_EQ(code_of([&] { storage_->get(name, 1); }), ErrorCode::usage) << name;
    EXPECT_EQ(code_of([&] { storage_->get_range(name, 0, {}); }), ErrorCode::usage) << name;
    EXPECT_EQ(code_of([&] { storage_->size(name); }), ErrorCode::usage) << name;
  }
  EXPECT_EQ(code_of([&] { storage_->put(std::string_view("nul\0", 4), {}); }), ErrorCode::usage);
  for (const std::string_view prefix : {"/", "../", "a/../", "a//", ".", "A", "tmp/"})
    EXPECT_EQ(code_of([&] { storage_->list(prefix); }), ErrorCode::usage) << prefix;
  EXPECT_THAT(names(""), IsEmpty());
  for (const std::string_view name : {"0", "a.b", "a..b", "a-", "locks", "lock/1", "tmpx", "a/tmp/b", "a/lock"})
    EXPECT_TRUE(is_object_name(name)) << name;
}

TEST_P(StorageContract, LocksOutEveryOtherHandle) {
  const std::unique_ptr<Storage> other = medium_->open();
  std::unique_ptr<Storage::WriterLock> lock = storage_->try_lock();
  ASSERT_NE(lock, nullptr);
  EXPECT_EQ(other->try_lock(), nullptr);
  EXPECT_EQ(storage_->try_lock(), nullptr);
  lock.reset();
  lock = other->try_lock();
  EXPECT_NE(lock, nullptr);
  EXPECT_EQ(storage_->try_lock(), nullptr);
  EXPECT_THAT(names(""), IsEmpty());
}

TEST_P(StorageContract, StoresOnceWhenThreadsRace) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 20;
  const std::unique_ptr<Storage> other = medium_->open();
  for (int round = 0; round < kRounds; ++round) {
    const std::string name = "log/" + std::to_string(round);
    std::atomic<int> stored = 0;
    std::atomic<int> winner = -1;
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < kThreads; ++i)
        threads.emplace_back([&, i] {
          if ((i % 2 ? *storage_ : *other).put(name, as_bytes(std::to_string(i))) == PutResult::exists) return;
          ++stored;
          winner = i;
        });
    }
    EXPECT_EQ(stored, 1);
    EXPECT_EQ(text_of(name), std::to_string(winner));
  }
  EXPECT_EQ(names("").size(), kRounds);
}

TEST_P(StorageContract, ReplacesAtomically) {
  const Bytes one = pattern(100'000, 1);
  const Bytes two = pattern(200'000, 2);
  storage_->put("packs/1", one);
  std::jthread writer([&](std::stop_token stop) {
    for (int i = 0; i < 20 && !stop.stop_requested(); ++i) storage_->replace("packs/1", i % 2 ? one : two);
  });
  const std::unique_ptr<Storage> reader = medium_->open();
  for (int i = 0; i < 200; ++i) {
    const std::optional<Bytes> seen = reader->get("packs/1", 1 << 20);
    ASSERT_TRUE(seen == one || seen == two);
  }
}

TEST_P(StorageContract, RemovingLeftoversTakesNoObject) {
  storage_->put("packs/ab/1", as_bytes("1"));
  storage_->put("config", as_bytes("2"));
  const std::unique_ptr<Storage::WriterLock> lock = storage_->try_lock();
  storage_->remove_leftovers();
  EXPECT_THAT(names(""), ElementsAre("config", "packs/ab/1"));
  EXPECT_EQ(text_of("packs/ab/1"), "1");
}

TEST_P(StorageContract, DescribesItself) { EXPECT_NE(storage_->description(), ""); }

TEST_P(StorageAcrossProcesses, LocksOutOtherProcessesUntilTheyDie) {
  int to_parent[2];
  ASSERT_EQ(::pipe(to_parent), 0);
  ChildProcess holder([&] {
    const std::unique_ptr<Storage> mine = medium_->open();
    const std::unique_ptr<Storage::WriterLock> lock = mine->try_lock();
    const char got = lock ? 'y' : 'n';
    if (::write(to_parent[1], &got, 1) != 1) return 1;
    for (;;) ::pause();
  });
  char got = 0;
  ASSERT_EQ(::read(to_parent[0], &got, 1), 1);
  ::close(to_parent[0]);
  ::close(to_parent[1]);
  EXPECT_EQ(got, 'y');
  EXPECT_EQ(storage_->try_lock(), nullptr);
  EXPECT_EQ(ChildProcess([&] { return medium_->open()->try_lock() ? 1 : 0; }).wait(), 0);
  holder.kill();
  EXPECT_NE(storage_->try_lock(), nullptr);
}

TEST_P(StorageAcrossProcesses, GivesUpTheLockThoughAChildLivesOn) {
  std::unique_ptr<Storage::WriterLock> lock = storage_->try_lock();
  const ChildProcess child([] {
    for (;;) ::pause();
    return 0;
  });
  lock.reset();
  EXPECT_NE(storage_->try_lock(), nullptr);
}

TEST_P(StorageAcrossProcesses, StoresOnceWhenProcessesRace) {
  constexpr int kRounds = 10;
  for (int round = 0; round < kRounds; ++round) {
    const std::string name = "log/" + std::to_string(round);
    std::vector<std::unique_ptr<ChildProcess>> children;
    for (int i = 0; i < 6; ++i)
      children.push_back(std::make_unique<ChildProcess>([&] {
        return medium_->open()->put(name, pattern(50'000, static_cast<unsigned>(i))) == PutResult::stored ? 1 : 0;
      }));
    int stored = 0;
    int winner = -1;
    for (int i = 0; i < 6; ++i) {
      const int status = children[static_cast<std::size_t>(i)]->wait();
      ASSERT_TRUE(status == 0 || status == 1);
      stored += status;
      if (status == 1) winner = i;
    }
    EXPECT_EQ(stored, 1);
    EXPECT_TRUE(storage_->get(name, 1 << 20) == pattern(50'000, static_cast<unsigned>(winner)));
  }
}

}  // namespace
}  // namespace qcbak::storage
