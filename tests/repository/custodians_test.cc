#include "backup/repository/custodians.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "tests/repository/test_repository.h"
#include "tests/simulated/simulated_storage.h"
#include "tests/support/seeded_random.h"
#include "tests/support/temporary_directory.h"

namespace qcbak::repository {
namespace {

using tests::Access;

ErrorCode code_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::failed;
}

class Custodians : public testing::Test {
 protected:
  Custodians() { tests::create_test_repository(storage_, clock_, random_); }

  std::unique_ptr<Repository> with_password(std::string_view password) {
    auto repository = std::make_unique<Repository>(storage_, OpenOptions{});
    repository->unlock_with_password(as_bytes(password));
    return repository;
  }
  std::unique_ptr<Repository> with_credential(const crypto::SecretBytes& file) {
    auto repository = std::make_unique<Repository>(storage_, OpenOptions{});
    repository->unlock_with_credential(file.view());
    return repository;
  }
  WriteContext context(Repository& repository) {
    return {storage_, repository, repository.domain(""), clock_, random_};
  }

  simulated::Medium medium_;
  simulated::SimulatedStorage storage_{medium_};
  tests::ManualClock clock_;
  tests::SeededRandom random_{1};
};

TEST_F(Custodians, AFurtherOneReadsWhatWasThereBefore) {
  const auto first = tests::open_test_repository(storage_, Access::read);
  const tests::Files files{{"etc/hosts", to_bytes(as_bytes("localhost"))}};
  const SnapshotId id = tests::store_snapshot(context(*first), files);
  add_custodian(context(*first), "second", as_bytes("correct horse"));
  EXPECT_EQ(tests::read_snapshot(*with_password("correct horse"), id), files);
  EXPECT_EQ(code_of([&] { with_password("wrong horse"); }), ErrorCode::wrong_key);
}

TEST_F(Custodians, AChangedPasswordReplacesTheOldOne) {
  add_custodian(context(*tests::open_test_repository(storage_, Access::read)), "second", as_bytes("before"));
  const auto second = with_password("before");
  change_password(context(*second), as_bytes("before"), as_bytes("after"));
  EXPECT_EQ(code_of([&] { with_password("before"); }), ErrorCode::wrong_key);
  EXPECT_TRUE(with_password("after")->domain("").can_read());
}

TEST_F(Custodians, ARemovedOneOpensNothingAndTheLastStays) {
  const auto first = tests::open_test_repository(storage_, Access::read);
  add_custodian(context(*first), "second", as_bytes("password"));
  EXPECT_EQ(remove_key(context(*first), "second").kind, RemovedKey::Kind::custodian);
  EXPECT_EQ(code_of([&] { with_password("password"); }), ErrorCode::wrong_key);
  const auto slots = first->log().keys.all<SlotObject>(first->domain("").id);
  ASSERT_EQ(slots.size(), 1U);
  EXPECT_EQ(code_of([&] { remove_key(context(*first), slots.front().second->name); }), ErrorCode::refused);
  EXPECT_EQ(code_of([&] { remove_key(context(*first), "nobody"); }), ErrorCode::not_found);
}

// The whole log is checked from its first entry whenever the repository is opened.
TEST_F(Custodians, WhatARemovedOneSignedStaysProven) {
  add_custodian(context(*tests::open_test_repository(storage_, Access::read)), "second", as_bytes("before"));
  {
    const auto second = with_password("before");
    tests::store_snapshot(context(*second), {{"a", to_bytes(as_bytes("1"))}});
    issue_credential({context(*second)}, CredentialKind::write, "machine");
    change_password(context(*second), as_bytes("before"), as_bytes("after"));
  }
  {
    const auto second = with_password("after");
    tests::store_snapshot(context(*second), {{"a", to_bytes(as_bytes("2"))}});
    EXPECT_EQ(code_of([&] { with_password("before"); }), ErrorCode::wrong_key);
  }
  const auto first = tests::open_test_repository(storage_, Access::read);
  remove_key(context(*first), "second");
  EXPECT_EQ(code_of([&] { with_password("after"); }), ErrorCode::wrong_key);
  EXPECT_EQ(tests::open_test_repository(storage_, Access::read)->snapshots(nullptr).size(), 2U);
}

TEST_F(Custodians, SlotsThatProveNothingAreTakenAway) {
  const auto first = tests::open_test_repository(storage_, Access::read);
  const ObjectName slot = add_custodian(context(*first), "second", as_bytes("password"));
  {
    const auto second = with_password("password");
    tests::store_snapshot(context(*second), {{"a", to_bytes(as_bytes("1"))}});
  }
  remove_key(context(*first), "second");
  EXPECT_FALSE(storage_.size(key_path(slot)));
  EXPECT_EQ(tests::open_test_repository(storage_, Access::read)->snapshots(nullptr).size(), 1U);
}

TEST_F(Custodians, AKeyApartIsNotNeededToCheckWhatItSigned) {
  const tests::TemporaryDirectory apart;
  OpenOptions with_keys;
  with_keys.keys_directory = apart.path();
  add_custodian(context(*tests::open_test_repository(storage_, Access::read, with_keys)), "second", as_bytes("password"));
  {
    Repository second(storage_, with_keys);
    second.unlock_with_password(as_bytes("password"));
    tests::store_snapshot(context(second), {{"a", to_bytes(as_bytes("1"))}});
    EXPECT_EQ(code_of([&] { issue_credential({context(second)}, CredentialKind::read, "machine"); }), ErrorCode::refused);
  }
  EXPECT_EQ(code_of([&] { with_password("password"); }), ErrorCode::wrong_key);
  EXPECT_EQ(tests::open_test_repository(storage_, Access::read)->snapshots(nullptr).size(), 1U);
}

TEST_F(Custodians, CredentialsOpenAsMuchAsTheySayUntilTheyAreRevoked) {
  const auto first = tests::open_test_repository(storage_, Access::read);
  const crypto::SecretBytes write = issue_credential({context(*first)}, CredentialKind::write, "daemon");
  const crypto::SecretBytes read = issue_credential({context(*first)}, CredentialKind::read, "bench");
  EXPECT_FALSE(with_credential(write)->domain("").can_read());
  EXPECT_TRUE(with_credential(read)->domain("").can_read());
  const auto writer = with_credential(write);
  tests::store_snapshot(context(*writer), {{"a", to_bytes(as_bytes("b"))}});
  EXPECT_EQ(code_of([&] { add_custodian(context(*writer), "intruder", as_bytes("password")); }), ErrorCode::refused);

  const auto again = tests::open_test_repository(storage_, Access::read);
  remove_key(context(*again), "daemon");
  EXPECT_EQ(code_of([&] { with_credential(write); }), ErrorCode::wrong_key);
  EXPECT_EQ(with_credential(read)->snapshots(nullptr).size(), 1U);  // what a removed writer committed stays
}

TEST_F(Custodians, APasswordDoesNotOpenARepositoryWhoseRootWasReplaced) {
  add_custodian(context(*tests::open_test_repository(storage_, Access::read)), "second", as_bytes("password"));
  // Whoever has the storage copies the custodian's slot into a log signed with a root of their own.
  const auto victim = with_password("password");
  const DomainKeys& real = victim->domain("");
  SlotObject slot;
  for (const auto& [name, object] : victim->log().keys.all<SlotObject>(real.id))
    if (object->name == "second") slot = *object;
  simulated::Medium other_medium;
  simulated::SimulatedStorage other(other_medium);
  const crypto::SignSeed root = crypto::SignSeed::random(random_);
  DomainKeys forged(real.id, root.copy());
  forged.root = crypto::sign_public(root);
  EpochKeys epoch;
  epoch.number = 1;
  epoch.map_key = MapKey::random(random_);
  epoch.id_key = IdKey::random(random_);
  epoch.secret = crypto::BoxSecret::random(random_);
  epoch.box = crypto::box_public(*epoch.secret);
  KeyEvent event;
  DomainObject domain;
  domain.name = "default";
  domain.root = forged.root;
  for (const KeyContent& content :
       {KeyContent(domain), KeyContent(slot), KeyContent(EpochObject{1, {}, epoch.box, map_check(epoch.map_key)}),
        KeyContent(GrantObject{1, slot.custodian, seal_grant(slot.box, forged.root, epoch)})}) {
    const Bytes object = encode_key_object(victim->config_hash(), real.id, content, root);
    other.put(key_path(name_of(object)), object);
    event.added.push_back(name_of(object));
  }
  forged.epochs.push_back(std::move(epoch));
  other.put(log_path(1), encode_log_entry(victim->binding(real.id), {0, victim->config_hash()}, clock_.now(), event, forged, random_));
  other.put(kConfigPath, *storage_.get(kConfigPath, kConfigLimit));
  Repository replaced(other, {});
  EXPECT_EQ(code_of([&] { replaced.unlock_with_password(as_bytes("password")); }), ErrorCode::damaged);
}

}  // namespace
}  // namespace qcbak::repository
