// A process that makes, fills, thins out and collects a repository on a local disk is killed (SIGKILL) at random times.
// Whatever it acknowledged is there; the next process goes on with no manual step.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/random.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <thread>

#include "backup/repository/collect.h"
#include "backup/verify.h"
#include "base/unique_fd.h"
#include "tests/backup/rehearsal.h"
#include "tests/storage/child_process.h"

#ifndef QCBAK_KILLS
#define QCBAK_KILLS 20
#endif

namespace qcbak::tests {
namespace {

namespace fs = std::filesystem;
using repository::SnapshotId;

constexpr int kKills = QCBAK_KILLS;

crypto::Sha256 digest(const Files& files) {
  Bytes all;
  for (const auto& [path, content] : files) {
    append(all, as_bytes(path));
    append(all, crypto::sha256(content).view());
  }
  return crypto::sha256(all);
}

// What the child says before it dies; written at once, so whole.
struct Message {
  enum class Kind : std::uint8_t { committed, forgetting, forgotten } kind;
  SnapshotId snapshot;
  crypto::Sha256 files;  // of what was committed
};
static_assert(std::is_trivially_copyable_v<Message>);

struct Pipe {
  Pipe() {
    int ends[2];
    check(::pipe2(ends, O_CLOEXEC) == 0, "a pipe");
    read = UniqueFd(ends[0]);
    write = UniqueFd(ends[1]);
  }
  void send(const Message& message) const {
    check(::write(write.get(), &message, sizeof message) == sizeof message, "message sent");
  }
  std::vector<Message> all() {
    { const UniqueFd closed = std::move(write); }
    std::vector<Message> messages;
    for (Message message{}; ::read(read.get(), &message, sizeof message) == sizeof message;) messages.push_back(message);
    return messages;
  }
  UniqueFd read, write;
};

// Works until it is killed.
class Worker {
 public:
  Worker(const Workshop& shop, const Pipe& pipe, std::vector<SnapshotId> living, std::uint64_t seed)
      : shop_(shop), pipe_(pipe), living_(std::move(living)), random_(seed) {}
  [[noreturn]] void work() {
    for (;;) {
      edit();
      back_up();
      if (random_.one_in(3)) forget();
      if (random_.one_in(4)) collect();
    }
  }

 private:
  std::unique_ptr<storage::Storage> open() {
    const auto temporary = random_.one_in(2) ? storage::TemporaryFiles::named : storage::TemporaryFiles::unnamed_where_possible;
    return storage::open_local_directory(shop_.repository_path(), temporary);
  }
  void edit() {
    for (std::uint64_t left = random_.below(5); left > 0; --left) {
      const std::string file = shop_.source() + "/" + std::to_string(random_.below(30));
      if (random_.one_in(4)) fs::remove(file);
      else write_random_file(file, random_, random_.one_in(10) ? 2'000'000 : random_.below(50'000));
    }
  }
  void back_up() {
    const Files files = files_below(shop_.source());
    const SnapshotId id = shop_.backup_to(*open()).snapshot;
    pipe_.send({Message::Kind::committed, id, digest(files)});
    living_.push_back(id);
  }
  template <class Body>
  void change(Body&& body) {
    const auto storage = open();
    const auto lock = repository::lock_for_writing(*storage, SystemClock(), 0, {});
    const auto repository = shop_.open(*storage, Access::write_only);
    const SystemClock clock;
    SystemRandom random;
    body(repository::WriteContext{*storage, *repository, repository->domain(""), clock, random});
  }
  void forget() {
    const std::size_t which = random_.below(living_.size());
    const SnapshotId id = living_[which];
    pipe_.send({Message::Kind::forgetting, id, {}});
    change([&](const repository::WriteContext& context) {
      repository::append_log(context, [&] { return repository::Tombstone{{id}, "test"}; });
    });
    pipe_.send({Message::Kind::forgotten, id, {}});
    living_.erase(living_.begin() + static_cast<std::ptrdiff_t>(which));
  }
  void collect() {
    change([&](const repository::WriteContext& context) { repository::collect(context, {}, {}); });
  }

  const Workshop& shop_;
  const Pipe& pipe_;
  std::vector<SnapshotId> living_;
  SeededRandom random_;
};

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  check(::getrandom(&seed, sizeof seed, 0) == sizeof seed, "a seed");
  return seed;
}

std::string findings(const VerifyResult& result, VerifyFinding::Kind least) {
  std::string text;
  for (const VerifyFinding& finding : result.findings)
    if (finding.kind <= least) text += finding.object + ": " + finding.what + "\n";
  return text;
}

VerifyResult verify_all(const repository::Repository& repository) {
  VerifyOptions options;
  options.data = VerifyOptions::Data::read;
  Progress progress;
  return verify(repository, options, progress, {});
}

TEST(Killed, WhatWasAcknowledgedIsThereAndWorkGoesOn) {
  const Workshop shop;
  std::map<SnapshotId, crypto::Sha256> acknowledged;
  SeededRandom content(1);
  for (int i = 0; i < 30; ++i)
    write_random_file(shop.source() + "/" + std::to_string(i), content, content.below(50'000));

  for (int kill = 0; kill < kKills; ++kill) {
    const std::uint64_t seed = random_seed();
    SCOPED_TRACE(testing::Message() << "kill " << kill << ", seed " << seed);
    SeededRandom random(seed);
    Pipe pipe;
    {
      std::vector<SnapshotId> living;
      for (const auto& [id, files] : acknowledged) living.push_back(id);
      ChildProcess child([&]() -> int { Worker(shop, pipe, living, seed).work(); });
      std::this_thread::sleep_for(std::chrono::microseconds(random.below(600'000)));
      child.kill();
    }
    std::optional<SnapshotId> in_doubt;
    for (const Message& message : pipe.all()) {
      switch (message.kind) {
        case Message::Kind::committed: acknowledged[message.snapshot] = message.files; break;
        case Message::Kind::forgetting: in_doubt = message.snapshot; break;
        case Message::Kind::forgotten:
          acknowledged.erase(message.snapshot);
          in_doubt.reset();
          break;
      }
    }

    const auto storage = shop.open_storage();
    {
      const auto lock = repository::lock_for_writing(*storage, SystemClock(), 0, {});
      const std::string unfinished = shop.repository_path() + "/tmp";
      EXPECT_TRUE(!fs::exists(unfinished) || fs::is_empty(unfinished));
      const auto repository = shop.open(*storage, Access::read);
      EXPECT_EQ(findings(verify_all(*repository), VerifyFinding::Kind::missing), "");
      for (const auto& [id, files] : acknowledged) {
        if (id == in_doubt && repository->log().snapshots.at(id).tombstone_number != 0) continue;
        EXPECT_EQ(digest(read_snapshot(*repository, id)), files);
      }
      if (in_doubt && repository->log().snapshots.at(*in_doubt).tombstone_number != 0) acknowledged.erase(*in_doubt);
    }
    const Files files = files_below(shop.source());
    acknowledged[shop.backup().snapshot] = digest(files);
    shop.restore();
    ASSERT_EQ(shop.difference(), "");
    fs::remove_all(shop.target());
  }

  // Nothing of all that stays behind a collection.
  const auto storage = shop.open_storage();
  const auto lock = repository::lock_for_writing(*storage, SystemClock(), 0, {});
  const auto repository = shop.open(*storage, Access::read);
  const SystemClock clock;
  SystemRandom random;
  repository::CollectOptions options;
  options.waste = 0;
  repository::collect({*storage, *repository, repository->domain(""), clock, random}, options, {});
  EXPECT_EQ(findings(verify_all(*shop.open(*storage, Access::read)), VerifyFinding::Kind::superfluous), "");
}

TEST(Killed, ABackupGoesOnWhereItWas) {
  const Workshop shop;
  constexpr std::uint64_t kTotal = 96U << 20;
  constexpr std::uint64_t kPack = 16U << 20;
  SeededRandom random(2);
  for (int i = 0; i < 96; ++i) write_random_file(shop.source() + "/" + std::to_string(i), random, 1U << 20);
  let_settle();
  const auto packs = [&] {
    const auto storage = shop.open_storage();
    return storage->list("packs/").size();
  };
  {
    ChildProcess child([&] {
      shop.backup();
      return 0;
    });
    while (packs() < 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    child.kill();
  }
  const std::uint64_t there = packs();
  if (there > 5) GTEST_SKIP() << "it was quicker than its killer";
  // One pack's worth of what is stored may have been noted too late.
  EXPECT_LT(shop.backup().bytes_read, kTotal - (there - 1) * kPack + (2U << 20));
  shop.restore();
  EXPECT_EQ(shop.difference(), "");
}

TEST(Killed, AnInitIsDoneAgain) {
  const TemporaryDirectory directory;
  const Bytes password = to_bytes(as_bytes("password"));
  const SystemClock clock;
  SystemRandom system_random;
  for (int kill = 0; kill < kKills / 2; ++kill) {
    const std::uint64_t seed = random_seed();
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    const std::string path = directory / std::to_string(kill);
    {
      ChildProcess child([&] {
        const auto storage = storage::create_local_directory(path);
        repository::create_repository(*storage, {}, password, clock.now(), system_random);
        return 0;
      });
      // Most of the time goes into the password; what changes the disk comes behind it.
      const bool early = random.one_in(3);
      while (!early && !fs::exists(path + "/keys")) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      std::this_thread::sleep_for(std::chrono::microseconds(random.below(30'000)));
      child.kill();
    }
    const auto storage = storage::create_local_directory(path);
    const auto lock = repository::lock_for_writing(*storage, clock, 0, {});
    if (!storage->size("config"))
      repository::create_repository(*storage, {}, password, clock.now(), system_random);
    repository::Repository repository(*storage, {});
    repository.unlock_with_password(password);
    EXPECT_TRUE(verify_all(repository).findings.empty());
  }
}

}  // namespace
}  // namespace qcbak::tests
