// The fixture itself, in both storages and with both suites.
#include <gmock/gmock.h>

#include "backup/storage/local_directory.h"
#include "base/error.h"
#include "tests/repository/test_repository.h"
#include "tests/simulated/simulated_storage.h"
#include "tests/support/temporary_directory.h"

namespace qcbak::repository {
namespace {

using namespace tests;

void store_and_read_back(storage::Storage& storage, crypto::Suite suite) {
  const ManualClock clock;
  SeededRandom random(1);
  TestRepositoryOptions options;
  options.suite = suite;
  create_test_repository(storage, clock, random, options);
  const auto writer = open_test_repository(storage, Access::write_only);
  const WriteContext context{storage, *writer, writer->domain(""), clock, random};
  Files files{{"empty", {}},
              {"etc/hosts", to_bytes(as_bytes("127.0.0.1 localhost\n"))},
              {"etc/ssh/moduli", random_content(random, 300'000)},  // more than kInlineParts parts
              {"small", random_content(random, 5000)}};
  const SnapshotId first = store_snapshot(context, files);
  Files changed = files;
  changed["etc/hosts"] = to_bytes(as_bytes("::1 localhost\n"));
  changed.erase("small");
  const SnapshotId second = store_snapshot(context, changed);

  const auto reader = open_test_repository(storage, Access::read);
  EXPECT_EQ(read_snapshot(*reader, first), files);
  EXPECT_EQ(read_snapshot(*reader, second), changed);
  EXPECT_EQ(reader->snapshots(nullptr).size(), 2U);
  const auto blind = open_test_repository(storage, Access::write_only);
  EXPECT_EQ(blind->snapshots(nullptr).size(), 2U);
  EXPECT_THROW(read_snapshot(*blind, first), Error);
}

TEST(TestRepository, StoresAndReadsBackInSimulatedStorage) {
  simulated::Medium medium;
  simulated::SimulatedStorage storage(medium);
  store_and_read_back(storage, crypto::Suite::aes_256_gcm);
}

TEST(TestRepository, StoresAndReadsBackInALocalDirectory) {
  const TemporaryDirectory directory;
  store_and_read_back(*storage::create_local_directory(directory / "repository"), crypto::Suite::xchacha20_poly1305);
}

}  // namespace
}  // namespace qcbak::repository
