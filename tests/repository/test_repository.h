// A repository for tests, in any storage, without a password's half second: its one custodian's seed is test_seed().
//
//   simulated::Medium medium;  simulated::SimulatedStorage storage(medium);
//   ManualClock clock;  SeededRandom random(1);
//   create_test_repository(storage, clock, random);
//   const auto repository = open_test_repository(storage, Access::write_only);
//   const WriteContext context{storage, *repository, repository->domain(""), clock, random};
//   const SnapshotId id = store_snapshot(context, {{"etc/hosts", to_bytes(as_bytes("…"))}});
//   EXPECT_EQ(read_snapshot(*open_test_repository(storage, Access::read), id), …);
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backup/repository/repository.h"
#include "backup/repository/writer.h"
#include "tests/support/seeded_random.h"

namespace qcbak::tests {

struct TestRepositoryOptions {
  crypto::Suite suite = crypto::Suite::aes_256_gcm;
  std::vector<std::string> domains = {"default"};
};
// As create_repository() does, but with a recipient's slot; and each domain has a writer beside its custodian.
void create_test_repository(storage::Storage& storage, const Clock& clock, Random& random,
                            const TestRepositoryOptions& options = {});

repository::CustodianSeed test_seed();
// The file that the daemon would hold, or a reader elsewhere.
crypto::SecretBytes test_credential(const storage::ReadStorage& storage, repository::CredentialKind kind);

enum class Access { locked, read, write_only };  // read: with the custodian's key, which may write too
std::unique_ptr<repository::Repository> open_test_repository(const storage::ReadStorage& storage, Access access,
                                                             repository::OpenOptions options = {});

// Paths without a leading slash, and contents.
using Files = std::map<std::string, Bytes>;

struct StoreOptions {
  std::string host = "host";
  repository::Labels labels = {};
  std::size_t chunk_bytes = 4096;  // files are cut at fixed places
  // A record for each file, so that collection finds packs that are needed in part; else up to 1 MiB together.
  enum class Records { one_a_file, shared } records = Records::one_a_file;
};
// What a backup has when only its commit is missing.
struct StoredFiles {
  repository::SnapshotHeader header;
  repository::SnapshotBody body;
  std::vector<repository::ObjectName> packs;
};
StoredFiles store_files(const repository::WriteContext& context, const Files& files, const StoreOptions& options = {});
repository::SnapshotId store_snapshot(const repository::WriteContext& context, const Files& files,
                                      const StoreOptions& options = {});
// Every file of a snapshot, each checked against its SHA-256. Needs Access::read.
Files read_snapshot(const repository::Repository& repository, const repository::SnapshotId& id);

// `size` bytes that no compression shrinks.
Bytes random_content(SeededRandom& random, std::size_t size);

}  // namespace qcbak::tests
