// Snapshot objects: what is known of a snapshot with the map key, and with the reading key. docs/format.md "Snapshots".
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "backup/repository/segment.h"
#include "base/clock.h"

namespace qcbak::repository {

using Labels = std::vector<std::pair<std::string, std::string>>;  // ascending keys

struct Totals {
  std::uint64_t files = 0;
  std::uint64_t directories = 0;
  std::uint64_t others = 0;
  std::uint64_t bytes = 0;         // apparent, of all files
  std::uint64_t bytes_added = 0;   // plaintext that was not there before
  std::uint64_t bytes_stored = 0;  // what that took in the repository
};

struct SnapshotHeader {
  SnapshotId id;
  Salt salt;
  Time time;  // when the run started
  std::string host;
  std::string source = "files";
  std::vector<Bytes> paths;
  Labels labels;
  Totals totals;
  ChunkId reference_root;
  std::string program;
  std::uint64_t findings = 0;
  Time end;
};

struct Finding {
  std::string path;
  std::string what;
};

struct SnapshotBody {
  SnapshotId id;
  ChunkId root;
  std::vector<std::pair<std::uint32_t, Bytes>> users;
  std::vector<std::pair<std::uint32_t, Bytes>> groups;
  std::vector<Finding> findings;
};

// The id follows from the header's other fields and the salt.
SnapshotId snapshot_id(const RepositoryId& repository, const DomainId& domain, const SnapshotHeader& header);

void write_labels(cbor::Writer& writer, const Labels& labels);
Labels read_labels(cbor::Reader& reader);  // Error(damaged)

Bytes encode_snapshot(const Binding& binding, const EpochKeys& epoch, const Segment& segment,
                      const std::vector<ObjectName>& packs, const SnapshotHeader& header, const SnapshotBody& body,
                      Random& random);

// The parts of a stored snapshot, without any key.
struct StoredSnapshot {
  DomainId domain;
  std::vector<ObjectName> packs;
  Bytes header;
  SegmentHeader segment;
  Bytes encoded_segment;
  Bytes body;
};
StoredSnapshot parse_snapshot(ByteView stored);                                            // Error(damaged)
SnapshotHeader open_snapshot_header(const Binding& binding, const DomainKeys& domain, const RepositoryId& repository,
                                    const StoredSnapshot& stored);                         // Error(damaged)
SnapshotBody open_snapshot_body(const Binding& binding, SegmentOpener& opener, const StoredSnapshot& stored);
SnapshotHeader parse_snapshot_header(ByteView plaintext);  // Error(damaged)
SnapshotBody parse_snapshot_body(ByteView plaintext);      // Error(damaged)

}  // namespace qcbak::repository
