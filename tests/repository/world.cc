#include "tests/repository/world.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "base/error.h"

namespace qcbak::tests {

using namespace repository;

CollectOptions exclusively() { return {}; }
CollectOptions with_grace() {
  CollectOptions options;
  options.grace_ns = kGraceNs;
  return options;
}

World::World(std::unique_ptr<simulated::Medium> medium, std::uint64_t seed)
    : medium_(std::move(medium)),
      clock_(std::make_unique<ManualClock>()),
      random_(std::make_unique<SeededRandom>(seed)) {}

World::World(std::uint64_t seed) : World(std::make_unique<simulated::Medium>(), seed) {
  simulated::SimulatedStorage storage(*medium_);
  create_test_repository(storage, *clock_, *random_);
}

World World::copy(std::uint64_t seed) const {
  World copy(medium_->copy(), seed);
  copy.clock_->jump_to(clock_->now());
  copy.promised_ = promised_;
  copy.perhaps_forgotten_ = perhaps_forgotten_;
  copy.perhaps_committed_ = perhaps_committed_;
  return copy;
}

World::Process::Process(World& world, Access access)
    : storage(world.medium()),
      repository(open_test_repository(storage, access)),
      context{storage, *repository, repository->domain(""), world.clock(), world.random()} {}

void World::Process::take_over() {
  lock = storage.try_lock();
  check(lock != nullptr, "no other process has the lock");
  storage.remove_leftovers();
}

SnapshotId World::backup(const Files& files) {
  Process process(*this);
  const SnapshotId id = store_snapshot(process.context, files);
  promised_[id] = files;
  return id;
}

void World::forget(const SnapshotId& id) {
  Process process(*this);
  append_log(process.context, [&] { return Tombstone{{id}, "test"}; });
  promised_.erase(id);
}

void World::forget_all() {
  const auto living = promised_;
  for (const auto& [id, files] : living) forget(id);
}

CollectResult World::collect(const CollectOptions& options) {
  Process process(*this);
  return repository::collect(process.context, options, {});
}

void World::unsure_of_tombstone(const SnapshotId& id) {
  if (const auto at = promised_.find(id); at != promised_.end()) perhaps_forgotten_.insert(promised_.extract(at));
}

void World::expect_whole() {
  const simulated::SimulatedStorage storage(*medium_);
  const auto repository = open_test_repository(storage, Access::read);
  const std::vector<SnapshotId> living = repository->log().living(repository->domain("").id);
  for (const auto& [id, files] : promised_)
    EXPECT_TRUE(std::find(living.begin(), living.end(), id) != living.end()) << "lost: " << id.hex();
  for (const SnapshotId& id : living) {
    Files read;
    try {
      read = read_snapshot(*repository, id);
    } catch (const Error& error) {
      ADD_FAILURE() << "snapshot " << id.hex() << (promised_.contains(id) ? " (promised)" : "") << ": " << error.what();
      continue;
    }
    if (const auto at = perhaps_forgotten_.find(id); at != perhaps_forgotten_.end()) promised_.insert(*at);
    if (const auto at = promised_.find(id); at != promised_.end()) {
      EXPECT_TRUE(read == at->second) << "snapshot " << id.hex() << " reads back as something else";
      continue;
    }
    EXPECT_TRUE(std::find(perhaps_committed_.begin(), perhaps_committed_.end(), read) != perhaps_committed_.end())
        << "a snapshot that nobody made";
    promised_[id] = read;
  }
  perhaps_forgotten_.clear();
  perhaps_committed_.clear();
}

void World::expect_usable() {
  {
    Process process(*this);
    process.take_over();
  }
  expect_whole();
  ASSERT_NO_THROW(backup(promised_.empty() ? files_of(1, 3000) : promised_.begin()->second));
  clock_->advance(kGraceNs);
  for (const CollectOptions& options : {with_grace(), exclusively()}) {
    try {
      collect(options);
    } catch (const Error& error) {
      ADD_FAILURE() << "the next collection: " << error.what();
    }
    expect_whole();
  }
  EXPECT_TRUE(Process(*this).repository->log().condemned.empty());
}

std::vector<std::string> World::names(std::string_view prefix) {
  std::vector<std::string> found;
  for (const storage::ObjectInfo& object : simulated::SimulatedStorage(*medium_).list(prefix))
    found.push_back(object.name);
  return found;
}

Files World::files_of(std::size_t count, std::size_t size) {
  Files files;
  for (std::size_t i = 0; i < count; ++i) files["d/" + std::to_string(i)] = random_content(*random_, size);
  return files;
}

}  // namespace qcbak::tests
